import { expect, test } from "vitest";
import { findPlaces } from "../src/places";

function page(html: string): Document {
  return new DOMParser().parseFromString(html, "text/html");
}

test("places have names, and one of them stands for the page", () => {
  const { root, byName } = findPlaces(page('<i data-solara-root="side"></i><b data-solara-root></b>'));
  expect([...byName.keys()]).toEqual(["side", "main"]);
  expect([root.tagName, root.id]).toEqual(["B", "solara-app"]);
});

test("without a place for what has no name, it is the first", () => {
  const { root } = findPlaces(page('<i data-solara-root="side"></i><b data-solara-root="end"></b>'));
  expect([root.tagName, root.id]).toEqual(["I", "solara-app"]);
});

test("an id of the page's own is left alone", () => {
  expect(findPlaces(page('<b id="mine" data-solara-root></b>')).root.id).toBe("mine");
  expect(findPlaces(page('<i id="solara-app"></i><b data-solara-root></b>')).root.id).toBe("");
});

test.each(["<div></div>", "<b data-solara-root></b><b data-solara-root='main'></b>"])("%s is no page", (html) => {
  expect(() => findPlaces(page(html))).toThrow("data-solara-root");
});
