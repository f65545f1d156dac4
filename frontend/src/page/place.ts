/** Where a person is on a page: what is scrolled, and what has the focus. By position, as the next page is like this one. */

/** Children by number, from the page's root element down. */
type Path = readonly number[];

export interface Place {
  readonly window: readonly [number, number];
  readonly height: number;
  readonly scrolled: readonly { readonly path: Path; readonly left: number; readonly top: number }[];
  readonly focused: { readonly path: Path; readonly selection: readonly [number, number] | null } | null;
}

/** For so long a page may take to be as high as the one before: plots and pictures come later than the rest. */
const SETTLES_WITHIN_MS = 1_000;
const OWN_WAYS = ["wheel", "pointerdown", "keydown", "touchstart"] as const;

export function placeOf(root: HTMLElement): Place {
  const scrolled = [root, ...root.querySelectorAll("*")].filter((it) => it.scrollTop || it.scrollLeft);
  const focused = root.ownerDocument.activeElement;
  return {
    window: [window.scrollX, window.scrollY],
    height: root.offsetHeight,
    scrolled: scrolled.map((it) => ({ path: pathTo(root, it), left: it.scrollLeft, top: it.scrollTop })),
    focused:
      focused && focused !== root && root.contains(focused)
        ? { path: pathTo(root, focused), selection: selectionOf(focused) }
        : null,
  };
}

/**
 * Go there, on what the root element shows now, and stay while that is still being drawn; unless the person goes elsewhere.
 */
export function goTo(root: HTMLElement, place: Place): void {
  const before = root.style.minHeight;
  root.style.minHeight = `${place.height}px`;
  const settle = () => {
    scroll(root, place);
    focus(root, place);
  };
  settle();
  // The children of a box come after it, and what is in a plot after both.
  const drawn = new MutationObserver(settle);
  drawn.observe(root, { childList: true, subtree: true });
  const moved = new ResizeObserver(settle);
  for (const child of root.children) moved.observe(child);
  const done = new AbortController();
  const end = () => {
    clearTimeout(timer);
    done.abort();
    drawn.disconnect();
    moved.disconnect();
    root.style.minHeight = before;
  };
  const timer = setTimeout(end, SETTLES_WITHIN_MS);
  for (const type of OWN_WAYS) window.addEventListener(type, end, { signal: done.signal, passive: true });
}

function scroll(root: HTMLElement, { window: [x, y], scrolled }: Place): void {
  for (const { path, left, top } of scrolled) {
    const element = at(root, path);
    if (element) Object.assign(element, { scrollLeft: left, scrollTop: top });
  }
  if (window.scrollX !== x || window.scrollY !== y) window.scrollTo(x, y);
}

function focus(root: HTMLElement, { focused }: Place): void {
  // Somebody who is elsewhere by now, in a dialog for example, stays there.
  if (!focused || root.ownerDocument.activeElement !== root.ownerDocument.body) return;
  const element = at(root, focused.path);
  if (!(element instanceof HTMLElement)) return;
  element.focus({ preventScroll: true });
  if (focused.selection && hasText(element)) element.setSelectionRange(...focused.selection);
}

function selectionOf(element: Element): readonly [number, number] | null {
  if (!hasText(element)) return null;
  const { selectionStart: from, selectionEnd: to } = element;
  return from === null || to === null ? null : [from, to];
}

/** Of other inputs, a browser refuses to say or set what is selected. */
function hasText(element: Element): element is HTMLInputElement | HTMLTextAreaElement {
  if (element instanceof HTMLTextAreaElement) return true;
  return element instanceof HTMLInputElement && element.selectionStart !== null;
}

function pathTo(root: Element, element: Element): Path {
  const path: number[] = [];
  for (let it = element; it !== root && it.parentElement; it = it.parentElement) {
    path.unshift([...it.parentElement.children].indexOf(it));
  }
  return path;
}

function at(root: Element, path: Path): Element | null {
  let element: Element | undefined = root;
  for (const number of path) element = element?.children[number];
  return element ?? null;
}
