import * as base from "@jupyter-widgets/base";
import * as controls from "@jupyter-widgets/controls";
import { expect, test } from "vitest";
import type { WidgetManager } from "../../src/page/manager";
import { MissingModel } from "../../src/page/missing";
import { loadClass } from "../../src/page/modules";

const manager = {} as WidgetManager;
const classes = (module: object) => Object.keys(module).filter((name) => /(Model|View)$/.test(name));

test.each(classes(controls))("%s is the class of the package, loaded early or late", async (name) => {
  const found = await loadClass(manager, name, "@jupyter-widgets/controls", "2.0.0");
  expect(found).toBe((controls as unknown as Record<string, unknown>)[name]);
});

test.each(["LayoutModel", "LayoutView", "StyleModel", "StyleView", "DOMWidgetModel"])("%s is of base", async (name) => {
  const found = await loadClass(manager, name, "@jupyter-widgets/base", "2.0.0");
  expect(found).toBe((base as unknown as Record<string, unknown>)[name]);
});

test.each([
  ["@jupyter-widgets/controls", "NoSuchModel"],
  ["@jupyter-widgets/controls", "constructor"],
  ["constructor", "MapModel"],
  ["jupyter-leaflet", "MapModel"],
])("%s has no %s: a stand-in", async (module, name) => {
  const found = await loadClass(manager, name, module, "1");
  expect(found === MissingModel || found.name === "MissingView").toBe(true);
});
