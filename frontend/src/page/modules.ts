/** Which JavaScript a widget's classes come from. */

import type { WidgetModel, WidgetView } from "@jupyter-widgets/base";
import * as base from "@jupyter-widgets/base";
import { controlsWith } from "./controls";
import type { WidgetManager } from "./manager";

type WidgetClass = typeof WidgetModel | typeof WidgetView;
type WidgetModule = Readonly<Record<string, unknown>>;
type Loader = (className: string, manager: WidgetManager) => WidgetModule | Promise<WidgetModule>;

const MODULES: Readonly<Record<string, Loader>> = {
  "@jupyter-widgets/base": () => base,
  "@jupyter-widgets/controls": controlsWith,
  // Outputs bring all of Jupyter's renderers with them; most pages have none.
  "@jupyter-widgets/output": async (_, manager) => (await import("./output")).outputModule(manager),
};

/** The class of that name; a stand-in that says what is missing, where the page cannot have it. */
export async function loadClass(
  manager: WidgetManager,
  className: string,
  moduleName: string,
  moduleVersion: string,
): Promise<WidgetClass> {
  let failure: unknown = null;
  try {
    const module = await (Object.hasOwn(MODULES, moduleName)
      ? MODULES[moduleName]?.(className, manager)
      : (await manager.thirdParty()).load(moduleName, moduleVersion));
    const found = module && (Object.hasOwn(module, className) ? module[className] : undefined);
    if (typeof found === "function") return found as WidgetClass;
  } catch (error) {
    failure = error;
  }
  const { standIn } = await import("./missing");
  return standIn({ manager, className, moduleName, moduleVersion, failure });
}
