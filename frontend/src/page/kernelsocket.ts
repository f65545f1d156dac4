/**
 * The websocket that KernelConnection sees: one that opens once and is never lost.
 *
 * Beneath it connections come and go. Between two of them messages are held; what was written to a connection that died
 * is never written again, because nobody can tell whether the kernel has seen it.
 */
import type { KernelMessage, ServerConnection } from "@jupyterlab/services";
import { createMessage, isInfoRequestMsg, isStatusMsg } from "@jupyterlab/services/lib/kernel/messages";
import { deserialize, serialize } from "@jupyterlab/services/lib/kernel/serialize";
import type { Connection } from "../connection/link";
import { Held } from "./held";

type Mode =
  | { readonly kind: "down" }
  /** Connected, but not known yet whether to the same run of the page: only greetings pass. */
  | { readonly kind: "greeting"; readonly connection: Connection }
  | { readonly kind: "live"; readonly connection: Connection };

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
  readonly #now: () => number;
  readonly #isGreeting: (message: KernelMessage.IMessage) => boolean;
  readonly #asked: (id: string) => void;
  readonly #held = new Held();
  /** Sent, and the kernel has not reported idle yet. */
  readonly #inFlight = new Map<string, KernelMessage.IMessage>();
  #mode: Mode = { kind: "down" };
  #everOpened = false;
  #kernelSession = "";

  /**
   * @param now Milliseconds, monotonic.
   * @param isGreeting Whether a message may be sent before it is known what the connection leads to.
   * @param asked Called with the id of each message that is sent, or held; of each there will be an idle.
   */
  constructor(
    now: () => number,
    isGreeting: (message: KernelMessage.IMessage) => boolean,
    asked: (id: string) => void,
  ) {
    this.#now = now;
    this.#isGreeting = isGreeting;
    this.#asked = asked;
  }

  readonly #face: Face = (() => {
    const protocol = () => (this.#mode.kind === "down" ? "" : this.#mode.connection.protocol);
    return {
      binaryType: "arraybuffer" as const,
      onopen: null,
      onmessage: null,
      onclose: null,
      onerror: null,
      get protocol() {
        return protocol();
      },
      send: (message: KernelMessage.IMessage) => this.#send(message),
      close: () => {},
    };
  })();

  /** What KernelConnection is given to make its socket with. */
  get settings(): Pick<ServerConnection.ISettings, "WebSocket" | "serializer"> {
    const face = this.#face;
    // A constructor that returns an object makes `new` return that object.
    function Socket() {
      return face;
    }
    // Messages cross the face as objects: they are framed when they are really sent, for the connection of that moment.
    const asIs = { serialize: (message: unknown) => message, deserialize: (data: unknown) => data };
    return {
      WebSocket: Socket as unknown as typeof WebSocket,
      serializer: asIs as unknown as ServerConnection.ISettings["serializer"],
    };
  }

  /**
   * A connection has been made.
   *
   * @param shown Whether the page shows anything yet. If so, only greetings pass until `deliver` or `discard` decides
   *   about what is held; if not, there is nothing to decide.
   */
  opened(connection: Connection, shown: boolean): void {
    this.#mode = { kind: "greeting", connection };
    if (!shown) this.discard();
    if (this.#everOpened) return;
    this.#everOpened = true;
    this.#face.onopen?.(new Event("open"));
  }

  /** Whether the kernel owes this page an answer. */
  get isAwaited(): boolean {
    return this.#inFlight.size > 0;
  }

  lost(): void {
    this.#mode = { kind: "down" };
    const unanswered = [...this.#inFlight.values()];
    this.#inFlight.clear();
    for (const message of unanswered) this.#release(message);
  }

  /** The connection leads to the same run: send what was held, as far as it is still meant. Returns how many were dropped. */
  deliver(): number {
    if (this.#mode.kind === "down") return 0;
    this.#mode = { kind: "live", connection: this.#mode.connection };
    const { fresh, stale } = this.#held.take(this.#now());
    for (const message of fresh) this.#send(message);
    for (const message of stale) this.#release(message);
    return stale.length;
  }

  /** The connection leads to another run, to which what was held means nothing. Returns how many were dropped. */
  discard(): number {
    const { fresh, stale } = this.#held.take(this.#now());
    for (const message of [...fresh, ...stale]) this.#release(message);
    if (this.#mode.kind === "greeting") this.#mode = { kind: "live", connection: this.#mode.connection };
    return fresh.length + stale.length;
  }

  /** A frame has come. A frame that cannot be read is reported and skipped. */
  frame(data: string | ArrayBuffer): void {
    let message: KernelMessage.IMessage;
    try {
      message = deserialize(data as ArrayBuffer, this.#face.protocol);
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
    if (this.#mode.kind === "live" || (this.#mode.kind === "greeting" && this.#isGreeting(message))) {
      const { connection } = this.#mode;
      if (connection.send(serialize(exactBuffers(message), connection.protocol))) {
        this.#inFlight.set(message.header.msg_id, message);
        this.#asked(message.header.msg_id);
        return;
      }
    }
    // A greeting belongs to its connection; the next one makes its own.
    if (this.#isGreeting(message) || isInfoRequestMsg(message)) return;
    if (this.#held.add(message, this.#now())) this.#asked(message.header.msg_id);
    else this.#release(message);
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
