/** The app's code has changed, and can't be loaded: said beside the page, which is the old one. */
import type { PageError } from "../connection/state";
import { renderTraceback } from "./traceback";

const TITLE = "The changed code could not be loaded";
const TEXT = "The page behind this is the old one. It is replaced by itself, once the code can be loaded.";
const HIDE = "Hide";

export class CodeErrorPanel {
  readonly #document: Document;
  #panel: HTMLElement | null = null;

  constructor(document: Document) {
    this.#document = document;
  }

  /** Say it; or no more, without an error. */
  show(error: PageError | null): void {
    this.#panel?.remove();
    this.#panel = null;
    if (!error) return;
    const panel = this.#make("section", "solara-panel solara-panel-wide solara-panel-code");
    panel.setAttribute("role", "alert");
    const details = this.#make("div", "solara-traceback");
    if (error.traceback === null) details.append(this.#make("code", "solara-traceback-summary", error.ename));
    else renderTraceback(details, error);
    const hide = this.#make("button", "solara-panel-action", HIDE);
    hide.setAttribute("type", "button");
    hide.addEventListener("click", () => panel.remove());
    panel.append(this.#make("h2", "", TITLE), this.#make("p", "", TEXT), details, hide);
    this.#panel = panel;
    this.#document.body.append(panel);
  }

  #make(tag: string, className: string, text = ""): HTMLElement {
    const element = this.#document.createElement(tag);
    element.className = className;
    element.textContent = text;
    return element;
  }
}
