/** Says that the kernel is at work, once that takes longer than a moment, and offers to stop it. */

/** A person takes what is done by then for immediate, and waits for it no longer than that without a word. */
export const BUSY_AFTER_MS = 1_000;

export interface BusyPorts {
  readonly document: Document;
  /** Asks for the end of what the kernel is doing. */
  interrupt(): void;
}

export class Busy {
  readonly #ports: BusyPorts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #element: HTMLElement | null = null;

  constructor(ports: BusyPorts) {
    this.#ports = ports;
  }

  /** Whether an answer of the kernel is awaited. */
  set(busy: boolean): void {
    if (!busy) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#element?.remove();
      this.#element = null;
    } else if (this.#timer === undefined) {
      this.#timer = setTimeout(() => this.#show(), BUSY_AFTER_MS);
    }
  }

  #show(): void {
    const { document, interrupt } = this.#ports;
    const dot = document.createElement("span");
    dot.className = "solara-notice-dot";
    dot.setAttribute("aria-hidden", "true");
    const text = document.createElement("span");
    text.textContent = "Working…";
    const stop = document.createElement("button");
    stop.type = "button";
    stop.className = "solara-notice-action";
    stop.textContent = "Stop";
    stop.addEventListener("click", () => {
      // What waits inside a function of C ends first: the page goes on saying that there is work.
      text.textContent = "Stopping…";
      stop.remove();
      interrupt();
    });
    const element = document.createElement("div");
    element.className = "solara-notice solara-notice-busy";
    element.setAttribute("role", "status");
    element.append(dot, text, stop);
    document.body.append(element);
    this.#element = element;
  }
}
