/** Where widgets go in the page: the elements with `data-solara-root`, by their names. */

/** The place of what a page function returns without a name. */
export const MAIN = "main";
const ROOT_ID = "solara-app";

export interface Places {
  /** Stands for the page as a whole: the place of what has no name, or else the first. */
  readonly root: HTMLElement;
  readonly byName: ReadonlyMap<string, HTMLElement>;
}

/** The places of a page; throws where it has none, or two of one name. */
export function findPlaces(document: Document): Places {
  const byName = new Map<string, HTMLElement>();
  for (const element of document.querySelectorAll<HTMLElement>("[data-solara-root]")) {
    const name = element.dataset.solaraRoot || MAIN;
    if (byName.has(name)) throw new Error(`this page has two elements with data-solara-root="${name}"`);
    byName.set(name, element);
  }
  const root = byName.get(MAIN) ?? [...byName.values()][0];
  if (!root) throw new Error("this page has no element with data-solara-root");
  // Whoever waits for a page, such as a test, knows it by this, whatever its template.
  if (!document.getElementById(ROOT_ID)) root.id ||= ROOT_ID;
  return { root, byName };
}
