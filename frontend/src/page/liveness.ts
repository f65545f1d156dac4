/**
 * Finds out whether a connection that looks open still is.
 *
 * A browser does not notice that its network has gone, or that the laptop slept while a router forgot the connection: the
 * socket stays open, and what is clicked goes nowhere, for minutes. So at moments when that is likely the page asks for a
 * sign of life.
 */

/** A connection that was heard of this recently needs no asking. */
export const RECENT_MS = 30_000;
/** No answer in this time means no connection. */
export const PATIENCE_MS = 10_000;

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

  constructor(ports: LivenessPorts) {
    this.#ports = ports;
    this.#heardAt = ports.now();
  }

  /** Something came. */
  heard(): void {
    this.#heardAt = this.#ports.now();
    this.stop();
  }

  /** Make sure that the connection is alive. Does nothing while it is being made sure of. */
  check(): void {
    if (this.#patience !== undefined || this.#ports.now() - this.#heardAt < RECENT_MS) return;
    this.#patience = setTimeout(() => {
      this.#patience = undefined;
      this.#ports.giveUp();
    }, PATIENCE_MS);
    this.#ports.ask();
  }

  /** The connection is gone, and with it the question. */
  stop(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
  }
}
