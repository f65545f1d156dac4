import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ErrorFrame, ErrorLink } from "../../src/connection/state";
import { renderTraceback } from "../../src/notices/traceback";

const own: ErrorFrame = {
  file: "/home/ada/shop/views.py",
  line: 10,
  function: "page",
  library: null,
  source: [
    [9, "def page():"],
    [10, "    return <b>total</b>"],
  ],
  mark: [11, 18],
};
const theirs: ErrorFrame = { ...own, file: "C:\\lib\\traitlets\\x.py", library: "traitlets", source: [], mark: null };

function rendered(explained: readonly ErrorLink[]): HTMLElement {
  const element = document.createElement("div");
  document.body.replaceChildren(element);
  renderTraceback(element, { ename: "E", evalue: "", traceback: "Traceback…", explained });
  return element;
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("the lines of the app's own are open, with what failed marked, and markup is text", () => {
  const shown = rendered([{ summary: "ValueError: <i>no</i>", how: null, frames: [own] }]);
  expect(shown.querySelector(".solara-traceback-summary")?.textContent).toBe("ValueError: <i>no</i>");
  expect(shown.querySelector("pre")?.textContent).toBe(" 9  def page():\n10      return <b>total</b>\n");
  expect(shown.querySelector("mark")?.textContent).toBe("<b>tota");
  expect(shown.querySelector(".solara-traceback-place")?.textContent).toBe("shop/views.py:10 in page");
  expect(shown.querySelector("i, pre b, details")).toBeNull();
});

test("what is between in libraries is folded, under their names", () => {
  const frames = [theirs, own, theirs, { ...theirs, library: "ipywidgets" }, theirs, own];
  const shown = rendered([{ summary: "E", how: null, frames }]);
  const folded = [...shown.querySelectorAll("details")];
  expect(folded.map((it) => [it.querySelector("summary")?.textContent, it.open])).toEqual([
    ["3 frames in traitlets, ipywidgets", false],
    ["1 frame in traitlets", false],
  ]);
  expect(shown.firstElementChild?.nextElementSibling?.textContent).toContain("views.py:10");
  expect(folded[1]?.querySelector(".solara-traceback-place")?.textContent).toBe("traitlets/x.py:10 in page");
});

test("an error without a line of the app's own is unfolded", () => {
  const shown = rendered([{ summary: "E", how: null, frames: [theirs] }]);
  expect(shown.querySelector("details")?.open).toBe(true);
});

test("what it came of follows", () => {
  const shown = rendered([
    { summary: "B", how: null, frames: [{ ...own, function: null, mark: null }] },
    { summary: "A", how: "cause", frames: [{ ...own, mark: [99, 99] }] },
  ]);
  expect(shown.textContent).toContain("It was raised from");
  expect([...shown.querySelectorAll("code")].map((it) => it.textContent)).toEqual(["B", "A"]);
  expect([...shown.querySelectorAll("mark")].map((it) => it.textContent)).toEqual([" "]);
});

test("the text can be copied", async () => {
  const writeText = vi.fn(async () => {});
  vi.stubGlobal("navigator", { clipboard: { writeText } });
  const button = rendered([]).querySelector("button") as HTMLElement;
  button.click();
  await vi.advanceTimersByTimeAsync(0);
  expect(writeText).toHaveBeenCalledWith("Traceback…");
  expect(button.textContent).toBe("Copied");
  vi.advanceTimersByTime(5_000);
  expect(button.textContent).toBe("Copy");
  vi.unstubAllGlobals();
});

test.each([
  ["over plain http", undefined],
  ["in a frame that may not", { writeText: () => Promise.reject(new DOMException("no", "NotAllowedError")) }],
])("also %s", async (_, clipboard) => {
  vi.stubGlobal("navigator", { clipboard });
  let copied = "";
  document.execCommand = () => {
    copied = (document.activeElement as HTMLTextAreaElement).value;
    return true;
  };
  const button = rendered([]).querySelector("button") as HTMLElement;
  button.click();
  await vi.advanceTimersByTimeAsync(0);
  expect(copied).toBe("Traceback…");
  expect(document.querySelector("textarea")).toBeNull();
  vi.unstubAllGlobals();
});
