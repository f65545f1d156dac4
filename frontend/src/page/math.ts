/** Typesets LaTeX in labels, HTML and outputs. KaTeX is loaded with the first formula. */
import { loadStyle } from "./styles";

/** Something that may be a formula; a lone dollar sign is not. */
const MAYBE_MATH = /\$[^$]+\$|\\\(|\\\[|\\begin\{/;

const DELIMITERS = [
  { left: "$$", right: "$$", display: true },
  { left: "\\[", right: "\\]", display: true },
  { left: "\\begin{equation}", right: "\\end{equation}", display: true },
  { left: "\\begin{align}", right: "\\end{align}", display: true },
  { left: "$", right: "$", display: false },
  { left: "\\(", right: "\\)", display: false },
];

async function typeset(element: HTMLElement): Promise<void> {
  const [{ render }] = await Promise.all([import("./formulas"), loadStyle("math")]);
  render(element, { delimiters: DELIMITERS, throwOnError: false });
  // In a flex box, which a label is, text and formulas would become boxes of their own and lose the spaces between them.
  if (getComputedStyle(element).display.endsWith("flex")) {
    const line = document.createElement("span");
    line.append(...element.childNodes);
    element.append(line);
  }
}

/** Jupyter's interface of a LaTeX typesetter. Elements without a formula cost one look at their text. */
export const mathTypesetter = {
  typeset(element: HTMLElement): void {
    if (!MAYBE_MATH.test(element.textContent ?? "")) return;
    typeset(element).catch((error: unknown) => console.error(error));
  },
};
