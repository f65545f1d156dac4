/** Messages that could not be sent because there was no connection. Bounded in number, bytes and age. */
import type { KernelMessage } from "@jupyterlab/services";
import type { Keep } from "../connection/words";

interface Entry {
  readonly message: KernelMessage.IMessage;
  readonly at: number;
}

/** Each message is handed out once: it is sent or dropped, never both and never twice. */
export class Held {
  readonly #keep: () => Keep;
  #entries: Entry[] = [];
  #bytes = 0;

  /** @param keep The bounds; what is older is no longer what the person means to do. */
  constructor(keep: () => Keep) {
    this.#keep = keep;
  }

  /** Hold a message; false where there is no room. The ones that came first stay: they were done first. */
  add(message: KernelMessage.IMessage, now: number): boolean {
    const size = sizeOf(message);
    const { messages, bytes } = this.#keep();
    if (this.#entries.length >= messages || this.#bytes + size > bytes) return false;
    this.#entries.push({ message, at: now });
    this.#bytes += size;
    return true;
  }

  /** Whether something is too old by now. */
  isStale(now: number): boolean {
    const oldest = now - this.#keep().ms;
    return this.#entries.some(({ at }) => at < oldest);
  }

  /** Take everything out, in order: what is still meant, and what is too old. */
  take(now: number): { readonly fresh: KernelMessage.IMessage[]; readonly stale: KernelMessage.IMessage[] } {
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    const oldest = now - this.#keep().ms;
    return {
      fresh: entries.filter(({ at }) => at >= oldest).map(({ message }) => message),
      stale: entries.filter(({ at }) => at < oldest).map(({ message }) => message),
    };
  }
}

function sizeOf(message: KernelMessage.IMessage): number {
  const buffers = message.buffers ?? [];
  return buffers.reduce((sum, buffer) => sum + buffer.byteLength, JSON.stringify(message.content).length);
}
