/** The page and its kernel: what is said at each connection, and how the page catches up. */
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import { isStatusMsg } from "@jupyterlab/services/lib/kernel/messages";
import type { PageConfig } from "../config";
import type { Connection, LinkListener } from "../connection/link";
import type { PageResult } from "../connection/state";
import { CONTROL_TARGET, CONTROL_VERSION, type Hello, PAGE_TARGET } from "../hello";
import { isPageAnswer, type PageAnswer } from "./answer";
import { connectKernel } from "./kernel";
import { KernelSocket } from "./kernelsocket";
import { Liveness } from "./liveness";
import { WidgetManager } from "./manager";
import { Roots } from "./roots";
import { isUpdateStates, readStates } from "./states";
import { loadIconsWhenNeeded } from "./styles";

export interface SessionOptions {
  readonly config: PageConfig;
  readonly root: HTMLElement;
  readonly signal: AbortSignal;
  /** What has been asked on a connection already. */
  greeted(connection: Connection): Hello | undefined;
  /** What is on the screen is what the kernel holds. */
  caughtUp(page: PageResult): void;
}

/** Whether a message opens the comm by which the page asks which run it is connected to. */
function isGreeting(message: KernelMessage.IMessage): boolean {
  return (
    message.header.msg_type === "comm_open" &&
    "target_name" in message.content &&
    message.content.target_name === PAGE_TARGET
  );
}

export class PageSession implements LinkListener {
  readonly #options: SessionOptions;
  readonly #socket: KernelSocket;
  readonly #kernel: Kernel.IKernelConnection;
  readonly #manager: WidgetManager;
  readonly #roots: Roots;
  readonly #liveness = new Liveness({
    ask: () => void this.#kernel.requestKernelInfo().catch((error: unknown) => console.error(error)),
    giveUp: () => this.#connection?.drop(),
    now: () => Date.now(),
  });
  #connection: Connection | null = null;
  /** The messages whose answers have not all been acted upon. */
  readonly #unanswered = new Set<string>();
  /** The run of the page function that the page shows. */
  #run: string | null = null;
  #answer: PageAnswer | null = null;
  /** The comms of the current connection. */
  #pageComm: Kernel.IComm | null = null;
  #controlComm: Kernel.IComm | null = null;
  /** The screen changes one step after the other, whatever the messages do meanwhile. */
  #screen: Promise<void> = Promise.resolve();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#socket = new KernelSocket(
      () => performance.now(),
      isGreeting,
      (id) => this.#busy(this.#unanswered.add(id)),
    );
    this.#kernel = connectKernel(options.config, this.#socket);
    // Told of each message once those before it have been handled, which may load a widget's program first.
    this.#kernel.iopubMessage.connect((_, msg) => {
      if (!isStatusMsg(msg) || msg.content.execution_state !== "idle" || !("msg_id" in msg.parent_header)) return;
      if (this.#unanswered.delete(msg.parent_header.msg_id)) this.#busy(this.#unanswered);
    });
    this.#manager = new WidgetManager(this.#kernel);
    this.#roots = new Roots(this.#manager, options.root, options.signal);
    loadIconsWhenNeeded(options.root, options.signal);
  }

  /**
   * For scripts that drive the page: true from the turn of a click on, until its answer has been acted upon. No attribute:
   * that makes the browser draw a frame for nothing, after which the answer's comes 0.2 ms later.
   */
  #busy(unanswered: ReadonlySet<string>): void {
    Object.assign(this.#options.root, { solaraBusy: unanswered.size > 0 });
  }

  /** Whether the page shows a run of the page function. */
  get shown(): boolean {
    return this.#run !== null;
  }

  /** Somebody has come back to the page: find out whether the connection survived. */
  check(): void {
    // While the kernel works on what this page has asked for, silence means nothing.
    if (this.#connection && !this.#socket.isAwaited) this.#liveness.check();
  }

  opened(connection: Connection): void {
    this.#connection = connection;
    this.#liveness.heard();
    const { shown } = this;
    this.#manager.awaitStates();
    this.#socket.opened(connection, shown);
    const hello = this.#options.greeted(connection);
    const comm = this.#kernel.createComm(PAGE_TARGET, hello?.page);
    comm.onMsg = ({ content }) => this.#answered(content.data);
    if (!hello) comm.open({});
    this.#pageComm = comm;
    // While nothing is shown, there is nothing that the answer could decide, and all is asked at once.
    if (!shown) this.#requestStates(hello?.control);
  }

  frame(data: string | ArrayBuffer): void {
    this.#liveness.heard();
    this.#socket.frame(data);
  }

  lost(): void {
    this.#connection = null;
    this.#liveness.stop();
    this.#answer = null;
    this.#pageComm?.dispose();
    this.#controlComm?.dispose();
    this.#pageComm = this.#controlComm = null;
    this.#socket.lost();
    this.#manager.lost().catch((error: unknown) => console.error(error));
  }

  #answered(data: unknown): void {
    if (!isPageAnswer(data)) {
      console.error("the server's answer about the page is not understood", data);
      return;
    }
    const same = data.run === this.#run;
    this.#run = data.run;
    this.#answer = data;
    if (data.status === "error") {
      this.#socket.discard();
      const { error } = data;
      this.#onScreen(data, async () => {
        await this.#roots.show([]);
        await this.#manager.close([...this.#manager.ids]);
        return { status: "error", error };
      });
      return;
    }
    if (same) this.#socket.deliver();
    else this.#socket.discard();
    if (!this.#controlComm) {
      this.#manager.awaitStates();
      this.#requestStates();
    }
  }

  /** @param asked The comm on which that was done already. */
  #requestStates(asked?: string): void {
    const comm = this.#kernel.createComm(CONTROL_TARGET, asked);
    this.#controlComm = comm;
    // Awaited, and so done before any later message is handled: an update to a model must find the model.
    comm.onMsg = (msg) => this.#stated(comm, msg).catch((error: unknown) => this.#failed(error));
    if (asked !== undefined) return;
    comm.open({}, { version: CONTROL_VERSION });
    comm.send({ method: "request_states" });
  }

  async #stated(comm: Kernel.IComm, msg: KernelMessage.ICommMsgMsg): Promise<void> {
    const data: unknown = msg.content.data;
    if (!isUpdateStates(data)) return;
    this.#controlComm = null;
    comm.close();
    const answer = this.#answer;
    if (answer?.status !== "ok") return;
    const gone = await this.#manager.catchUp(readStates(data, msg.buffers ?? []));
    this.#onScreen(answer, async () => {
      await this.#roots.show(answer.roots);
      await this.#manager.close(gone);
      return { status: "ok" };
    });
  }

  /** Something here went wrong that no retry would mend. KernelConnection would swallow it. */
  #failed(error: unknown): void {
    console.error(error);
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const traceback = this.#options.config.debug && error instanceof Error ? (error.stack ?? null) : null;
    this.#options.caughtUp({ status: "error", error: { ename: name, evalue: message, traceback } });
  }

  /** Change the screen, unless the answer it belongs to is no longer the latest by then. */
  #onScreen(answer: PageAnswer, change: () => Promise<PageResult>): void {
    this.#screen = this.#screen.then(async () => {
      if (this.#answer !== answer) return;
      try {
        const result = await change();
        if (this.#answer === answer) this.#options.caughtUp(result);
      } catch (error) {
        if (this.#answer === answer) this.#failed(error);
        else console.error(error);
      }
      if (this.#answer === answer) this.#connection?.shown(); // an error too is a page
    });
  }
}
