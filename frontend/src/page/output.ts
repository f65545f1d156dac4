/** Output widgets: Jupyter's renderers, loaded with the first of them. */
import * as output from "@jupyter-widgets/html-manager/lib/output";
import { WIDGET_MIMETYPE, WidgetRenderer } from "@jupyter-widgets/html-manager/lib/output_renderers";
import type { IOutput } from "@jupyterlab/nbformat";
import { javaScriptRendererFactory, RenderMimeRegistry, standardRendererFactories } from "@jupyterlab/rendermime";
import type { WidgetManager } from "./manager";
import { mathTypesetter } from "./math";
import { whatFollows } from "./outputs";
import { textRenderers } from "./renderers";
import { loadStyle } from "./styles";

type Rendering = WidgetManager & { renderMime?: RenderMimeRegistry };

/** Appends what is new; upstream draws all outputs anew for each line that is printed. */
export class OutputModel extends output.OutputModel {
  override setOutputs(model?: unknown, value?: unknown, options?: unknown): void {
    // Without arguments this is the first time, and there is nothing to append to.
    const added = model ? whatFollows(this.previous("outputs"), this.get("outputs") as IOutput[]) : null;
    if (added) for (const it of added) this.outputs.add(it);
    else super.setOutputs(model, value, options);
  }
}

/** The module of output widgets, once the manager can render what they hold. */
export async function outputModule(manager: Rendering): Promise<Readonly<Record<string, unknown>>> {
  if (!manager.renderMime) {
    const registry = new RenderMimeRegistry({
      initialFactories: [
        ...standardRendererFactories.filter((it) => it !== javaScriptRendererFactory),
        ...textRenderers,
      ],
      latexTypesetter: mathTypesetter,
      markdownParser: {
        render: async (source) => (await import("marked")).marked.parse(source, { async: true }),
      },
    });
    registry.addFactory(
      {
        safe: false,
        mimeTypes: [WIDGET_MIMETYPE],
        createRenderer: (options) => new WidgetRenderer(options, manager as never),
      },
      0,
    );
    manager.renderMime = registry;
    await loadStyle("output");
  }
  return { ...output, OutputModel };
}
