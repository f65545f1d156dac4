import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { goTo, placeOf } from "../../src/page/place";
import { stubResizes } from "./resizes";

let root: HTMLElement;
let resized: () => void;

beforeEach(() => {
  vi.useFakeTimers();
  resized = stubResizes();
  root = document.createElement("div");
  document.body.replaceChildren(root);
  draw();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function draw(): void {
  root.innerHTML = "<p></p><div><ul></ul><textarea>some text</textarea><input type=checkbox></div>";
}

const list = () => root.querySelector("ul") as HTMLElement;
const area = () => root.querySelector("textarea") as HTMLTextAreaElement;

test("what is scrolled stays scrolled, also once the rest has been drawn", () => {
  list().scrollTop = 40;
  const place = placeOf(root);
  draw();
  goTo(root, place);
  expect(list().scrollTop).toBe(40);
  list().scrollTop = 0;
  resized();
  expect(list().scrollTop).toBe(40);
});

test("the window stays where it was, and the page as high as it was, for a moment", () => {
  const scrollTo = vi.spyOn(window, "scrollTo").mockImplementation(() => {});
  vi.stubGlobal("scrollY", 300);
  vi.spyOn(root, "offsetHeight", "get").mockReturnValue(900);
  const place = placeOf(root);
  vi.stubGlobal("scrollY", 0);
  goTo(root, place);
  expect(scrollTo).toHaveBeenCalledWith(0, 300);
  expect(root.style.minHeight).toBe("900px");
  vi.advanceTimersByTime(1_000);
  expect(root.style.minHeight).toBe("");
});

test("whoever goes elsewhere is left alone", () => {
  list().scrollTop = 40;
  const place = placeOf(root);
  goTo(root, place);
  list().scrollTop = 10;
  window.dispatchEvent(new Event("wheel"));
  resized();
  expect(list().scrollTop).toBe(10);
  expect(root.style.minHeight).toBe("");
});

test("the focus stays at its place, with what is selected", () => {
  area().focus();
  area().setSelectionRange(2, 5);
  const place = placeOf(root);
  draw();
  goTo(root, place);
  expect(document.activeElement).toBe(area());
  expect([area().selectionStart, area().selectionEnd]).toEqual([2, 5]);
});

test("of a control without text, the focus alone", () => {
  root.querySelector("input")?.focus();
  const place = placeOf(root);
  draw();
  goTo(root, place);
  expect(document.activeElement).toBe(root.querySelector("input"));
});

test("a page that has no such place any more is shown all the same", () => {
  area().focus();
  list().scrollTop = 40;
  const place = placeOf(root);
  root.innerHTML = "";
  goTo(root, place);
  expect(document.activeElement).toBe(document.body);
});

test("whoever is elsewhere by then keeps the focus", () => {
  area().focus();
  const place = placeOf(root);
  draw();
  const elsewhere = document.createElement("button");
  document.body.append(elsewhere);
  elsewhere.focus();
  goTo(root, place);
  expect(document.activeElement).toBe(elsewhere);
});
