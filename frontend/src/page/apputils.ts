/**
 * Stands in for `@jupyterlab/apputils` beneath Jupyter's output renderers, for which it brings a parser of HTML and one of
 * CSS. A page shows the outputs of its own kernel, which are trusted: the renderers clean only what they made themselves,
 * text with ANSI colours.
 */
import sanitize from "./sanitize";

export { WidgetTracker } from "@jupyterlab/apputils/lib/widgettracker";

export class Sanitizer {
  /** Keeps the allowed elements, with classes and styles; without any, what nobody trusted is shown as bare text. */
  sanitize(dirty: string, { allowedTags = [] }: { allowedTags?: readonly string[] } = {}): string {
    return sanitize(dirty, { allowedTags, allowedAttributes: { "*": ["class", "style"] } });
  }
}
