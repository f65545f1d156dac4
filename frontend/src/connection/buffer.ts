/** Holds what the kernel says while the rest of the page is still being loaded. */
import type { Connection, LinkListener } from "./link";

export class FrameBuffer implements LinkListener {
  readonly #greet: (connection: Connection) => void;
  #connection: Connection | null = null;
  #frames: (string | ArrayBuffer)[] = [];

  /** @param greet Called with each connection, to say what need not wait for the rest of the page. */
  constructor(greet: (connection: Connection) => void) {
    this.#greet = greet;
  }

  opened(connection: Connection): void {
    this.#connection = connection;
    this.#greet(connection);
  }

  frame(data: string | ArrayBuffer): void {
    this.#frames.push(data);
  }

  lost(): void {
    // Frames of a connection that is gone answer nothing that will be asked again.
    this.#connection = null;
    this.#frames = [];
  }

  /** Tell the listener all that it missed. The caller directs the link to the listener in the same turn. */
  handOver(listener: LinkListener): void {
    const frames = this.#frames;
    this.#frames = [];
    if (this.#connection) listener.opened(this.#connection);
    for (const data of frames) listener.frame(data);
  }
}
