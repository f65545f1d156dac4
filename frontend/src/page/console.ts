/** The console: what the page's kernel prints outside of any output widget, at the foot of the page. */
import type { DOMWidgetModel, DOMWidgetView } from "@jupyter-widgets/base";
import type { IOutput } from "@jupyterlab/nbformat";
import { Widget } from "@lumino/widgets";
import type { WidgetManager } from "./manager";
import { loadStyle } from "./styles";

/** How much there is to read: lines of text, and things that were displayed. Pure. */
export function countOf(outputs: readonly IOutput[]): number {
  return outputs.reduce((sum, { output_type, text }) => {
    if (output_type !== "stream" || typeof text !== "string") return sum + 1;
    return sum + text.replace(/\n$/, "").split("\n").length;
  }, 0);
}

/** A badge that opens a panel with the view of an output widget; nothing while that widget is empty. */
export class Console {
  readonly #manager: WidgetManager;
  readonly #badge = button("solara-console-badge", "");
  readonly #clear = button("solara-notice-action", "Clear");
  readonly #close = button("solara-notice-action", "Close");
  readonly #panel = document.createElement("section");
  readonly #log = document.createElement("div");
  #id: string | null = null;
  #shown: { readonly model: DOMWidgetModel; readonly view: DOMWidgetView } | null = null;
  /** Whether the newest is in sight, and should stay so. */
  #atEnd = true;

  constructor(manager: WidgetManager, signal: AbortSignal) {
    this.#manager = manager;
    this.#panel.className = "solara-console";
    this.#panel.id = "solara-console";
    this.#panel.setAttribute("aria-label", "Output");
    this.#log.className = "solara-console-log";
    this.#log.setAttribute("role", "log");
    this.#log.setAttribute("aria-label", "Output");
    this.#log.tabIndex = 0; // a keyboard can scroll it
    const title = document.createElement("h2");
    title.textContent = "Output";
    const bar = document.createElement("header");
    bar.append(title, this.#clear, this.#close);
    this.#panel.append(bar, this.#log);
    this.#badge.setAttribute("aria-controls", this.#panel.id);
    this.#open(false);
    this.#badge.hidden = true;
    document.body.append(this.#badge, this.#panel);

    this.#badge.addEventListener("click", () => this.#open(true), { signal });
    this.#close.addEventListener("click", () => this.#open(false), { signal });
    this.#clear.addEventListener("click", () => this.#forgetAll(), { signal });
    this.#panel.addEventListener("keydown", ({ key }) => key === "Escape" && this.#open(false), { signal });
    const log = this.#log;
    log.addEventListener("scroll", () => this.#scrolled(), { signal });
    new ResizeObserver(() => {
      if (this.#atEnd) log.scrollTop = log.scrollHeight;
    }).observe(log.appendChild(document.createElement("div")));
  }

  /** Show what that output widget has; none where there is null. */
  async show(id: string | null): Promise<void> {
    if (id === this.#id) return;
    this.#id = id;
    this.#shown?.model.off("change:outputs", this.#changed);
    this.#shown?.view.remove();
    this.#shown = null;
    this.#changed();
    if (id === null || !this.#manager.has_model(id)) return;
    const model = (await this.#manager.get_model(id)) as DOMWidgetModel;
    const [view] = await Promise.all([this.#manager.create_view(model), loadStyle("console")]);
    if (this.#id !== id) {
      view.remove();
      return;
    }
    this.#shown = { model, view };
    Widget.attach(view.luminoWidget, this.#log.firstElementChild as HTMLElement);
    model.on("change:outputs", this.#changed);
    this.#changed();
  }

  readonly #changed = (): void => {
    const count = countOf(this.#shown?.model.get("outputs") ?? []);
    this.#badge.textContent = `Output (${count})`;
    const isOpen = !this.#panel.hidden;
    this.#badge.hidden = isOpen || count === 0;
    if (isOpen && this.#shown === null) this.#open(false);
  };

  #open(open: boolean): void {
    const hadFocus = this.#panel.contains(document.activeElement);
    this.#panel.hidden = !open;
    document.body.classList.toggle("solara-console-is-open", open);
    this.#badge.setAttribute("aria-expanded", String(open));
    this.#changed();
    if (open) {
      this.#atEnd = true;
      this.#log.focus();
    } else if (hadFocus) this.#badge.focus();
  }

  /** The kernel forgets it too, or it would be back with the next line. */
  #forgetAll(): void {
    const model = this.#shown?.model;
    model?.set("outputs", []);
    model?.save_changes();
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    this.#atEnd = scrollTop + clientHeight > scrollHeight - 8;
  }
}

function button(className: string, text: string): HTMLButtonElement {
  const element = document.createElement("button");
  element.type = "button";
  element.className = className;
  element.textContent = text;
  return element;
}
