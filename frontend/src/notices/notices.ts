/** Shows the state of the connection: nothing while all is well, and as little as possible otherwise. */
import type { ConnectionState, PageError } from "../connection/state";
import * as words from "./words";

/** A connection that is made in less than this needs no word about it. */
export const CONNECTING_AFTER_MS = 300;
/** Nor does an interruption shorter than this. */
export const RECONNECTING_AFTER_MS = 1_500;

export interface NoticesPorts {
  readonly document: Document;
  /** Where the page's widgets are; they carry the state for styles and tests, as data-solara-state. */
  readonly roots: readonly HTMLElement[];
  tryNow(): void;
  startAfresh(): void;
}

export class Notices {
  readonly #ports: NoticesPorts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shown: { readonly kind: string; readonly element: HTMLElement; readonly text: HTMLElement } | null = null;
  #awaited: string | null = null;
  /** Screen readers speak what comes into an element that they know already. */
  readonly #live: HTMLElement;

  constructor(ports: NoticesPorts) {
    this.#ports = ports;
    this.#live = this.#element("div", "solara-live");
    this.#live.setAttribute("role", "status");
    ports.document.body.append(this.#live);
  }

  /** Show the state. */
  show(state: ConnectionState): void {
    const failed = state.kind === "open" && state.page.status === "error";
    for (const root of this.#ports.roots) {
      root.dataset.solaraState = failed ? "error" : state.kind;
      root.setAttribute("aria-busy", String(state.kind === "connecting"));
      // Nothing that is clicked in an ended page can have an effect, and the page should not pretend otherwise.
      root.inert = state.kind === "ended";
    }
    switch (state.kind) {
      case "open":
        this.#clear();
        if (state.page.status === "error") this.#place("error", this.#pageFailed(state.page.error));
        break;
      case "connecting":
        this.#status("connecting", words.wordsForConnecting(state), CONNECTING_AFTER_MS, state.failures > 0);
        break;
      case "reconnecting":
        this.#status("reconnecting", words.wordsForReconnecting(state), RECONNECTING_AFTER_MS, true);
        break;
      case "ended":
        this.#clear();
        this.#place("ended", this.#panel(words.wordsForEnd(state.reason), words.START_AFRESH));
        break;
    }
  }

  /** A part of the page's own program did not arrive: there is nothing to wait for. */
  notLoaded(): void {
    this.#clear();
    for (const root of this.#ports.roots) root.dataset.solaraState = "error";
    this.#place("error", this.#panel(words.NOT_LOADED, words.TRY_AGAIN));
  }

  /** A line about work in progress, after a moment. A line that is already there changes its words only. */
  #status(kind: string, text: string, afterMs: number, canTryNow: boolean): void {
    if (this.#shown?.kind === kind) {
      if (this.#shown.text.textContent !== text) this.#shown.text.textContent = text;
      if (canTryNow && !this.#shown.element.querySelector("button")) this.#shown.element.append(this.#tryNow());
      return;
    }
    const show = () => {
      this.#clear();
      const element = this.#element("div", `solara-notice solara-notice-${kind}`);
      const dot = this.#element("span", "solara-notice-dot");
      dot.setAttribute("aria-hidden", "true");
      const label = this.#element("span", "", text);
      element.append(dot, label);
      if (canTryNow) element.append(this.#tryNow());
      this.#place(kind, element, { text: label, parent: this.#live });
    };
    // Each failed attempt brings new words; none of them may start the moment anew.
    if (this.#awaited === kind) {
      this.#show = show;
      return;
    }
    this.#clear();
    this.#awaited = kind;
    this.#show = show;
    this.#timer = setTimeout(() => this.#show(), afterMs);
  }

  #show: () => void = () => {};

  #clear(): void {
    clearTimeout(this.#timer);
    this.#awaited = null;
    this.#shown?.element.remove();
    this.#shown = null;
  }

  #place(kind: string, element: HTMLElement, { text = element, parent = this.#ports.document.body } = {}): void {
    this.#shown = { kind, element, text };
    parent.append(element);
  }

  #panel({ title, text }: words.Words, action: string): HTMLElement {
    const panel = this.#element("section", "solara-panel");
    panel.setAttribute("role", "alert");
    const button = this.#button("solara-panel-action", action, () => this.#ports.startAfresh());
    panel.append(this.#element("h2", "", title), this.#element("p", "", text), button);
    return panel;
  }

  #pageFailed(error: PageError): HTMLElement {
    const panel = this.#panel(words.PAGE_FAILED, words.TRY_AGAIN);
    if (error.traceback !== null) {
      panel.querySelector("p")?.replaceWith(this.#element("p", "", words.PAGE_FAILED_DEBUG), ...this.#details(error));
      panel.classList.add("solara-panel-wide");
    }
    return panel;
  }

  /** What may be told of an error: how it came about, or its name at least. */
  #details(error: PageError): HTMLElement[] {
    const { traceback } = error;
    if (traceback === null) return [this.#element("p", "", error.ename)];
    const details = this.#element("div", "solara-traceback");
    details.append(this.#element("code", "solara-traceback-summary", `${error.ename}: ${error.evalue}`));
    // Not part of what every page loads; without it, the text will do.
    import("./traceback").then(
      ({ renderTraceback }) => renderTraceback(details, error),
      () => details.append(this.#element("pre", "", traceback)),
    );
    return [details];
  }

  #tryNow(): HTMLElement {
    return this.#button("solara-notice-action", words.TRY_NOW, () => this.#ports.tryNow());
  }

  #button(className: string, text: string, clicked: () => void): HTMLElement {
    const button = this.#element("button", className, text);
    button.setAttribute("type", "button");
    button.addEventListener("click", clicked);
    return button;
  }

  #element<K extends keyof HTMLElementTagNameMap>(tag: K, className: string, text?: string): HTMLElementTagNameMap[K] {
    const element = this.#ports.document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }
}
