/** Output widgets: Jupyter's renderers, loaded with the first of them. */
import * as output from "@jupyter-widgets/html-manager/lib/output";
import { WIDGET_MIMETYPE, WidgetRenderer } from "@jupyter-widgets/html-manager/lib/output_renderers";
import { RenderMimeRegistry, standardRendererFactories } from "@jupyterlab/rendermime";
import type { WidgetManager } from "./manager";
import { mathTypesetter } from "./math";
import { loadStyle } from "./styles";

type Rendering = WidgetManager & { renderMime?: RenderMimeRegistry };

/** The module of output widgets, once the manager can render what they hold. */
export async function outputModule(manager: Rendering): Promise<Readonly<Record<string, unknown>>> {
  if (!manager.renderMime) {
    const registry = new RenderMimeRegistry({
      initialFactories: standardRendererFactories,
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
  return output as unknown as Readonly<Record<string, unknown>>;
}
