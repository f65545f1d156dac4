/**
 * An error of the app's code, with the lines of source that led to it: the app's own open, those of libraries folded.
 *
 * Where it was raised comes first, other than in a terminal, whose last line is what one sees.
 */
import type { ErrorFrame, PageError } from "../connection/state";

const COPY = "Copy";
const COPIED = "Copied";
/** After how long the button says its own word again. */
const COPIED_FOR_MS = 2_000;
const HOW = { cause: "It was raised from", context: "It was raised while this was handled:" } as const;

/** Show an error in an element, in the place of what it has. */
export function renderTraceback(element: HTMLElement, { traceback, explained }: PageError): void {
  const document = element.ownerDocument;
  const parts: HTMLElement[] = [];
  for (const { summary, how, frames } of explained ?? []) {
    if (how) parts.push(make(document, "p", "", HOW[how]));
    parts.push(make(document, "code", "solara-traceback-summary", summary), ...renderFrames(document, frames));
  }
  if (parts.length) element.replaceChildren(...parts);
  element.append(copyButton(document, traceback ?? ""));
}

function renderFrames(document: Document, frames: readonly ErrorFrame[]): HTMLElement[] {
  const groups: ErrorFrame[][] = [];
  for (const frame of frames.toReversed()) {
    const last = groups.at(-1);
    if (frame.library !== null && last?.[0] && last[0].library !== null) last.push(frame);
    else groups.push([frame]);
  }
  return groups.map((group) => {
    const [first] = group;
    if (first && first.library === null) return renderFrame(document, first);
    const folded = make(document, "details", "solara-traceback-folded");
    const libraries = [...new Set(group.map(({ library }) => String(library)))];
    folded.append(make(document, "summary", "", wordsForFolded(group.length, libraries)));
    folded.append(...group.map((frame) => renderFrame(document, frame)));
    // Nothing of the app's own would be open.
    folded.open = groups.length === 1;
    return folded;
  });
}

/** Whose frames are folded, and how many of them. */
function wordsForFolded(frames: number, libraries: readonly string[]): string {
  return `${frames} ${frames === 1 ? "frame" : "frames"} in ${libraries.join(", ")}`;
}

function renderFrame(document: Document, frame: ErrorFrame): HTMLElement {
  const { file, line, source, mark } = frame;
  const element = make(document, "section", "solara-traceback-frame");
  const place = make(document, "div", "solara-traceback-place");
  place.title = file;
  const shown = file.split(/[\\/]/).slice(-2).join("/");
  place.append(make(document, "b", "", `${shown}:${line}`));
  if (frame.function) place.append(` in ${frame.function}`);
  element.append(place);
  if (!source.length) return element;
  const code = make(document, "pre", "");
  // A long line scrolls; without this, a keyboard could not reach its end.
  code.tabIndex = 0;
  const width = String(source.at(-1)?.[0]).length;
  for (const [number, text] of source) {
    const failed = number === line;
    const row = make(document, "span", failed ? "solara-traceback-failed" : "");
    row.append(make(document, "span", "solara-traceback-number", `${String(number).padStart(width)}  `));
    if (failed && mark) {
      const [from, to] = mark;
      row.append(text.slice(0, from), make(document, "mark", "", text.slice(from, to) || " "), text.slice(to));
    } else row.append(text);
    row.append("\n");
    code.append(row);
  }
  element.append(code);
  return element;
}

/** Puts the text where it can be pasted from; also over plain http or in a frame, where a browser has no such function for it. */
function copyButton(document: Document, text: string): HTMLElement {
  const button = make(document, "button", "solara-traceback-copy", COPY);
  button.setAttribute("type", "button");
  button.addEventListener("click", async () => {
    try {
      await document.defaultView?.navigator.clipboard.writeText(text);
    } catch {
      copyBySelecting(document, button, text);
    }
    button.textContent = COPIED;
    setTimeout(() => {
      button.textContent = COPY;
    }, COPIED_FOR_MS);
  });
  return button;
}

function copyBySelecting(document: Document, beside: HTMLElement, text: string): void {
  const area = make(document, "textarea", "solara-live");
  area.value = text;
  beside.after(area);
  area.focus({ preventScroll: true });
  area.select();
  document.execCommand("copy");
  area.remove();
  beside.focus({ preventScroll: true });
}

function make<K extends keyof HTMLElementTagNameMap>(
  document: Document,
  tag: K,
  className: string,
  text?: string,
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
