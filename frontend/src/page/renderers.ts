/** How outputs are shown that Jupyter's renderers do not show, or not as a page should. */
import type { IRenderMime } from "@jupyterlab/rendermime";
import { Widget } from "@lumino/widgets";

/** Shows text that is made of the data. */
class Text extends Widget implements IRenderMime.IRenderer {
  readonly #textOf: (data: unknown) => string;
  readonly #mimeType: string;

  constructor(mimeType: string, textOf: (data: unknown) => string) {
    super({ node: document.createElement("div") });
    this.addClass("jp-RenderedText");
    this.#mimeType = mimeType;
    this.#textOf = textOf;
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const text = document.createElement("pre");
    text.textContent = this.#textOf(model.data[this.#mimeType]);
    this.node.replaceChildren(text);
  }
}

function showsText(mimeTypes: readonly string[], textOf: (data: unknown) => string): IRenderMime.IRendererFactory {
  return { safe: true, mimeTypes, createRenderer: ({ mimeType }) => new Text(mimeType, textOf) };
}

export const textRenderers: readonly IRenderMime.IRendererFactory[] = [
  showsText(["application/json", "application/geo+json"], (data) => JSON.stringify(data, null, 2)),
  showsText(
    ["text/javascript", "application/javascript"],
    () => "A script was displayed here. Pages do not run scripts that are displayed.",
  ),
];
