/** The page and its kernel: what is said at each connection, and how the page catches up. */
import type { Kernel, KernelMessage } from "@jupyterlab/services";
import { isStatusMsg } from "@jupyterlab/services/lib/kernel/messages";
import type { PageConfig } from "../config";
import { kernelPath } from "../connection/address";
import type { PageResult } from "../connection/state";
import type { Beginning, Stream, StreamListener } from "../connection/stream";
import { CONTROL_TARGET, CONTROL_VERSION, type Hello, PAGE_TARGET } from "../hello";
import { type PageLook, readLook } from "../look";
import { CodeErrorPanel } from "../notices/codeerror";
import { MAIN, type Places } from "../places";
import { isCodeError, isConsoleNews, isNavigated, isPageAnswer, isPageChange, type PageAnswer } from "./answer";
import { Busy } from "./busy";
import type { Console } from "./console";
import { connectKernel } from "./kernel";
import { KernelSocket } from "./kernelsocket";
import { WidgetManager } from "./manager";
import { Navigation } from "./navigation";
import { AllRoots } from "./roots";
import { isUpdateStates, readStates } from "./states";
import { loadIconsWhenNeeded } from "./styles";

export interface SessionOptions {
  readonly config: PageConfig;
  readonly places: Places;
  readonly look: Pick<PageLook, "change">;
  readonly signal: AbortSignal;
  readonly stream: Pick<Stream, "send" | "isOnItsWay" | "keep" | "shown">;
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

export class PageSession implements StreamListener {
  readonly #options: SessionOptions;
  readonly #socket: KernelSocket;
  readonly #kernel: Kernel.IKernelConnection;
  readonly #manager: WidgetManager;
  readonly #roots: AllRoots;
  readonly #codeError: CodeErrorPanel;
  readonly #busy: Busy;
  readonly #navigation: Navigation;
  /** What was asked on the stream that is about to begin. */
  #hello: Hello | undefined;
  /** The messages whose answers have not all been acted upon. */
  readonly #unanswered = new Set<string>();
  #connected = false;
  /** The run of the page function that the page shows. */
  #run: string | null = null;
  #answer: PageAnswer | null = null;
  /** Whether the run that the answer is about comes after another one of the same page. */
  #again = false;
  /** The widget that shows what is printed outside of all others. */
  #consoleId: string | null = null;
  #console: Promise<Console> | null = null;
  /** What the page has come to, once it has been shown and as long as nothing newer is on its way to the screen. */
  #result: PageResult | null = null;
  /** The comms of the current stream. */
  #pageComm: Kernel.IComm | null = null;
  #controlComm: Kernel.IComm | null = null;
  /** The screen changes one step after the other, whatever the messages do meanwhile. */
  #screen: Promise<void> = Promise.resolve();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#socket = new KernelSocket(
      options.stream,
      () => performance.now(),
      isGreeting,
      (id) => {
        this.#unanswered.add(id);
        this.#tellBusy();
      },
    );
    this.#kernel = connectKernel(options.config, this.#socket);
    // Told of each message once those before it have been handled, which may load a widget's program first.
    this.#kernel.iopubMessage.connect((_, msg) => {
      if (!isStatusMsg(msg) || msg.content.execution_state !== "idle" || !("msg_id" in msg.parent_header)) return;
      if (this.#unanswered.delete(msg.parent_header.msg_id)) this.#tellBusy();
    });
    this.#busy = new Busy({ document, interrupt: () => this.#interrupt() });
    const { config, places, signal } = options;
    const ask = (path: string, query: string) => this.#navigate(path, query);
    this.#navigation = new Navigation(
      { window, baseUrl: config.baseUrl, pages: config.pages, root: places.root, ask },
      signal,
    );
    this.#manager = new WidgetManager(this.#kernel, config);
    this.#roots = new AllRoots(this.#manager, places, signal);
    this.#codeError = new CodeErrorPanel(document);
    for (const place of places.byName.values()) loadIconsWhenNeeded(place, signal);
  }

  /**
   * For scripts that drive the page: true from the turn of a click on, until its answer has been acted upon. No attribute:
   * that makes the browser draw a frame for nothing, after which the answer's comes 0.2 ms later.
   */
  #tellBusy(): void {
    const unanswered = this.#unanswered.size > 0;
    Object.assign(this.#options.places.root, { solaraBusy: unanswered });
    this.#busy.set(this.#connected && (unanswered || this.#result === null));
  }

  /** Over HTTP: on the websocket it would wait in line behind what it is for. */
  #interrupt(): void {
    fetch(`${kernelPath(this.#options.config)}/interrupt`, { method: "POST" }).catch((error: unknown) =>
      console.error(error),
    );
  }

  /** What has been asked already on the stream that is about to begin. */
  greeted(hello: Hello): void {
    this.#hello = hello;
  }

  opened(beginning: Beginning): void {
    this.#connected = true;
    this.#tellBusy();
    const complete = beginning === "resumed" && this.#socket.isComplete;
    if (!complete) this.#forget();
    if (beginning === "new") this.#socket.begins(this.#run !== null);
    else this.#socket.resumes();
    if (complete) {
      // What is on the screen is what the kernel holds, or it is just coming.
      if (this.#result) this.#show(this.#result);
      return;
    }
    if (beginning !== "new") this.#socket.missed();
    this.#manager.awaitStates();
    const hello = this.#hello;
    this.#hello = undefined;
    const comm = this.#kernel.createComm(PAGE_TARGET, hello?.page);
    comm.onMsg = ({ content }) => this.#answered(content.data);
    if (!hello) comm.open({});
    this.#pageComm = comm;
    // While nothing is shown, there is nothing that the answer could decide, and all is asked at once.
    if (this.#run === null) this.#requestStates(hello?.control);
  }

  frame(data: ArrayBuffer): void {
    this.#socket.frame(data);
  }

  lost(): void {
    this.#connected = false;
    this.#tellBusy();
    this.#socket.lost();
  }

  dropped(ids: readonly string[]): void {
    this.#socket.dropped(ids);
  }

  /** What was asked will not be answered, and what was opened will not be heard of any more. */
  #forget(): void {
    this.#unanswered.clear();
    this.#answer = this.#result = null;
    this.#codeError.show(null); // it is told again on the new comm
    this.#pageComm?.dispose();
    this.#controlComm?.dispose();
    this.#pageComm = this.#controlComm = null;
    this.#manager.lost().catch((error: unknown) => console.error(error));
  }

  /** Ask the kernel for another page of the app; false where it would not hear of it. */
  #navigate(path: string, query: string): boolean {
    if (!this.#connected || !this.#pageComm || this.#result === null) return false;
    this.#pageComm.send({ method: "navigate", path, query });
    return true;
  }

  #answered(data: unknown): void {
    if (isNavigated(data)) {
      this.#navigation.navigated(data.path, data.query);
      return;
    }
    if (isPageChange(data)) {
      this.#options.look.change(readLook(data.page));
      return;
    }
    if (isCodeError(data)) {
      this.#codeError.show(data.code_error);
      return;
    }
    if (isConsoleNews(data)) {
      this.#consoleId = data.console ?? null;
      // Else it will be with the rest, and may have no model yet.
      if (this.#result) this.#showConsole();
      return;
    }
    if (!isPageAnswer(data)) {
      console.error("the server's answer about the page is not understood", data);
      return;
    }
    this.#options.look.change(readLook(data.page));
    const same = data.run === this.#run;
    // Another page is not where the person was.
    this.#again = !same && this.#run !== null && !this.#navigation.isUnderWay;
    this.#run = data.run;
    this.#answer = data;
    this.#consoleId = data.console ?? null;
    this.#result = null;
    if (data.status === "error" && !data.console) {
      this.#socket.discard();
      this.#onScreen(data, async () => {
        const result = await this.#showAnswer(data);
        await this.#manager.close([...this.#manager.ids]);
        return result;
      });
      return;
    }
    if (same && data.status === "ok") this.#socket.deliver();
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
    if (!answer || (answer.status === "error" && !this.#consoleId)) return;
    const gone = await this.#manager.catchUp(readStates(data, msg.buffers ?? []));
    this.#onScreen(answer, async () => {
      const result = await this.#showAnswer(answer);
      await this.#manager.close(gone);
      return result;
    });
  }

  async #showAnswer(answer: PageAnswer): Promise<PageResult> {
    const roots = answer.status === "ok" ? { ...answer.named_roots, [MAIN]: answer.roots } : {};
    await this.#roots.show(roots, this.#again);
    this.#showConsole();
    return answer.status === "ok" ? { status: "ok" } : { status: "error", error: answer.error };
  }

  /** Not awaited by anybody: its program is loaded with the first thing that there is to show in it. */
  #showConsole(): void {
    const id = this.#consoleId;
    if (id !== null) {
      this.#console ??= import("./console").then((it) => new it.Console(this.#manager, this.#options.signal));
    }
    this.#console?.then((it) => it.show(id)).catch((error: unknown) => console.error(error));
  }

  /** Something here went wrong that no retry would mend. KernelConnection would swallow it. */
  #failed(error: unknown): void {
    console.error(error);
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const traceback = this.#options.config.debug && error instanceof Error ? (error.stack ?? null) : null;
    this.#show({ status: "error", error: { ename: name, evalue: message, traceback } });
  }

  #show(result: PageResult): void {
    this.#result = result;
    this.#tellBusy();
    if (!this.#connected) return; // what is on the screen may be old
    this.#options.caughtUp(result);
    this.#navigation.shown();
    this.#options.stream.shown(); // an error too is a page
  }

  /** Change the screen, unless the answer it belongs to is no longer the latest by then. */
  #onScreen(answer: PageAnswer, change: () => Promise<PageResult>): void {
    this.#screen = this.#screen.then(async () => {
      if (this.#answer !== answer) return;
      try {
        const result = await change();
        if (this.#answer === answer) this.#show(result);
      } catch (error) {
        if (this.#answer === answer) this.#failed(error);
        else console.error(error);
      }
    });
  }
}
