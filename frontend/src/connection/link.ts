/**
 * Keeps one websocket to the kernel, for as long as the page lives and the kernel has not ended.
 *
 * The policy is ours and not KernelConnection's, which gives up after seven attempts, asks the REST API in between and
 * takes 1001 for the end. Connections are numbered by identity: what a superseded socket says reaches nobody.
 */
import { waitBefore } from "./backoff";
import { pause } from "./pause";
import { type Ending, interpretEnding, isFaultless, type Verdict } from "./verdict";

/** One open websocket. */
export interface Connection {
  /** Send a frame; false where the socket is already on its way down and the frame went nowhere. */
  send(frame: string | ArrayBuffer): boolean;
  /** Give this socket up, as if the network had lost it. */
  drop(): void;
  /** When this socket has ended, wait so many milliseconds before the next attempt, unless somebody is looking. */
  rest(ms: number): void;
  /** What came over it is on the screen. */
  shown(): void;
}

/** Who is told. The calls are strictly `opened (frame)* lost`, over and over. */
export interface LinkListener {
  opened(connection: Connection): void;
  frame(data: string | ArrayBuffer): void;
  /** @param code The close code; 1006 where the network has lost it. */
  lost(code: number): void;
}

/** What the link needs of the world. */
export interface LinkPorts {
  /** @param refused Handshakes that came to nothing so far. */
  connect(refused: number): WebSocket;
  /** Ask over HTTP what became of the kernel. Never rejects. */
  probe(signal: AbortSignal): Promise<Exclude<Verdict, { kind: "ask" }>>;
  random(): number;
  /** Milliseconds, monotonic. */
  now(): number;
}

export interface LinkEvents {
  /** A connection, or an attempt at one, came to nothing. */
  lost(): void;
  /** It will be made again. `full`: the server has no room for more sessions now. */
  waiting(full: boolean): void;
  ended(reason: string): void;
}

/** What became of one connection. */
interface Connected {
  readonly ending: Ending;
  readonly lived: number;
  /** Whether what came over it was shown. */
  readonly shown: boolean;
  /** How long the server has asked to wait. */
  readonly rest: number | null;
}

/** A handshake that takes longer than this has met a black hole; the browser itself would wait for minutes. */
export const HANDSHAKE_LIMIT_MS = 20_000;
/** A connection that lived this long was a good one: the next wait begins at the beginning. */
export const GOOD_AFTER_MS = 5_000;
/** After so many restarts in a row, none of which brought a page to the screen, "at once" is not believed any more. */
const HASTY_RESTARTS = 2;
/** A network that flaps is no reason for long waits; a server that drops each connection at once is one for short ones. */
const MOST_AFTER_OPENED = 3;
/** A wake-up call gives up a handshake older than this: the network it began on is probably not there any more. */
const STALE_HANDSHAKE_MS = 2_000;

export class Link {
  readonly #ports: LinkPorts;
  readonly #events: LinkEvents;
  readonly #listener: LinkListener;
  #wake = new AbortController();
  #handshake: { readonly since: number; giveUp(): void } | null = null;

  constructor(ports: LinkPorts, events: LinkEvents, listener: LinkListener) {
    this.#ports = ports;
    this.#events = events;
    this.#listener = listener;
  }

  /** The network is back, or somebody is looking: do not wait any longer. */
  wake(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
    if (this.#handshake && this.#ports.now() - this.#handshake.since > STALE_HANDSHAKE_MS) this.#handshake.giveUp();
  }

  /** Connect, and connect again, until the kernel has ended or the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let restarts = 0; // in a row, without the page having been shown in between
    let refused = 0;
    while (!signal.aborted) {
      const { ending, lived, shown, rest } = await this.#connection(refused, signal);
      if (signal.aborted) return;
      const good = shown || lived >= GOOD_AFTER_MS;
      if (good) restarts = 0;
      // A page that is shown and then cut off for what it did, or for being too slow, would do the same again.
      if (lived >= GOOD_AFTER_MS || (shown && isFaultless(ending.code))) failures = 0;
      else if (ending.opened) failures = Math.min(failures, MOST_AFTER_OPENED);
      else refused += 1;
      let verdict = interpretEnding(ending);
      if (verdict.kind === "ended") return this.#events.ended(verdict.reason);
      this.#events.lost();
      if (verdict.kind === "ask") verdict = await this.#ports.probe(signal);
      if (signal.aborted) return;
      if (verdict.kind === "ended") return this.#events.ended(verdict.reason);
      this.#events.waiting(verdict.kind === "later" && verdict.full);
      if (rest !== null && verdict.kind === "later") {
        await pause(rest, signal, this.#wake.signal);
        continue;
      }
      let count: number;
      if (verdict.kind === "now") {
        if (!good) restarts += 1;
        // A server that says nothing but "restart" must not be hammered.
        if (restarts <= HASTY_RESTARTS) continue;
        count = restarts - HASTY_RESTARTS - 1;
      } else {
        count = failures++;
      }
      await pause(waitBefore(count, this.#ports.random), signal, this.#wake.signal);
    }
  }

  /** One socket, from its handshake to its end. */
  #connection(refused: number, signal: AbortSignal): Promise<Connected> {
    return new Promise((resolve) => {
      const socket = this.#ports.connect(refused);
      socket.binaryType = "arraybuffer";
      const scope = new AbortController();
      const since = this.#ports.now();
      let openedAt: number | null = null;
      let shown = false;
      let rest: number | null = null;

      const end = (code: number, reason: string) => {
        if (scope.signal.aborted) return;
        scope.abort();
        clearTimeout(limit);
        this.#handshake = null;
        const opened = openedAt !== null;
        const lived = openedAt === null ? 0 : this.#ports.now() - openedAt;
        if (opened) this.#listener.lost(code);
        resolve({ ending: { opened, code, reason }, lived, shown, rest });
      };
      const giveUp = () => {
        end(1006, "");
        socket.close();
      };
      const limit = setTimeout(giveUp, HANDSHAKE_LIMIT_MS);
      this.#handshake = { since, giveUp };

      const listening = { signal: scope.signal };
      socket.addEventListener(
        "open",
        () => {
          clearTimeout(limit);
          this.#handshake = null;
          openedAt = this.#ports.now();
          this.#listener.opened({
            send: (frame) => {
              if (socket.readyState !== socket.OPEN) return false;
              socket.send(frame);
              return true;
            },
            drop: giveUp,
            rest: (ms) => {
              rest = ms;
            },
            shown: () => {
              shown = true;
            },
          });
        },
        listening,
      );
      socket.addEventListener("message", (event) => this.#listener.frame(event.data), listening);
      socket.addEventListener("close", (event) => end(event.code, event.reason), listening);
      signal.addEventListener("abort", giveUp, listening);
    });
  }
}
