/** Stands in for a widget whose JavaScript this page does not have. */
import { DOMWidgetModel, DOMWidgetView, type WidgetView } from "@jupyter-widgets/base";

/** Keeps the widget's state, so that everything that refers to it goes on working. */
export class MissingModel extends DOMWidgetModel {}

/** A view class that says which widget is missing, from which module. */
export function missingView(className: string, moduleName: string, moduleVersion: string): typeof WidgetView {
  return class MissingView extends DOMWidgetView {
    override render(): void {
      super.render();
      this.el.classList.add("jupyter-widgets", "solara-missing");
      this.el.setAttribute("role", "note");
      const name = document.createElement("code");
      name.textContent = `${moduleName} ${moduleVersion}`.trim();
      this.el.replaceChildren(
        `This widget (${className.replace(/View$/, "")}) cannot be shown: this page does not have its module `,
        name,
        ".",
      );
    }
  };
}
