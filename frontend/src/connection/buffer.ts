/** Holds what the kernel says while the rest of the page is still being loaded. */
import type { Beginning, StreamListener } from "./stream";

export class FrameBuffer<Hello> implements StreamListener {
  readonly #greet: () => Hello;
  #hello: Hello | null = null;
  #connected = false;
  #frames: ArrayBuffer[] = [];

  /** @param greet Called when a stream begins, to say what need not wait for the rest of the page. */
  constructor(greet: () => Hello) {
    this.#greet = greet;
  }

  opened(beginning: Beginning): void {
    this.#connected = true;
    if (beginning === "resumed") return;
    // Frames from before answer nothing that will be asked again.
    this.#frames = [];
    this.#hello = this.#greet();
  }

  frame(data: ArrayBuffer): void {
    this.#frames.push(data);
  }

  lost(): void {
    this.#connected = false;
  }

  dropped(): void {}

  /**
   * Tell the listener all that it missed. The caller directs the stream to the listener in the same turn.
   *
   * @param listener Is told first what was said in greeting; not at all where no stream has begun.
   */
  handOver(listener: StreamListener & { greeted(hello: Hello): void }): void {
    if (this.#hello === null) return;
    const frames = this.#frames;
    this.#frames = [];
    listener.greeted(this.#hello);
    listener.opened("new");
    for (const data of frames) listener.frame(data);
    if (!this.#connected) listener.lost();
  }
}
