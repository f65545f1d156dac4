import { afterEach, beforeEach, expect, test } from "vitest";
import { type Look, PageLook, readLook } from "../src/look";

let prefers: EventTarget & { matches: boolean };
let lifetime: AbortController;

beforeEach(() => {
  prefers = Object.assign(new EventTarget(), { matches: false });
  lifetime = new AbortController();
  document.head.innerHTML =
    '<title>Acme: Home</title><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">' +
    '<link rel="stylesheet" id="solara-dark" media="(prefers-color-scheme: dark)">';
});
afterEach(() => lifetime.abort());

const made = (look: Partial<Look> = { title: "Home", theme: "auto", favicon: "data:," }) =>
  new PageLook(document, prefers as never, look, lifetime.signal);
const media = () => document.getElementById("solara-dark")?.getAttribute("media");
const scheme = () => document.querySelector("meta[name=color-scheme]")?.getAttribute("content");
const icons = () =>
  [...document.querySelectorAll<HTMLLinkElement>("link[rel~=icon]")].map((it) => it.getAttribute("href"));
const isLight = () => document.body.dataset.jpThemeLight;

test("what a template has made of the title stays until there is another", () => {
  const look = made();
  look.change({ title: "Home", theme: "auto", favicon: "data:," });
  expect(document.title).toBe("Acme: Home");
  look.change({ theme: "dark" });
  look.change({ title: "3 new" });
  expect(document.title).toBe("3 new");
  look.change({ title: "Home" });
  expect(document.title).toBe("Home");
});

test("the icon is one that the browser looks at", () => {
  const look = made();
  const before = document.querySelector("link[rel=icon]");
  look.change({ favicon: "/icon.svg" });
  expect(icons()).toEqual(["/icon.svg"]);
  expect(document.querySelector("link[rel=icon]")).not.toBe(before);
  look.change({ favicon: "" });
  expect(icons()).toEqual(["data:,"]);
});

test.each([
  ["light", "not all", "light"],
  ["dark", "all", "dark"],
  ["auto", "(prefers-color-scheme: dark)", "light dark"],
] as const)("the theme %s holds by the medium of a sheet", (theme, expected, schemes) => {
  const look = made({ theme: theme === "auto" ? "dark" : "auto" });
  look.change({ theme });
  expect([media(), scheme()]).toEqual([expected, schemes]);
});

test("widgets are told which theme holds, whoever decides it", () => {
  const look = made();
  expect([isLight(), document.body.dataset.jpThemeName]).toEqual(["true", "JupyterLab Light"]);
  prefers.matches = true;
  prefers.dispatchEvent(new Event("change"));
  expect([isLight(), document.body.dataset.jpThemeName]).toEqual(["false", "JupyterLab Dark"]);
  look.change({ theme: "light" });
  expect(isLight()).toBe("true");
  prefers.dispatchEvent(new Event("change"));
  expect(isLight()).toBe("true");
  prefers.matches = false;
  look.change({ theme: "dark" });
  expect(isLight()).toBe("false");
});

test("a page without the theme's sheet has a theme nonetheless", () => {
  document.head.innerHTML = "";
  made().change({ theme: "dark" });
  expect(isLight()).toBe("false");
});

test("of what is said about a look, what is understood is taken", () => {
  expect(readLook({ title: "t", theme: "dark", favicon: "f", more: 1 })).toEqual({
    title: "t",
    theme: "dark",
    favicon: "f",
  });
  for (const data of [null, 7, {}, { title: 7, theme: "sepia", favicon: null }]) expect(readLook(data)).toEqual({});
});
