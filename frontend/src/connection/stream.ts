/**
 * One stream of messages, over one connection after the other: none is lost, none comes twice.
 *
 * Each side counts what it has seen. When a connection begins, each says how much that is, and the other sends what comes
 * after it. Nothing has to be numbered: a websocket keeps the order.
 */
import { type Connection, HANDSHAKE_LIMIT_MS, type LinkListener } from "./link";
import { Liveness } from "./liveness";
import { ack, hello, type Keep, PING, readWord, type Welcome } from "./words";

export type Beginning =
  /** A new stream: nothing of what was said before will be answered, and nothing was heard of what happened since. */
  | "new"
  /** Nothing is missing. */
  | "resumed"
  /** Something is missing: of what the server has said, or of what the page has said, which it shows all the same. */
  | "gap";

/** Who is told. The calls are strictly `dropped? opened (frame)* lost`, over and over. */
export interface StreamListener {
  /** These messages were sent, and it will not be known what became of them, or they will not be sent again. */
  dropped(ids: readonly string[]): void;
  /** Messages pass from now on. */
  opened(beginning: Beginning): void;
  /** A message has come. */
  frame(data: ArrayBuffer): void;
  lost(): void;
}

export interface StreamPorts {
  /** Milliseconds, monotonic. */
  now(): number;
  /** Milliseconds of the wall clock. */
  wallClock(): number;
}

interface Sent {
  readonly id: string;
  readonly at: number;
  /** Null where it was too much to keep. */
  frame: ArrayBuffer | null;
}

/** Of what the server sends, so much may be unacknowledged, and for so long. */
export const ACK_MESSAGES = 64;
const ACK_BYTES = 1_000_000;
export const ACK_AFTER_MS = 5_000;
const TOO_BIG = 1009;
/** Until the server says what it keeps. */
const KEEP: Keep = { messages: 1000, bytes: 8_000_000, ms: 60_000 };

export class Stream implements LinkListener {
  readonly #ports: StreamPorts;
  readonly #liveness: Liveness;
  #listener: StreamListener;
  #connection: Connection | null = null;
  /** Whether messages pass: the server has said where to go on, or there is nothing to go on with. */
  #open = false;
  #keep = KEEP;
  #id: string | null = null;
  #seen = 0;
  #owed = 0;
  #owedBytes = 0;
  #ackTimer: ReturnType<typeof setTimeout> | undefined;
  /** What the server has not acknowledged. */
  #sent: Sent[] = [];
  #sentBytes = 0;
  #acknowledged = 0;

  constructor(ports: StreamPorts, listener: StreamListener) {
    this.#ports = ports;
    this.#listener = listener;
    this.#liveness = new Liveness({
      ask: () => this.#connection?.send(PING),
      giveUp: () => this.#connection?.drop(),
      now: ports.wallClock,
    });
  }

  /** Tell another listener from now on. */
  listen(listener: StreamListener): void {
    this.#listener = listener;
  }

  /** What is kept here, and what may be held back until there is a connection. */
  get keep(): Keep {
    return this.#keep;
  }

  /** Whether the server has said which stream it is: the page has a kernel. */
  get isKnown(): boolean {
    return this.#id !== null;
  }

  /** Send a message; false where there is no connection and it went nowhere. */
  send(frame: ArrayBuffer, id: string): boolean {
    if (!this.#open || !this.#connection?.send(frame)) return false;
    const size = frame.byteLength;
    const kept = size <= this.#keep.bytes; // or it would only take the place of all others
    this.#sent.push({ id, at: this.#ports.now(), frame: kept ? frame : null });
    if (kept) this.#sentBytes += size;
    this.#keepWithinBounds();
    return true;
  }

  /** Whether that message was sent and not acknowledged yet. */
  isOnItsWay(id: string): boolean {
    return this.#sent.some((it) => it.id === id);
  }

  /** Somebody has come back to the page: find out whether the connection survived. */
  check(): void {
    if (this.#open) this.#liveness.check();
  }

  /** What came is on the screen. */
  shown(): void {
    this.#connection?.shown();
    // It was much, mostly, and the server keeps it until it hears of this.
    if (this.#open && this.#owed > 0) this.#acknowledge();
  }

  opened(connection: Connection): void {
    this.#connection = connection;
    this.#liveness.heard();
    this.#liveness.expect(HANDSHAKE_LIMIT_MS);
    connection.send(hello(this.#id, this.#seen));
    if (this.#id === null) this.#begin("new");
  }

  frame(data: string | ArrayBuffer): void {
    this.#liveness.heard();
    if (typeof data === "string") this.#word(data);
    else {
      this.#seen += 1;
      this.#owe(data.byteLength);
      this.#listener.frame(data);
    }
  }

  lost(code: number): void {
    this.#connection = null;
    this.#liveness.stop();
    this.#forgetAck();
    // One of them is more than the server takes, and would be so again.
    if (code === TOO_BIG) for (const message of this.#sent) this.#empty(message);
    if (!this.#open) return;
    this.#open = false;
    this.#listener.lost();
  }

  #word(text: string): void {
    const word = readWord(text);
    switch (word?.type) {
      case "welcome":
        this.#welcomed(word);
        break;
      case "alive":
        break;
      case "ack":
        this.#forget(word.seen);
        break;
      case "draining":
        this.#connection?.rest(word.delayMs);
        break;
      default:
        // Of a newer server, perhaps; what it means for this page is not known.
        console.error("a word of the server is not understood", text);
    }
  }

  #welcomed(welcome: Welcome): void {
    this.#keep = welcome.keep;
    if (welcome.silenceMs) this.#liveness.watch(welcome.silenceMs);
    const known = this.#id;
    this.#id = welcome.stream;
    if (this.#open) return; // the first connection of this stream: it has begun already
    this.#seen = welcome.from;
    if (welcome.stream !== known) {
      this.#begin("new");
      return;
    }
    this.#forget(welcome.seen);
    const complete = this.#sendAgain();
    this.#begin(complete && welcome.resync === null ? "resumed" : "gap");
  }

  #begin(beginning: Beginning): void {
    if (beginning === "new") {
      const dropped = this.#sent;
      this.#sent = [];
      this.#sentBytes = this.#acknowledged = 0;
      this.#drop(dropped);
    }
    this.#open = true;
    this.#listener.opened(beginning);
  }

  /** Send what the server has not seen, as far as it is there and still meant. Returns whether that was all. */
  #sendAgain(): boolean {
    const oldest = this.#ports.now() - this.#keep.ms;
    const unseen = this.#sent;
    this.#sent = unseen.filter(({ frame, at }) => frame !== null && at >= oldest);
    this.#sentBytes = this.#sent.reduce((sum, { frame }) => sum + (frame?.byteLength ?? 0), 0);
    this.#drop(unseen.filter((it) => !this.#sent.includes(it)));
    for (const { frame } of this.#sent) if (frame) this.#connection?.send(frame);
    return this.#sent.length === unseen.length;
  }

  #drop(messages: readonly Sent[]): void {
    if (messages.length > 0) this.#listener.dropped(messages.map(({ id }) => id));
  }

  /** The server has seen so many. */
  #forget(seen: number): void {
    const gone = this.#sent.splice(0, Math.max(0, seen - this.#acknowledged));
    this.#acknowledged = Math.max(this.#acknowledged, seen);
    for (const { frame } of gone) this.#sentBytes -= frame?.byteLength ?? 0;
  }

  #keepWithinBounds(): void {
    const { messages, bytes } = this.#keep;
    for (let i = 0; this.#sentBytes > bytes && i < this.#sent.length; i++) this.#empty(this.#sent[i]);
    this.#empty(this.#sent[this.#sent.length - 1 - messages]);
  }

  #empty(message: Sent | undefined): void {
    if (!message?.frame) return;
    this.#sentBytes -= message.frame.byteLength;
    message.frame = null;
  }

  #owe(size: number): void {
    this.#owed += 1;
    this.#owedBytes += size;
    if (this.#owed >= ACK_MESSAGES || this.#owedBytes >= ACK_BYTES) this.#acknowledge();
    else this.#ackTimer ??= setTimeout(() => this.#acknowledge(), ACK_AFTER_MS);
  }

  #acknowledge(): void {
    this.#forgetAck();
    this.#connection?.send(ack(this.#seen));
  }

  #forgetAck(): void {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    this.#owed = this.#owedBytes = 0;
  }
}
