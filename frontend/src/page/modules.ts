/** Which JavaScript a widget's classes come from. Everything is on this server: nothing is fetched from elsewhere. */

import type { WidgetModel, WidgetView } from "@jupyter-widgets/base";
import * as base from "@jupyter-widgets/base";
import { controlsWith } from "./controls";
import type { WidgetManager } from "./manager";
import { MissingModel, missingView } from "./missing";

type WidgetClass = typeof WidgetModel | typeof WidgetView;
type WidgetModule = Readonly<Record<string, unknown>>;
type Loader = (className: string, manager: WidgetManager) => WidgetModule | Promise<WidgetModule>;

const MODULES: Readonly<Record<string, Loader>> = {
  "@jupyter-widgets/base": () => base,
  "@jupyter-widgets/controls": controlsWith,
  // Outputs bring all of Jupyter's renderers with them; most pages have none.
  "@jupyter-widgets/output": async (_, manager) => (await import("./output")).outputModule(manager),
};

/** The class of that name; a stand-in that says what is missing, where the page does not have it. */
export async function loadClass(
  manager: WidgetManager,
  className: string,
  moduleName: string,
  moduleVersion: string,
): Promise<WidgetClass> {
  const module = Object.hasOwn(MODULES, moduleName) ? await MODULES[moduleName]?.(className, manager) : undefined;
  const found = module && Object.hasOwn(module, className) ? module[className] : undefined;
  if (typeof found === "function") return found as WidgetClass;
  // By Jupyter's convention models are called …Model; the caller wants one or the other under one name.
  return className.endsWith("Model") ? MissingModel : missingView(className, moduleName, moduleVersion);
}
