/** A kernel at the other end of a connection, that holds widgets and does what a test says. */
import type { KernelMessage } from "@jupyterlab/services";
import { deserialize, serialize } from "@jupyterlab/services/lib/kernel/serialize";
import type { Beginning } from "../../src/connection/stream";
import type { PageSession, SessionOptions } from "../../src/page/session";
import { message } from "./messages";

const V1 = "v1.kernel.websocket.jupyter.org";

interface Content {
  comm_id: string;
  target_name: string;
  data: { method?: string; state?: Record<string, unknown> };
}

export class FakeKernel {
  run = "run-1";
  error: { ename: string; evalue: string; traceback: string | null } | null = null;
  roots: string[] = [];
  namedRoots: Record<string, string[]> = {};
  /** What the page looks like. */
  page: Record<string, unknown> = {};
  console: string | undefined;
  /** Widget id to state. */
  readonly widgets = new Map<string, Record<string, unknown>>();
  /** Updates and custom messages that came from the page, in order. */
  readonly heard: unknown[] = [];
  /** Whether busy and idle are reported, and updates echoed. */
  answers = true;
  requests = 0;
  /** Called when all state is asked for, before it is sent. */
  requested: () => void = () => {};
  /** Whether nothing that is said reaches the kernel. */
  deaf = false;
  /** How often the page has shown what came over a connection. */
  shown = 0;
  #session: PageSession | null = null;
  #control = "";
  #page = "";

  /** The page's way to it. */
  readonly stream: SessionOptions["stream"] = {
    send: (frame) => {
      const session = this.#session;
      if (session === null) return false;
      // As on a network: nothing comes back within the call.
      const said = deserialize(frame, V1);
      queueMicrotask(() => this.#session === session && this.#heard(said));
      return true;
    },
    isOnItsWay: () => false,
    keep: { messages: 100, bytes: 100_000, ms: 30_000 },
    shown: () => {
      this.shown += 1;
    },
  };

  /** Connect the page. */
  connect(session: PageSession, beginning: Beginning = "new"): void {
    this.#session = session;
    session.opened(beginning);
  }

  /** Cut the page off. What it had said and was not heard yet is lost. */
  cut(): void {
    const session = this.#session;
    this.#session = null;
    session?.lost();
  }

  add(
    id: string,
    name: string,
    state: Record<string, unknown> = {},
    module = name.startsWith("Layout") ? "@jupyter-widgets/base" : "@jupyter-widgets/controls",
  ): void {
    const view = name.replace(/Model$/, "View");
    this.widgets.set(id, {
      _model_name: name,
      _model_module: module,
      _model_module_version: "2.0.0",
      _view_name: view,
      _view_module: module,
      _view_module_version: "2.0.0",
      ...state,
    });
  }

  /** A change in the kernel, told to the page if it is connected. */
  set(id: string, state: Record<string, unknown>): void {
    Object.assign(this.widgets.get(id) ?? {}, state);
    this.say("comm_msg", { comm_id: id, data: { method: "update", state, buffer_paths: [] } });
  }

  /** The app's changed code can't be loaded, or can be again. */
  code(error: object | null): void {
    this.say("comm_msg", { comm_id: this.#page, data: { code_error: error } });
  }

  /** The page is to look different from now on. */
  changePage(page: Record<string, unknown>): void {
    this.tellPage({ method: "page", page });
  }

  /** Answer once more, with what is to be shown now. */
  showAgain(): void {
    const { run, roots } = this;
    this.tellPage({ run, status: "ok", roots, page: {} });
  }

  tellPage(data: Record<string, unknown>): void {
    this.say("comm_msg", { comm_id: this.#page, data });
  }

  say(type: string, content: object, parent: object = {}, more: object = {}): void {
    const said = message(type, content, { channel: "iopub", parent_header: parent, ...more });
    this.#session?.frame(serialize(said, V1) as ArrayBuffer);
  }

  #heard(said: KernelMessage.IMessage): void {
    if (this.deaf) return;
    const { header } = said;
    const content = said.content as unknown as Content;
    if (this.answers) this.say("status", { execution_state: "busy" }, header);
    if (header.msg_type === "comm_open") this.#opened(content);
    else if (header.msg_type === "comm_msg") this.#commMessage(content, header);
    if (this.answers) this.say("status", { execution_state: "idle" }, header);
  }

  #opened({ comm_id, target_name }: Content): void {
    if (target_name === "jupyter.widget.control") this.#control = comm_id;
    if (target_name !== "solara_ctx.page") return;
    const { run, roots, error, console, page, namedRoots: named_roots } = this;
    const answer = error ? { status: "error", error } : { status: "ok", roots, named_roots };
    this.#page = comm_id;
    this.say("comm_msg", { comm_id, data: { run, page, ...answer, console } });
  }

  /** A widget shows what is printed, from now on. */
  print(id: string, text: string): void {
    this.console = id;
    const outputs = [{ output_type: "stream", name: "stdout", text }];
    this.add(id, "OutputModel", { outputs }, "@jupyter-widgets/output");
    this.say(
      "comm_open",
      { comm_id: id, target_name: "jupyter.widget", data: { state: this.widgets.get(id) } },
      {},
      {
        metadata: { version: "2.1.0" },
      },
    );
    this.say("comm_msg", { comm_id: this.#page, data: { run: this.run, console: id } });
  }

  #commMessage({ comm_id, data }: Content, header: object): void {
    if (comm_id === this.#control) {
      this.requests += 1;
      this.requested();
      const states = Object.fromEntries(
        [...this.widgets].map(([id, state]) => [
          id,
          {
            model_name: state._model_name,
            model_module: state._model_module,
            model_module_version: state._model_module_version,
            state,
          },
        ]),
      );
      this.say("comm_msg", { comm_id, data: { method: "update_states", states, buffer_paths: [] } }, header);
      return;
    }
    this.heard.push(data);
    if (data.method === "update" && data.state && this.answers) {
      Object.assign(this.widgets.get(comm_id) ?? {}, data.state);
      const echo = { method: "echo_update", state: data.state, buffer_paths: [] };
      this.say("comm_msg", { comm_id, data: echo }, header);
    }
  }
}
