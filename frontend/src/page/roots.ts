/** The widgets at the top of the page, in order. */
import type { DOMWidgetModel, DOMWidgetView } from "@jupyter-widgets/base";
import { MessageLoop } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import type { WidgetManager } from "./manager";

export class Roots {
  readonly #manager: WidgetManager;
  readonly #container: HTMLElement;
  /** By id and occurrence: one widget may be shown twice. */
  #views = new Map<string, DOMWidgetView>();

  constructor(manager: WidgetManager, container: HTMLElement, signal: AbortSignal) {
    this.#manager = manager;
    this.#container = container;
    window.addEventListener("resize", () => this.#resized(), { signal });
  }

  /**
   * Show these widgets and no others.
   *
   * Views that are already there stay as they are, with focus and scroll position. New ones are complete before the
   * first old one goes, so that nothing flickers.
   */
  async show(ids: readonly string[]): Promise<void> {
    const keys = ids.map((id, i) => `${id} ${ids.slice(0, i).filter((it) => it === id).length}`);
    const made = await Promise.all(ids.map(async (id, i) => this.#views.get(keys[i] ?? "") ?? this.#create(id)));
    const views = new Map(made.map((view, i) => [keys[i] ?? "", view]));
    const old = this.#views;
    this.#views = views;
    let place = this.#container.firstChild;
    for (const view of views.values()) {
      const { luminoWidget } = view;
      if (!luminoWidget.isAttached) Widget.attach(luminoWidget, this.#container, place as HTMLElement | null);
      else if (luminoWidget.node === place) place = place.nextSibling;
      else this.#container.insertBefore(luminoWidget.node, place);
    }
    for (const [key, view] of old) if (!views.has(key)) view.remove();
  }

  async #create(id: string): Promise<DOMWidgetView> {
    // get_model() would wait two seconds for it.
    if (!this.#manager.has_model(id)) throw new Error("the page names a widget that does not exist");
    const model = await this.#manager.get_model(id);
    return this.#manager.create_view(model as DOMWidgetModel);
  }

  #resized(): void {
    for (const view of this.#views.values()) {
      MessageLoop.postMessage(view.luminoWidget, Widget.ResizeMessage.UnknownSize);
    }
  }
}
