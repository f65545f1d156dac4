import * as base from "@jupyter-widgets/base";
import * as controls from "@jupyter-widgets/controls";
import { beforeEach, expect, test, vi } from "vitest";
import type { WidgetManager } from "../../src/page/manager";
import { packageOf } from "../../src/page/packages";
import { cdnUrl, NotInstalled, ThirdParty } from "../../src/page/thirdparty";

const manager = {} as WidgetManager;
const INSTALLED = {
  charts: { path: "charts/index.js", version: "1.2.3" },
  "@cars/engine": { path: "engine/main.js", version: null },
  "lab-only": { path: null, version: "5.0.0" },
};
let scripts: string[];
let asked: string[];
let status: number;

/** What scripts define, by the end of their address. */
const DEFINED: Record<string, readonly unknown[]> = {
  "/charts/index.js": [
    ["@jupyter-widgets/base", "@jupyter-widgets/controls", "@cars/engine"],
    (...given: unknown[]) => ({ given }),
  ],
  "/engine/main.js": [{ engine: true }],
  "/elsewhere.js": [["https://evil.test/x"], () => ({})],
};

beforeEach(() => {
  scripts = [];
  asked = [];
  status = 200;
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    return new Response(JSON.stringify({ modules: INSTALLED }), { status });
  });
  // jsdom runs no scripts from elsewhere.
  vi.spyOn(document.head, "append").mockImplementation((node) => {
    const script = node as HTMLScriptElement;
    scripts.push(script.src);
    queueMicrotask(() => {
      const current = vi.spyOn(document, "currentScript", "get").mockReturnValue(script);
      const defined = Object.entries(DEFINED).find(([end]) => script.src.endsWith(end))?.[1] ?? [{}];
      (window as unknown as { define(...it: unknown[]): void }).define(...defined);
      current.mockRestore();
      script.dispatchEvent(new Event("load"));
    });
  });
});

const thirdParty = (widgetsCdn: string | null = null) => new ThirdParty({ baseUrl: "/sub/", widgetsCdn }, manager);

test("what is installed comes from below the mount, with the page's own modules", async () => {
  const { given } = (await thirdParty().load("charts", "^1.0.0")) as { given: unknown[] };
  expect(given[0]).toBe(base);
  expect(given[1]).toMatchObject({ ButtonModel: controls.ButtonModel, DatePickerModel: controls.DatePickerModel });
  expect(given[2]).toEqual({ engine: true });
  const folder = "https://app.test/sub/nbextensions/";
  expect(scripts).toEqual([`${folder}charts/index.js`, `${folder}engine/main.js`]);
  expect(document.body.dataset.baseUrl).toBe("/sub/");
});

test("the server is asked once what it has", async () => {
  const them = thirdParty();
  await Promise.all([them.load("charts", "*"), them.load("@cars/engine", "*"), them.load("charts", "*")]);
  expect(asked).toEqual(["https://app.test/sub/nbextensions/"]);
});

test("what is not installed is nowhere, unless there is a CDN", async () => {
  await expect(thirdParty().load("maps", "^1.0.0")).rejects.toMatchObject({ module: "maps", forLab: false });
  await expect(thirdParty().load("lab-only", "^1.0.0")).rejects.toMatchObject({ module: "lab-only", forLab: true });
  expect(scripts).toEqual([]);
  await thirdParty("https://cdn.test/npm/").load("maps", "^1.0.0");
  expect(scripts.map(decodeURIComponent)).toEqual(["https://cdn.test/npm/maps@^1.0.0/dist/index.js"]);
});

test.each([null, "https://cdn.test/npm/"])("no module leads to another host than that, with %s", async (cdn) => {
  await expect(thirdParty(cdn).load("nbextensions/x/elsewhere", "*")).rejects.toBeInstanceOf(NotInstalled);
  expect(scripts).toEqual(["https://app.test/sub/nbextensions/x/elsewhere.js"]);
});

test.each([
  ["maps", "^1.0.0", "maps@^1.0.0/dist/index.js"],
  ["maps", undefined, "maps/dist/index.js"],
  ["maps/other", "2", "maps@2/dist/other.js"],
  ["@cars/engine", "2", "@cars/engine@2/dist/index.js"],
  ["@cars/engine/small", "2", "@cars/engine@2/dist/small.js"],
])("%s %s is at the CDN as %s", (id, version, path) => {
  expect(cdnUrl("https://cdn.test/npm/", id, version)).toBe(`https://cdn.test/npm/${path}`);
});

test.each([
  ["^1.2.0", false],
  ["~1.2.*", false],
  ["*", false],
  ["^1.3.0", true],
  ["2", true],
  ["", false],
])("where widgets ask for %s and 1.2.3 is installed, one warning: %s", async (wanted, warned) => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const them = thirdParty();
  await them.load("charts", wanted);
  await them.load("charts", wanted);
  expect(warn.mock.calls).toHaveLength(warned ? 1 : 0);
  if (warned) expect(warn.mock.calls[0]?.[0]).toContain("charts is installed as 1.2.3");
});

test("a server that does not answer is an error, not a missing package", async () => {
  status = 503;
  await expect(thirdParty().load("charts", "*")).rejects.toThrow("503");
});

test.each([
  ["jupyter-leaflet", "ipyleaflet"],
  ["jupyter-matplotlib", "ipympl"],
  ["bqplot", "bqplot"],
  ["unheard-of", undefined],
  ["constructor", undefined],
])("%s comes with %s", (module, name) => {
  expect(packageOf(module)).toBe(name);
});
