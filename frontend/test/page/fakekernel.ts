/** A kernel at the other end of a connection, that holds widgets and does what a test says. */
import type { KernelMessage } from "@jupyterlab/services";
import { deserialize, serialize } from "@jupyterlab/services/lib/kernel/serialize";
import type { Connection } from "../../src/connection/link";
import type { PageSession } from "../../src/page/session";
import { message } from "./messages";

interface Content {
  comm_id: string;
  target_name: string;
  data: { method?: string; state?: Record<string, unknown> };
}

export class FakeKernel {
  run = "run-1";
  error: { ename: string; evalue: string; traceback: string | null } | null = null;
  roots: string[] = [];
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
  /** How often the page has given a connection up. */
  drops = 0;
  /** How often the page has shown what came over a connection. */
  shown = 0;
  #session: PageSession | null = null;
  #control = "";

  /** Connect the page. */
  connect(session: PageSession): void {
    this.#session = session;
    const connection: Connection = {
      protocol: "",
      send: (frame) => {
        // As on a network: nothing comes back within the call.
        const said = deserialize(frame as unknown as ArrayBuffer, "");
        queueMicrotask(() => this.#session === session && this.#heard(said));
        return true;
      },
      drop: () => {
        this.drops += 1;
      },
      shown: () => {
        this.shown += 1;
      },
    };
    session.opened(connection);
  }

  /** Cut the page off. What it had said and was not heard yet is lost. */
  cut(): void {
    const session = this.#session;
    this.#session = null;
    session?.lost();
  }

  add(id: string, name: string, state: Record<string, unknown> = {}): void {
    const view = name.replace(/Model$/, "View");
    const module = name.startsWith("Layout") ? "@jupyter-widgets/base" : "@jupyter-widgets/controls";
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

  say(type: string, content: object, parent: object = {}, more: object = {}): void {
    this.#session?.frame(
      serialize(message(type, content, { channel: "iopub", parent_header: parent, ...more })) as string,
    );
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
    const { run, roots, error } = this;
    this.say("comm_msg", { comm_id, data: error ? { run, status: "error", error } : { run, status: "ok", roots } });
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
