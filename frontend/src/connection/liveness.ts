/**
 * Finds out whether a connection that looks open still is.
 *
 * A browser does not notice that its network has gone, or that the laptop slept while a router forgot the connection: the
 * socket stays open, and what is clicked goes nowhere, for minutes. The server says something now and then; where it does
 * not, the connection is dead. And at moments when that is likely, the page asks for a sign of life.
 */

/** A connection that was heard of this recently needs no asking. */
export const RECENT_MS = 5_000;
/** No answer in this time means no connection. */
export const PATIENCE_MS = 5_000;

export interface LivenessPorts {
  /** Ask for something that is always answered. */
  ask(): void;
  /** Nothing came: give the connection up. */
  giveUp(): void;
  /** Milliseconds of the wall clock: others stand still while a laptop sleeps. */
  now(): number;
}

export class Liveness {
  readonly #ports: LivenessPorts;
  #heardAt: number;
  #patience: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;

  constructor(ports: LivenessPorts) {
    this.#ports = ports;
    this.#heardAt = ports.now();
  }

  /** Something came. */
  heard(): void {
    this.#heardAt = this.#ports.now();
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }

  /** Something has to come now. Does nothing while it is being waited for. */
  expect(within = PATIENCE_MS): void {
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      this.#ports.giveUp();
    }, within);
  }

  /** Make sure that the connection is alive. */
  check(): void {
    const since = this.#ports.now() - this.#heardAt;
    // A wall clock may have been set back; then nothing is known.
    if (this.#patience !== undefined || (since >= 0 && since < RECENT_MS)) return;
    this.expect();
    this.#ports.ask();
  }

  /** Give the connection up once nothing has come for `silence` milliseconds; one timer, however much comes. */
  watch(silence: number): void {
    clearTimeout(this.#watch);
    const now = this.#ports.now();
    this.#heardAt = Math.min(this.#heardAt, now); // a wall clock may have been set back
    this.#watch = setTimeout(
      () => {
        this.#watch = undefined;
        if (this.#ports.now() - this.#heardAt < silence) this.watch(silence);
        else this.#ports.giveUp();
      },
      Math.max(0, this.#heardAt + silence - now),
    );
  }

  /** The connection is gone, and with it the question. */
  stop(): void {
    clearTimeout(this.#patience);
    clearTimeout(this.#watch);
    this.#patience = this.#watch = undefined;
  }
}
