import { DOMWidgetModel, type DOMWidgetView } from "@jupyter-widgets/base";
import { expect, test, vi } from "vitest";
import { type Missing, MissingModel, type Origin, standIn } from "../../src/page/missing";
import { NotInstalled } from "../../src/page/thirdparty";

const MAP = { className: "MapView", moduleName: "jupyter-leaflet", moduleVersion: "^0.20" };

/** What the box of a widget says, at once and once the kernel has answered. */
async function box(missing: Partial<Missing>, origin: Origin | null = null, debug = false) {
  const manager = { debug, originOf: vi.fn(async () => origin) };
  const View = standIn({ ...MAP, manager, failure: null, ...missing }) as unknown as typeof DOMWidgetView;
  const model = Object.assign(new DOMWidgetModel({}, { model_id: "m" } as never), { widget_manager: manager });
  const view = new View({ model, options: {} } as never);
  view.render();
  const first = view.el.textContent;
  await new Promise((resolve) => setTimeout(resolve));
  return { view, first, text: view.el.textContent, manager };
}

test("a model keeps its state, and asks nobody", () => {
  expect(standIn({ ...MAP, className: "MapModel", manager: {} as never, failure: new Error() })).toBe(MissingModel);
});

test("a package that is known is named, and how to install it", async () => {
  const { first, view } = await box({ failure: new NotInstalled("jupyter-leaflet", false) });
  expect(first).toBe(
    "Map can't be shown: its module jupyter-leaflet ^0.20 is not installed where the server runs." +
      " Try pip install ipyleaflet.",
  );
  expect(view.el.getAttribute("role")).toBe("note");
  expect(view.el.classList.contains("solara-missing")).toBe(true);
});

test("of one that nobody here knows, the kernel may", async () => {
  const failure = new NotInstalled("unheard-of", false);
  const missing = { moduleName: "unheard-of", moduleVersion: "^1", failure };
  const unknown = await box(missing);
  expect(unknown.text).toBe("Map can't be shown: its module unheard-of ^1 is not installed where the server runs.");
  expect(unknown.manager.originOf).toHaveBeenCalledWith("m");
  const { first, text } = await box(missing, { package: "heard-of", version: "3.1" });
  expect(first).toBe(unknown.text);
  expect(text).toBe(`${first} It is a widget of heard-of 3.1. Try pip install heard-of.`);
});

test("what a module needs is told apart from the module", async () => {
  const { text } = await box({ failure: new NotInstalled("jupyter-vue", false) }, { package: "mine", version: "1" });
  expect(text).toBe(
    "Map can't be shown: the module jupyter-vue, which it needs, is not installed where the server runs." +
      " It is a widget of mine 1. Try pip install ipyvue.",
  );
});

test("what is there for JupyterLab only is no help", async () => {
  const { text } = await box({ failure: new NotInstalled("jupyter-leaflet", true) });
  expect(text).toContain("is not installed where the server runs other than for JupyterLab.");
});

test("a module that has failed says so, and why in debug mode; the console always says why", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  const failure = new Error("<b>unexpected</b> token");
  const { text, manager } = await box({ failure });
  expect(text).toBe("Map can't be shown: its module jupyter-leaflet ^0.20 failed; the browser's console says why.");
  expect(logged).toHaveBeenCalledWith(failure);
  expect(manager.originOf).not.toHaveBeenCalled();
  const debug = await box({ failure }, null, true);
  expect(debug.text).toBe("Map can't be shown: its module jupyter-leaflet ^0.20 failed: <b>unexpected</b> token.");
  expect((await box({ failure: "just text" }, null, true)).text).toContain("failed: just text.");
});

test("a module without the class says so", async () => {
  const { text } = await box({ moduleVersion: "" });
  expect(text).toBe(
    "Map can't be shown: its module jupyter-leaflet has no such widget. Another version of it may be installed.",
  );
});
