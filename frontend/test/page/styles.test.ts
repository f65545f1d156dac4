/** What is loaded later is let through by the page's content security policy as the rest is. */
import { afterEach, expect, test } from "vitest";
import { loadScript } from "../../src/page/amd";
import { loadStyle } from "../../src/page/styles";

afterEach(() => document.head.replaceChildren());

test("with its nonce", () => {
  document.head.innerHTML = '<link rel="stylesheet" id="solara-dark" nonce="abc">';
  void loadStyle("math");
  loadScript("/a.js").catch(() => {});
  const added = [...document.head.children].slice(1) as (HTMLLinkElement | HTMLScriptElement)[];
  expect(added.map((it) => [it.localName, it.nonce])).toEqual([
    ["link", "abc"],
    ["script", "abc"],
  ]);
});

test("or without one", () => {
  void loadStyle("output");
  expect((document.head.lastElementChild as HTMLLinkElement).nonce).toBe("");
});
