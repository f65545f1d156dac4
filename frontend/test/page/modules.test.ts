import * as base from "@jupyter-widgets/base";
import * as controls from "@jupyter-widgets/controls";
import { expect, test, vi } from "vitest";
import type { WidgetManager } from "../../src/page/manager";
import { MissingModel } from "../../src/page/missing";
import { loadClass } from "../../src/page/modules";
import { NotInstalled } from "../../src/page/thirdparty";

class MapModel extends base.DOMWidgetModel {}

const load = vi.fn(async (name: string) => {
  if (name !== "maps") throw new NotInstalled(name, false);
  return { MapModel, version: "1.0.0" };
});
const manager = { debug: false, thirdParty: async () => ({ load }) } as unknown as WidgetManager;
const classes = (module: object) => Object.keys(module).filter((name) => /(Model|View)$/.test(name));

const OURS = new Set(["FileUploadView"]);

test("an upload has a view of ours", async () => {
  const found = await loadClass(manager, "FileUploadView", "@jupyter-widgets/controls", "2.0.0");
  expect(Object.getPrototypeOf(found)).toBe(controls.FileUploadView);
});

test.each(classes(controls).filter((name) => !OURS.has(name)))(
  "%s is the class of the package, loaded early or late",
  async (name) => {
    const found = await loadClass(manager, name, "@jupyter-widgets/controls", "2.0.0");
    expect(found).toBe((controls as unknown as Record<string, unknown>)[name]);
  },
);

test.each(["LayoutModel", "LayoutView", "StyleModel", "StyleView", "DOMWidgetModel"])("%s is of base", async (name) => {
  const found = await loadClass(manager, name, "@jupyter-widgets/base", "2.0.0");
  expect(found).toBe((base as unknown as Record<string, unknown>)[name]);
});

test("other people's modules are asked for by name and version", async () => {
  expect(await loadClass(manager, "MapModel", "maps", "^1.0.0")).toBe(MapModel);
  expect(load).toHaveBeenLastCalledWith("maps", "^1.0.0");
});

test.each([
  ["@jupyter-widgets/controls", "NoSuchModel"],
  ["@jupyter-widgets/controls", "constructor"],
  ["constructor", "MapModel"],
  ["jupyter-leaflet", "MapModel"],
  ["maps", "version"],
  ["maps", "toString"],
])("%s has no %s: a stand-in", async (module, name) => {
  const found = await loadClass(manager, name, module, "1");
  expect(found === MissingModel || found.name === "MissingView").toBe(true);
});
