/** KaTeX, as far as a page needs it; by a name, as what is loaded on demand exports no default. */
export { default as render } from "katex/contrib/auto-render";
