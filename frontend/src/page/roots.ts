/** The widgets that a page shows, in order, in each of its places. */
import type { DOMWidgetModel, DOMWidgetView } from "@jupyter-widgets/base";
import { MessageLoop } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import { MAIN, type Places } from "../places";
import type { WidgetManager } from "./manager";
import { goTo, type Place, placeOf } from "./place";

/** The roots of all places. */
export class AllRoots {
  readonly #byPlace: ReadonlyMap<string, Roots>;

  constructor(manager: WidgetManager, places: Places, signal: AbortSignal) {
    this.#byPlace = new Map([...places.byName].map(([name, place]) => [name, new Roots(manager, place, signal)]));
  }

  /**
   * Show these widgets, by the names of their places, and no others.
   *
   * @param again They are what another run of the same page shows: whoever looks at it stays where they are.
   */
  async show(ids: Readonly<Record<string, readonly string[]>>, again = false): Promise<void> {
    for (const name of Object.keys(ids)) {
      if (this.#byPlace.has(name) || !ids[name]?.length) continue;
      const attribute = name === MAIN ? "data-solara-root" : `data-solara-root="${name}"`;
      throw new Error(`this page has widgets for "${name}", and no element with ${attribute} to put them into`);
    }
    const all = [...this.#byPlace];
    for (const [, roots] of all) roots.remember();
    await Promise.all(all.map(([name, roots]) => roots.show(ids[name] ?? [])));
    if (again) for (const [, roots] of all) roots.goBack();
  }
}

/** The roots of one place. */
class Roots {
  readonly #manager: WidgetManager;
  readonly #container: HTMLElement;
  /** By id and occurrence: one widget may be shown twice. */
  #views = new Map<string, DOMWidgetView>();
  /** Where the person was when that was noted. */
  #place: Place | null = null;

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

  /** Note where the person is, if there is something to be at. */
  remember(): void {
    if (this.#views.size) this.#place = placeOf(this.#container);
  }

  /** Go where the person was. */
  goBack(): void {
    if (this.#views.size && this.#place) goTo(this.#container, this.#place);
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
