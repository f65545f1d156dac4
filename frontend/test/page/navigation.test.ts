import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Navigation } from "../../src/page/navigation";

let lifetime: AbortController;
let root: HTMLElement;
let navigation: Navigation;
const ask = vi.fn<(path: string, query: string) => boolean>();
const scrollTo = vi.fn();

beforeEach(() => {
  lifetime = new AbortController();
  history.replaceState(null, "", "/sub/");
  document.body.innerHTML = '<main></main><h2 id="there"></h2>';
  root = document.querySelector("main") as HTMLElement;
  ask.mockReset().mockReturnValue(true);
  scrollTo.mockReset();
  vi.stubGlobal("scrollTo", scrollTo);
  navigation = made();
});
afterEach(() => {
  lifetime.abort();
  vi.unstubAllGlobals();
});

function made(pages: readonly string[] = ["/", "/report", "/ü", "/it's"]): Navigation {
  return new Navigation({ window, baseUrl: "/sub/", pages, root, ask }, lifetime.signal);
}

/** Whether the browser is left to follow the link. */
function click(href: string, attributes: Record<string, string> = {}, init: MouseEventInit = {}): boolean {
  const link = document.createElement("a");
  for (const [name, value] of Object.entries({ href, ...attributes })) link.setAttribute(name, value);
  link.innerHTML = "<b>link</b>";
  root.append(link);
  // jsdom does not go anywhere, and says so.
  let prevented = false;
  const look = (event: Event) => {
    prevented = event.defaultPrevented;
    event.preventDefault();
  };
  window.addEventListener("click", look, { once: true });
  link.querySelector("b")?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ...init }));
  return !prevented;
}

const here = () => location.pathname + location.search;

async function back(): Promise<void> {
  const gone = new Promise((resolve) => window.addEventListener("popstate", resolve, { once: true }));
  history.back();
  await gone;
}

test("a link to another page of the app is followed in place", () => {
  expect(click("report?x=1")).toBe(false);
  expect(ask.mock.calls).toEqual([["/report", "x=1"]]);
  expect(here()).toBe("/sub/report?x=1");
});

test.each<[string, Record<string, string>, MouseEventInit]>([
  ["https://elsewhere.test/sub/report", {}, {}],
  ["/report", {}, {}],
  ["nowhere", {}, {}],
  ["files/k/t/report", {}, {}],
  ["report", { download: "" }, {}],
  ["report", { target: "_blank" }, {}],
  ["report", {}, { ctrlKey: true }],
  ["report", {}, { metaKey: true }],
  ["report", {}, { shiftKey: true }],
  ["report", {}, { altKey: true }],
  ["report", {}, { button: 1 }],
  ["#there", {}, {}],
  ["#", {}, {}],
  ["mailto:a@b.test", {}, {}],
])("%s %o %o is the browser's", (href, attributes, init) => {
  expect(click(href, attributes, init)).toBe(true);
  expect(ask).not.toHaveBeenCalled();
  expect(here()).toBe("/sub/");
});

test("what somebody else has handled is left alone", () => {
  root.addEventListener("click", (event) => event.preventDefault(), { once: true });
  click("report");
  expect(ask).not.toHaveBeenCalled();
});

test("a link to nothing is no link", () => {
  root.innerHTML = "<a name='x'>x</a>";
  root.querySelector("a")?.click();
  expect(ask).not.toHaveBeenCalled();
});

test("without a connection the browser loads the page", () => {
  ask.mockReturnValue(false);
  expect(click("report")).toBe(true);
  expect(here()).toBe("/sub/");
});

test("where the server names no pages, nothing is followed in place", () => {
  lifetime.abort();
  lifetime = new AbortController();
  navigation = made([]);
  expect(click("report")).toBe(true);
});

test("a new page begins at its top, with the focus", () => {
  click("/sub/report");
  navigation.shown();
  expect(scrollTo.mock.calls).toEqual([[0, 0]]);
  expect(document.activeElement).toBe(root);
  navigation.shown();
  expect(scrollTo).toHaveBeenCalledOnce();
});

test("or at the place that the link names", () => {
  const heading = document.getElementById("there") as HTMLElement;
  heading.scrollIntoView = vi.fn();
  click("report#there");
  navigation.shown();
  expect(heading.scrollIntoView).toHaveBeenCalledOnce();
  expect(scrollTo).not.toHaveBeenCalled();
});

test("a link to a place that no address can name is a link to the page", () => {
  click("report#100%");
  navigation.shown();
  expect(scrollTo.mock.calls).toEqual([[0, 0]]);
});

test("a link whose path no address can have is the browser's", () => {
  expect(click("caf%E9")).toBe(true);
});

test("a page without a tab stop of its own keeps what it has", () => {
  root.tabIndex = 0;
  click("report");
  navigation.shown();
  expect(root.tabIndex).toBe(0);
});

test("the way back leads to the page that was there, and to where it was scrolled", async () => {
  vi.stubGlobal("scrollY", 700);
  vi.stubGlobal("scrollX", 0);
  click("report?x=1");
  await back();
  expect(ask.mock.lastCall).toEqual(["/", ""]);
  navigation.shown();
  expect(scrollTo.mock.lastCall).toEqual([0, 700]);
});

test("a step back within a page asks for nothing", async () => {
  history.pushState({}, "", "/sub/#there");
  await back();
  expect(ask).not.toHaveBeenCalled();
});

test("nor does one after other pages, and it leads to where that was scrolled", async () => {
  click("report");
  navigation.shown();
  vi.stubGlobal("scrollY", 700);
  vi.stubGlobal("scrollX", 0);
  click("#there");
  history.pushState(null, "", "#there");
  await back();
  expect(ask).toHaveBeenCalledOnce();
  expect(scrollTo.mock.lastCall).toEqual([0, 700]);
});

test("the same link again asks again, and makes no history", () => {
  click("report");
  const { length } = history;
  expect(click("report")).toBe(false);
  expect(ask).toHaveBeenCalledTimes(2);
  expect(history.length).toBe(length);
});

test("the kernel may go elsewhere by itself", () => {
  navigation.navigated("/report", "x=1");
  expect(here()).toBe("/sub/report?x=1");
  navigation.shown();
  expect(scrollTo.mock.calls).toEqual([[0, 0]]);
  navigation.navigated("/report", "x=1");
  navigation.navigated("/", "");
  expect(here()).toBe("/sub/");
});

test("what the kernel says to a question that was asked changes nothing more", () => {
  click("report?x=1");
  const { length } = history;
  navigation.navigated("/report", "x=1");
  expect(history.length).toBe(length);
});

test.each([
  ["it's?q='", "/it%27s", "q='"],
  ["ü?q=ü", "/%C3%BC", "q=%C3%BC"],
])("nor does it where the kernel writes it otherwise: %s", (href, path, query) => {
  click(href);
  const { length } = history;
  navigation.navigated(path, query);
  expect(history.length).toBe(length);
});

test("what the kernel goes to by itself is a page like any other", async () => {
  navigation.navigated("/ü", "q=ü");
  history.pushState({}, "", "#there");
  await back();
  expect(ask).not.toHaveBeenCalled();
});

test("names are compared as they are meant", () => {
  expect(click("%C3%BC")).toBe(false);
  expect(ask.mock.lastCall).toEqual(["/ü", ""]);
});

test("the mount without its slash is its first page", () => {
  navigation.navigated("/report", "");
  expect(click("/sub")).toBe(false);
  expect(ask.mock.lastCall).toEqual(["/", ""]);
});

test("what was not scrolled by us begins at its top", async () => {
  history.replaceState(null, "", "/sub/report");
  history.pushState({}, "", "/sub/");
  await back();
  navigation.shown();
  expect(scrollTo.mock.lastCall).toEqual([0, 0]);
});
