/** Messages that could not be sent because there was no connection. Bounded in number, bytes and age. */
import type { KernelMessage } from "@jupyterlab/services";

/** What was done longer ago than this is no longer what the person means to do. */
export const HELD_MS = 30_000;
export const HELD_MESSAGES = 200;
export const HELD_BYTES = 1_000_000;

interface Entry {
  readonly message: KernelMessage.IMessage;
  readonly at: number;
}

/** Each message is handed out once: it is sent or dropped, never both and never twice. */
export class Held {
  #entries: Entry[] = [];
  #bytes = 0;

  /** Hold a message; false where there is no room. The ones that came first stay: they were done first. */
  add(message: KernelMessage.IMessage, now: number): boolean {
    const size = sizeOf(message);
    if (this.#entries.length >= HELD_MESSAGES || this.#bytes + size > HELD_BYTES) return false;
    this.#entries.push({ message, at: now });
    this.#bytes += size;
    return true;
  }

  /** Take everything out, in order: what is still meant, and what is too old. */
  take(now: number): { readonly fresh: KernelMessage.IMessage[]; readonly stale: KernelMessage.IMessage[] } {
    const entries = this.#entries;
    this.#entries = [];
    this.#bytes = 0;
    const oldest = now - HELD_MS;
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
