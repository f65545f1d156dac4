/**
 * From one page of the app to another without leaving the document: the kernel stays, and shows another page.
 *
 * Links to pages that the server has named are followed so, and the browser's own way back and forth. All else is the
 * browser's: other origins, other templates, files, new tabs, and whatever is clicked while there is no connection.
 */
import { locationBelow } from "../connection/address";

export interface NavigationPorts {
  readonly window: Window;
  /** Where the app is mounted; begins and ends with "/". */
  readonly baseUrl: string;
  /** Paths below the mount whose pages may take the place of this one. */
  readonly pages: readonly string[];
  /** What gets the focus when there is another page. */
  readonly root: HTMLElement;
  /** Ask the kernel for another page; false where nobody hears. */
  ask(path: string, query: string): boolean;
}

interface Position {
  readonly x: number;
  readonly y: number;
}

export class Navigation {
  readonly #ports: NavigationPorts;
  readonly #pages: ReadonlySet<string>;
  /** Where the document shall be scrolled to once the page is shown that was asked for; null where it is to stay. */
  #goal: Position | "start" | null = null;
  /** Path and query below the mount of what was asked for last, or is shown. */
  #here: string;

  constructor(ports: NavigationPorts, signal: AbortSignal) {
    this.#ports = ports;
    this.#pages = new Set(ports.pages);
    this.#here = locationBelow(ports.baseUrl, ports.window.location);
    if (this.#pages.size === 0) return;
    ports.window.document.addEventListener("click", (event) => this.#clicked(event), { signal });
    ports.window.addEventListener("popstate", (event) => this.#wentBack(event), { signal });
  }

  /** The kernel is about to show that page: it was asked to, or its own code wants it. */
  navigated(path: string, query: string): void {
    const { baseUrl, window } = this.#ports;
    const url = new URL(baseUrl + path.slice(1) + (query && `?${query}`), window.location.href);
    const there = locationBelow(baseUrl, url);
    if (plain(there) === plain(this.#here)) return;
    this.#here = there;
    this.#goal = "start";
    this.#push(url.href);
  }

  /** Whether what is shown next is another page. */
  get isUnderWay(): boolean {
    return this.#goal !== null;
  }

  /** What was asked for is on the screen. */
  shown(): void {
    const goal = this.#goal;
    if (goal === null) return;
    this.#goal = null;
    const { root } = this.#ports;
    // Else a keyboard or a screen reader would go on from a link that is no longer there.
    if (!root.hasAttribute("tabindex")) root.tabIndex = -1;
    root.focus({ preventScroll: true });
    this.#scrollTo(goal);
  }

  #scrollTo(goal: Position | "start"): void {
    const target = goal === "start" ? this.#hashTarget() : null;
    const { x, y } = goal === "start" ? { x: 0, y: 0 } : goal;
    if (target) target.scrollIntoView();
    else this.#ports.window.scrollTo(x, y);
  }

  #clicked(event: MouseEvent): void {
    const url = this.#followed(event);
    if (!url) return;
    const { baseUrl, window } = this.#ports;
    const there = locationBelow(baseUrl, url);
    // To another place of this page, if only to its top: the browser knows how.
    if (there === this.#here && url.href.includes("#")) {
      if (url.hash !== window.location.hash) this.#remember();
      return;
    }
    if (!this.#ask(url)) return;
    event.preventDefault();
    this.#goal = "start";
    if (url.href === window.location.href) return;
    this.#push(url.href);
    this.#here = there;
  }

  /** The address of a link that a click follows in this document, to a page of ours. */
  #followed(event: MouseEvent): URL | null {
    if (event.defaultPrevented || event.button !== 0) return null;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return null;
    const link = event.composedPath().find((it): it is HTMLAnchorElement => it instanceof HTMLAnchorElement);
    if (!link?.href || link.hasAttribute("download") || !["", "_self"].includes(link.target)) return null;
    const url = new URL(link.href);
    const { baseUrl, window } = this.#ports;
    if (url.origin !== window.location.origin) return null;
    const isBelow = url.pathname.startsWith(baseUrl) || `${url.pathname}/` === baseUrl;
    return isBelow && this.#pages.has(pathBelow(baseUrl, url)) ? url : null;
  }

  #wentBack({ state }: PopStateEvent): void {
    const { window, baseUrl } = this.#ports;
    const there = locationBelow(baseUrl, window.location);
    if (there === this.#here) {
      // To another place of this page, by a link or back, which the browser leaves to us once it was told so.
      const position = positionIn(state);
      if (position) this.#scrollTo(position);
      else if (window.history.scrollRestoration === "manual") this.#hashTarget()?.scrollIntoView();
      return;
    }
    this.#here = there;
    this.#goal = positionIn(state) ?? { x: 0, y: 0 };
    // Nobody there to ask, or of another template: as if it were loaded for the first time.
    if (!this.#ask(window.location)) window.location.reload();
  }

  #ask(location: Pick<Location, "pathname" | "search">): boolean {
    const path = pathBelow(this.#ports.baseUrl, location);
    return this.#pages.has(path) && this.#ports.ask(path, location.search.slice(1));
  }

  /** A new place in the history. */
  #push(url: string): void {
    const { history } = this.#ports.window;
    history.scrollRestoration = "manual"; // the browser would do it before the page is there
    this.#remember();
    history.pushState({}, "", url);
  }

  /** Note in the history how far this place of it is scrolled. */
  #remember(): void {
    const { history, scrollX: x, scrollY: y } = this.#ports.window;
    history.replaceState({ ...history.state, solara: { x, y } }, "");
  }

  #hashTarget(): Element | null {
    const { document, location } = this.#ports.window;
    const id = decoded(location.hash.slice(1), decodeURIComponent);
    return id ? document.getElementById(id) : null;
  }
}

function pathBelow(baseUrl: string, location: Pick<Location, "pathname">): string {
  return decoded(locationBelow(baseUrl, { pathname: location.pathname, search: "" }), decodeURI);
}

/** The same for each way to write an address: the server encodes other characters of a path than a browser. */
function plain(location: string): string {
  const [path = ""] = location.split("?");
  return decoded(path, decodeURIComponent) + location.slice(path.length);
}

/** As it is where it cannot be decoded: an address may be anything. */
function decoded(text: string, decode: (text: string) => string): string {
  try {
    return decode(text);
  } catch {
    return text;
  }
}

function positionIn(state: unknown): Position | null {
  if (typeof state !== "object" || state === null || !("solara" in state)) return null;
  const { x, y } = state.solara as Record<string, unknown>;
  return typeof x === "number" && typeof y === "number" ? { x, y } : null;
}
