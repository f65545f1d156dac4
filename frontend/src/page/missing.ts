/** Stands in for a widget whose JavaScript this page cannot have, and says why. */
import { DOMWidgetModel, DOMWidgetView, type WidgetView } from "@jupyter-widgets/base";
import type { WidgetManager } from "./manager";
import { packageOf } from "./packages";
import { NotInstalled } from "./thirdparty";

/** What was looked for, and what came of it. */
export interface Missing {
  readonly manager: Pick<WidgetManager, "debug" | "originOf">;
  readonly className: string;
  readonly moduleName: string;
  readonly moduleVersion: string;
  /** What was thrown; null where the module is there, and has no such class. */
  readonly failure: unknown;
}

/** The installed package that defines a widget's class. */
export interface Origin {
  readonly package: string;
  readonly version: string;
}

/** Keeps the widget's state, so that everything that refers to it goes on working. */
export class MissingModel extends DOMWidgetModel {}

/** A class for a widget that cannot be shown. */
export function standIn(missing: Missing): typeof MissingModel | typeof WidgetView {
  const { className, failure } = missing;
  // By Jupyter's convention models are called …Model; the caller wants one or the other under one name.
  if (className.endsWith("Model")) return MissingModel;
  if (failure !== null && !(failure instanceof NotInstalled)) console.error(failure);
  return class MissingView extends DOMWidgetView {
    override render(): void {
      super.render();
      this.el.classList.add("jupyter-widgets", "solara-missing");
      this.el.setAttribute("role", "note");
      this.el.replaceChildren(...explain(missing, null));
      if (!(failure instanceof NotInstalled)) return;
      // The kernel knows whose widget it is, of whatever nobody here has heard of.
      missing.manager.originOf(this.model.model_id).then((origin) => {
        if (origin) this.el.replaceChildren(...explain(missing, origin));
      });
    }
  };
}

/** @param origin As far as it is known by now. */
function explain(missing: Missing, origin: Origin | null): (Node | string)[] {
  const { className, moduleName, moduleVersion, failure } = missing;
  const beginning = `${className.replace(/View$/, "")} can't be shown: `;
  const module = code(`${moduleName} ${moduleVersion}`.trim());
  if (failure === null) {
    return [beginning, "its module ", module, " has no such widget. Another version of it may be installed."];
  }
  if (!(failure instanceof NotInstalled)) {
    const why = failure instanceof Error ? failure.message : String(failure);
    return [
      beginning,
      "its module ",
      module,
      ` failed${missing.manager.debug ? `: ${why}` : "; the browser's console says why"}.`,
    ];
  }
  // What it depends on may be what is not there.
  const absent =
    failure.module === moduleName
      ? ["its module ", module]
      : ["the module ", code(failure.module), ", which it needs,"];
  const forLab = failure.forLab ? " other than for JupyterLab" : "";
  const name = packageOf(failure.module) ?? (failure.module === moduleName ? origin?.package : undefined);
  const install = name ? [" Try ", code(`pip install ${name}`), "."] : [];
  const madeBy = origin ? [` It is a widget of ${origin.package} ${origin.version}.`] : [];
  return [beginning, ...absent, ` is not installed where the server runs${forLab}.`, ...madeBy, ...install];
}

function code(text: string): HTMLElement {
  const element = document.createElement("code");
  element.textContent = text;
  return element;
}
