/** The page's view of its connection, as a table of transitions. */

/** What the page function came to. */
export type PageResult = { readonly status: "ok" } | { readonly status: "error"; readonly error: PageError };

export interface PageError {
  readonly ename: string;
  /** Empty in production. */
  readonly evalue: string;
  /** As Python writes it. Only in debug mode. */
  readonly traceback: string | null;
  /** The same to look at: the error, and what it came of. Only in debug mode. */
  readonly explained?: readonly ErrorLink[];
}

export interface ErrorLink {
  readonly summary: string;
  /** How it led to the one before it; null for the first. */
  readonly how: "cause" | "context" | null;
  /** The outermost first. */
  readonly frames: readonly ErrorFrame[];
}

export interface ErrorFrame {
  readonly file: string;
  readonly line: number;
  readonly function: string | null;
  /** Whose code it is; null for the app's own. */
  readonly library: string | null;
  readonly source: readonly (readonly [number, string])[];
  /** The columns of its line that failed, from and to. */
  readonly mark: readonly [number, number] | null;
}

interface Trying {
  /** Attempts that failed so far. */
  readonly failures: number;
  /** Whether the server said that it has no room for more sessions now. */
  readonly full: boolean;
}

export type ConnectionState =
  /** Nothing has been shown yet. */
  | ({ readonly kind: "connecting" } & Trying)
  /** What is on the screen is what the kernel holds. */
  | { readonly kind: "open"; readonly page: PageResult }
  /** What is on the screen may be old. */
  | ({ readonly kind: "reconnecting" } & Trying)
  /** Final: the reason is one machine-readable word. */
  | { readonly kind: "ended"; readonly reason: string };

export type ConnectionEvent =
  /** The page has caught up with the kernel, for the first time or again. */
  | { readonly type: "caught-up"; readonly page: PageResult }
  | { readonly type: "lost" }
  | { readonly type: "waiting"; readonly full: boolean }
  | { readonly type: "ended"; readonly reason: string };

export const INITIAL: ConnectionState = { kind: "connecting", failures: 0, full: false };

/** The state that follows; the same object where nothing changes. */
export function next(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  if (state.kind === "ended") return state; // an ended kernel never comes back, and the first reason stands
  switch (event.type) {
    case "caught-up":
      return { kind: "open", page: event.page };
    case "ended":
      return { kind: "ended", reason: event.reason };
    case "lost":
      return state.kind === "open"
        ? { kind: "reconnecting", failures: 0, full: false }
        : { ...state, failures: state.failures + 1 };
    case "waiting":
      return state.kind === "open" || state.full === event.full ? state : { ...state, full: event.full };
  }
}

/** The one place where the state is kept and changed. */
export class ConnectionStore {
  #state: ConnectionState = INITIAL;
  readonly #changed: (state: ConnectionState) => void;

  /** @param changed Told of each new state, and at once of the first. */
  constructor(changed: (state: ConnectionState) => void) {
    this.#changed = changed;
    changed(this.#state);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  fire(event: ConnectionEvent): void {
    const state = next(this.#state, event);
    if (state === this.#state) return;
    this.#state = state;
    this.#changed(state);
  }
}
