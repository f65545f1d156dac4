/**
 * The websocket that KernelConnection sees: one that opens once and is never lost.
 *
 * Beneath it is a stream of messages over one connection after the other, and what is done between two of them is held.
 * Where a new stream begins, what was sent on the old one is never sent again, because nobody can tell whether the kernel
 * has seen it.
 */
import type { KernelMessage, ServerConnection } from "@jupyterlab/services";
import {
  createMessage,
  isInfoRequestMsg,
  isStatusMsg,
  supportedKernelWebSocketProtocols,
} from "@jupyterlab/services/lib/kernel/messages";
import { deserialize, serialize } from "@jupyterlab/services/lib/kernel/serialize";
import type { Stream } from "../connection/stream";
import { Held } from "./held";

const FRAMING = supportedKernelWebSocketProtocols.v1KernelWebsocketJupyterOrg;

type Mode =
  | "down"
  /** A new stream, and not known yet whether to the same run of the page: only greetings pass. */
  | "greeting"
  | "live";

/** The face of a WebSocket, as far as KernelConnection looks at it. */
interface Face {
  binaryType: BinaryType;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: unknown;
  onerror: unknown;
  readonly protocol: string;
  send(message: KernelMessage.IMessage): void;
  close(): void;
}

/** @internal Bytes that a view does not cover must not travel: the serializer sends the whole buffer behind a view. */
export function exactBuffers(message: KernelMessage.IMessage): KernelMessage.IMessage {
  if (!message.buffers?.length) return message;
  const buffers = message.buffers.map((buffer) =>
    ArrayBuffer.isView(buffer) && buffer.byteLength !== buffer.buffer.byteLength
      ? buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength)
      : buffer,
  );
  return { ...message, buffers } as KernelMessage.IMessage;
}

export class KernelSocket {
  readonly #stream: Pick<Stream, "send" | "isOnItsWay" | "keep">;
  readonly #now: () => number;
  readonly #isGreeting: (message: KernelMessage.IMessage) => boolean;
  readonly #asked: (id: string) => void;
  readonly #held: Held;
  /** Sent, and the kernel has not reported idle yet. */
  readonly #inFlight = new Map<string, KernelMessage.IMessage>();
  #mode: Mode = "down";
  /** Whether it is open what to do with what is held: a new stream may lead to another run of the page. */
  #undecided = false;
  /** Whether something that was done was not held. */
  #refused = false;
  #everOpened = false;
  #kernelSession = "";

  /**
   * @param stream Takes what is sent.
   * @param now Milliseconds, monotonic.
   * @param isGreeting Whether a message may be sent before it is known what the connection leads to.
   * @param asked Called with the id of each message that is sent, or held; of each there will be an idle.
   */
  constructor(
    stream: Pick<Stream, "send" | "isOnItsWay" | "keep">,
    now: () => number,
    isGreeting: (message: KernelMessage.IMessage) => boolean,
    asked: (id: string) => void,
  ) {
    this.#stream = stream;
    this.#held = new Held(() => stream.keep);
    this.#now = now;
    this.#isGreeting = isGreeting;
    this.#asked = asked;
  }

  readonly #face: Face = {
    binaryType: "arraybuffer" as const,
    onopen: null,
    onmessage: null,
    onclose: null,
    onerror: null,
    protocol: FRAMING,
    send: (message: KernelMessage.IMessage) => this.#send(message),
    close: () => {},
  };

  /** What KernelConnection is given to make its socket with. */
  get settings(): Pick<ServerConnection.ISettings, "WebSocket" | "serializer"> {
    const face = this.#face;
    // A constructor that returns an object makes `new` return that object.
    function Socket() {
      return face;
    }
    // Messages cross the face as objects: what is held is framed when it is sent.
    const asIs = { serialize: (message: unknown) => message, deserialize: (data: unknown) => data };
    return {
      WebSocket: Socket as unknown as typeof WebSocket,
      serializer: asIs as unknown as ServerConnection.ISettings["serializer"],
    };
  }

  /**
   * A new stream begins.
   *
   * @param shown Whether the page shows anything yet. If so, only greetings pass until `deliver` or `discard` decides
   *   about what is held; if not, there is nothing to decide.
   */
  begins(shown: boolean): void {
    this.#mode = "greeting";
    this.#undecided = true;
    this.#refused = false;
    this.#releaseUnanswered(() => true);
    if (!shown) this.discard();
    if (this.#everOpened) return;
    this.#everOpened = true;
    this.#face.onopen?.(new Event("open"));
  }

  /** Whether all that was done in the page since the connection was lost can still be sent. */
  get isComplete(): boolean {
    return !this.#refused && !this.#held.isStale(this.#now());
  }

  /** The stream goes on. */
  resumes(): void {
    this.#refused = false;
    this.#mode = "greeting";
    if (!this.#undecided) this.deliver();
  }

  /** Something is missing of what was said: answers may be among it. What is on its way is awaited still. */
  missed(): void {
    this.#releaseUnanswered((id) => !this.#stream.isOnItsWay(id));
  }

  /** These were sent, and will not be answered. */
  dropped(ids: readonly string[]): void {
    const dropped = new Set(ids);
    this.#releaseUnanswered((id) => dropped.has(id));
  }

  lost(): void {
    this.#mode = "down";
  }

  /** The stream leads to the same run: send what was held, as far as it is still meant. */
  deliver(): void {
    if (this.#mode === "down") return;
    this.#mode = "live";
    this.#undecided = false;
    const { fresh, stale } = this.#held.take(this.#now());
    for (const message of fresh) this.#send(message);
    for (const message of stale) this.#release(message);
  }

  /** The stream leads to another run, to which what was held means nothing. */
  discard(): void {
    const { fresh, stale } = this.#held.take(this.#now());
    for (const message of [...fresh, ...stale]) this.#release(message);
    if (this.#mode === "greeting") this.#mode = "live";
    this.#undecided = false;
  }

  /** A frame has come. A frame that cannot be read is reported and skipped. */
  frame(data: ArrayBuffer): void {
    let message: KernelMessage.IMessage;
    try {
      message = deserialize(data, FRAMING);
    } catch (error) {
      console.error("a message from the server could not be read", error);
      return;
    }
    if (isStatusMsg(message)) {
      const state = message.content.execution_state;
      // KernelConnection would dispose of itself, or open a socket of its own. What these two mean for the page, the
      // end of the connection says.
      if (state === "dead" || state === "restarting") return;
      if (state === "idle" && "msg_id" in message.parent_header) this.#inFlight.delete(message.parent_header.msg_id);
    }
    this.#kernelSession = message.header.session;
    this.#receive(message);
  }

  #send(message: KernelMessage.IMessage): void {
    const { msg_id } = message.header;
    if (this.#mode === "live" || (this.#mode === "greeting" && this.#isGreeting(message))) {
      if (this.#stream.send(serialize(exactBuffers(message), FRAMING) as ArrayBuffer, msg_id)) {
        this.#inFlight.set(msg_id, message);
        this.#asked(msg_id);
        return;
      }
    }
    // A greeting belongs to its stream; the next one makes its own.
    if (this.#isGreeting(message) || isInfoRequestMsg(message)) return;
    if (this.#held.add(message, this.#now())) this.#asked(msg_id);
    else {
      this.#refused = true;
      this.#release(message);
    }
  }

  #releaseUnanswered(which: (id: string) => boolean): void {
    const unanswered = [...this.#inFlight.values()].filter((message) => which(message.header.msg_id));
    for (const message of unanswered) {
      this.#inFlight.delete(message.header.msg_id);
      this.#release(message);
    }
  }

  /**
   * Say "idle" for a message that the kernel will not answer any more.
   *
   * Widget models send one update at a time and wait for its idle; without this a slider that was being dragged when
   * the connection was lost would stay silent for ever.
   */
  #release(message: KernelMessage.IMessage): void {
    this.#receive(
      createMessage<KernelMessage.IStatusMsg>({
        msgType: "status",
        channel: "iopub",
        session: this.#kernelSession,
        content: { execution_state: "idle" },
        parentHeader: message.header as KernelMessage.IHeader,
      } as KernelMessage.IOptions<KernelMessage.IStatusMsg>),
    );
  }

  #receive(message: KernelMessage.IMessage): void {
    try {
      this.#face.onmessage?.({ data: message });
    } catch (error) {
      console.error("a message from the server is not valid", error);
    }
  }
}
