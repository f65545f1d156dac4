/** The words that page and server have with each other about their stream of messages: text frames, JSON. */

/** The subprotocol that has them; its binary frames are messages in Jupyter's framing `v1.kernel.websocket.jupyter.org`. */
export const PROTOCOL = "solara_ctx.resume.v1";

/** How much of what was sent is kept until the server has acknowledged it, and for how long without a connection. */
export interface Keep {
  readonly messages: number;
  readonly bytes: number;
  readonly ms: number;
}

export interface Welcome {
  readonly type: "welcome";
  readonly stream: string;
  /** How many messages of the page the server has seen. */
  readonly seen: number;
  /** After how many messages of its own it goes on. */
  readonly from: number;
  /** Why something is missing in between; null where nothing is. */
  readonly resync: string | null;
  /** When nothing comes for longer than this, the connection is dead; null where that cannot be told. */
  readonly silenceMs: number | null;
  readonly keep: Keep;
}

export type Word =
  | Welcome
  | { readonly type: "ack"; readonly seen: number }
  | { readonly type: "alive" }
  | { readonly type: "draining"; readonly delayMs: number };

/** Read a word of the server; null where it is none that this page knows. */
export function readWord(text: string): Word | null {
  let word: Record<string, unknown>;
  try {
    word = JSON.parse(text);
  } catch {
    return null;
  }
  switch (word?.type) {
    case "alive":
      return { type: "alive" };
    case "ack":
      return isCount(word.seen) ? { type: "ack", seen: word.seen } : null;
    case "draining":
      return isAmount(word.delay) ? { type: "draining", delayMs: word.delay * 1000 } : null;
    case "welcome":
      return readWelcome(word);
    default:
      return null;
  }
}

function readWelcome({ stream, seen, from, resync, silence, keep }: Record<string, unknown>): Welcome | null {
  if (typeof stream !== "string" || !isCount(seen) || !isCount(from)) return null;
  const { messages, bytes, seconds } = (keep ?? {}) as Record<string, unknown>;
  if (!isCount(messages) || !isCount(bytes) || !isAmount(seconds)) return null;
  return {
    type: "welcome",
    stream,
    seen,
    from,
    resync: typeof resync === "string" ? resync : null,
    silenceMs: isAmount(silence) ? silence * 1000 : null,
    keep: { messages, bytes, ms: seconds * 1000 },
  };
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isCount(value: unknown): value is number {
  return isAmount(value) && Number.isInteger(value);
}

export function hello(stream: string | null, seen: number): string {
  return JSON.stringify({ type: "hello", stream, seen });
}

export function ack(seen: number): string {
  return JSON.stringify({ type: "ack", seen });
}

export const PING = JSON.stringify({ type: "ping" });
