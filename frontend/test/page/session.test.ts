/** The page against a scripted kernel: Jupyter's real connection, manager and controls in between. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { PageResult } from "../../src/connection/state";
import { sayHello } from "../../src/hello";
import { AllRoots } from "../../src/page/roots";
import { PageSession } from "../../src/page/session";
import { findPlaces } from "../../src/places";
import { FakeKernel } from "./fakekernel";

const caughtUp = vi.fn<(page: PageResult) => void>();
const look = { change: vi.fn() };
let lifetime: AbortController;
let root: HTMLElement;
let kernel: FakeKernel;
let session: PageSession;

beforeEach(() => {
  lifetime = new AbortController();
  document.body.innerHTML = '<div data-solara-root></div><div data-solara-root="side"></div>';
  const places = findPlaces(document);
  root = places.root;
  caughtUp.mockReset();
  kernel = new FakeKernel();
  kernel.add("layout", "LayoutModel");
  kernel.add("label", "LabelModel", { value: "one", layout: "IPY_MODEL_layout" });
  kernel.add("text", "TextModel", { value: "", layout: "IPY_MODEL_layout" });
  kernel.add("button", "ButtonModel", { description: "Go", layout: "IPY_MODEL_layout" });
  kernel.add("box", "VBoxModel", { children: ["label", "text", "button"].map((it) => `IPY_MODEL_${it}`) });
  kernel.roots = ["box"];
  const config = {
    baseUrl: "/sub/",
    kernelId: "k",
    pageId: "p",
    debug: false,
    widgetsCdn: null,
    look: {},
    pages: ["/report"],
  };
  const { signal } = lifetime;
  look.change.mockReset();
  session = new PageSession({ config, places, look, signal, stream: kernel.stream, caughtUp });
});
afterEach(() => lifetime.abort());

/** Wait until the page has caught up once more. */
async function untilCaughtUp(act: () => void): Promise<void> {
  const before = caughtUp.mock.calls.length;
  act();
  await vi.waitFor(() => expect(caughtUp.mock.calls.length).toBeGreaterThan(before));
}

const connect = () => untilCaughtUp(() => kernel.connect(session));
const label = () => root.querySelector(".widget-label:not(label)")?.textContent;
const input = () => root.querySelector("input") as HTMLInputElement;

function type(value: string): void {
  input().value = value;
  input().dispatchEvent(new Event("keypress", { bubbles: true }));
  input().dispatchEvent(new Event("input", { bubbles: true }));
}

test("the roots are shown, with all state from one message", async () => {
  await connect();
  expect(caughtUp.mock.calls).toEqual([[{ status: "ok" }]]);
  expect(label()).toBe("one");
  expect(root.querySelector("button")?.textContent).toBe("Go");
  expect(kernel.requests).toBe(1);
});

test("what was asked before the page's program was there is not asked again", async () => {
  const said: ArrayBuffer[] = [];
  session.greeted(sayHello((frame) => said.push(frame), { pageId: "p" }));
  await untilCaughtUp(() => {
    kernel.connect(session);
    for (const frame of said) kernel.stream.send(frame, "");
  });
  expect(label()).toBe("one");
  expect(kernel.requests).toBe(1);
  kernel.cut();
  kernel.set("label", { value: "after" });
  await connect();
  expect(label()).toBe("after");
  expect(kernel.requests).toBe(2);
});

test("the page is busy until the answer has been acted upon", async () => {
  const busy = () => (root as { solaraBusy?: boolean }).solaraBusy;
  await connect();
  await vi.waitFor(() => expect(busy()).toBe(false));
  kernel.answers = false;
  root.querySelector("button")?.click();
  expect(busy()).toBe(true);
  await vi.waitFor(() => expect(kernel.heard).toHaveLength(1));
  expect(busy()).toBe(true);
  kernel.cut();
  root.querySelector("button")?.click();
  expect(busy()).toBe(true); // it waits for a connection
  kernel.answers = true;
  await connect();
  await vi.waitFor(() => expect(busy()).toBe(false));
  expect(kernel.heard).toHaveLength(2);
});

test("roots come in order, and a widget may be shown twice", async () => {
  kernel.roots = ["button", "label", "button"];
  await connect();
  expect([...root.children].map((it) => it.textContent)).toEqual(["Go", "one", "Go"]);
});

test("changes go both ways", async () => {
  await connect();
  kernel.set("label", { value: "two" });
  await vi.waitFor(() => expect(label()).toBe("two"));
  type("hello");
  root.querySelector("button")?.click();
  await vi.waitFor(() => expect(kernel.heard).toHaveLength(2));
  expect(kernel.heard).toEqual([
    { method: "update", state: { value: "hello" }, buffer_paths: [] },
    { method: "custom", content: { event: "click" } },
  ]);
});

test("an update right behind the message that holds all state is not lost", async () => {
  const act = () => {
    kernel.connect(session);
    setTimeout(() => kernel.set("label", { value: "right behind" }));
  };
  await untilCaughtUp(act);
  await vi.waitFor(() => expect(label()).toBe("right behind"));
});

test("the same run catches up in place: the elements, the focus and the text being typed stay", async () => {
  await connect();
  const [element, field] = [root.firstElementChild, input()];
  field.focus();
  kernel.cut();
  kernel.set("label", { value: "changed meanwhile" });
  kernel.add("new", "LabelModel", { value: "made meanwhile" });
  kernel.set("box", { children: ["label", "text", "new"].map((it) => `IPY_MODEL_${it}`) });
  kernel.widgets.delete("button");
  await connect();
  expect(root.firstElementChild).toBe(element);
  expect(document.activeElement).toBe(field);
  expect(label()).toBe("changed meanwhile");
  await vi.waitFor(() => expect(root.textContent).toContain("made meanwhile"));
  await vi.waitFor(() => expect(root.querySelector("button")).toBeNull());
});

test("what has caught up goes on: changes still go both ways", async () => {
  await connect();
  kernel.cut();
  await connect();
  kernel.set("label", { value: "after" });
  type("after");
  await vi.waitFor(() => expect(label()).toBe("after"));
  await vi.waitFor(() => expect(kernel.heard).toHaveLength(1));
});

test("what is done while disconnected arrives once, before the page catches up", async () => {
  await connect();
  kernel.cut();
  type("typed offline");
  root.querySelector("button")?.click();
  await connect();
  expect(kernel.heard).toEqual([
    { method: "update", state: { value: "typed offline" }, buffer_paths: [] },
    { method: "custom", content: { event: "click" } },
  ]);
  expect(input().value).toBe("typed offline");
  kernel.cut();
  await connect();
  expect(kernel.heard).toHaveLength(2);
});

test("a control whose message died with the connection is not silent afterwards", async () => {
  await connect();
  kernel.answers = false; // the kernel is busy: it hears, and does not get to say idle
  type("first");
  type("second"); // waits in the model for the first one's idle
  await vi.waitFor(() => expect(kernel.heard).toHaveLength(1));
  kernel.cut();
  kernel.answers = true;
  await connect();
  await vi.waitFor(() => expect(kernel.heard.at(-1)).toMatchObject({ state: { value: "second" } }));
  type("third");
  await vi.waitFor(() => expect(kernel.heard.at(-1)).toMatchObject({ state: { value: "third" } }));
});

test("what is changed while all state is on its way is not overwritten by it", async () => {
  await connect();
  kernel.cut();
  kernel.requested = () => {
    kernel.answers = false; // the echo takes its time
    type("newer than the state");
  };
  await connect();
  expect(input().value).toBe("newer than the state");
});

test("an echo that died with the connection does not make the page deaf to others", async () => {
  await connect();
  kernel.answers = false;
  type("mine");
  await vi.waitFor(() => expect(kernel.heard).toHaveLength(1));
  kernel.cut();
  kernel.answers = true;
  await connect();
  const data = { method: "echo_update", state: { value: "theirs" }, buffer_paths: [] };
  kernel.say("comm_msg", { comm_id: "text", data }, { msg_id: "of another page" });
  await vi.waitFor(() => expect(input().value).toBe("theirs"));
});

test("another run is a fresh page in place: nothing of the old one stays, nothing held is sent", async () => {
  await connect();
  kernel.cut();
  root.querySelector("button")?.click();
  kernel.run = "run-2";
  kernel.widgets.clear();
  kernel.add("fresh", "LabelModel", { value: "fresh" });
  kernel.roots = ["fresh"];
  await connect();
  expect(root.textContent).toBe("fresh");
  expect(root.children).toHaveLength(1);
  expect(kernel.heard).toEqual([]);
});

test("an id that went and came back is a new widget", async () => {
  await connect();
  const old = kernel.widgets.get("label") as Record<string, unknown>;
  kernel.cut();
  kernel.widgets.delete("label");
  kernel.roots = ["text"];
  await connect();
  kernel.cut();
  kernel.widgets.set("label", old);
  kernel.add("label", "ButtonModel", { description: "once a label" });
  kernel.roots = ["label"];
  await connect();
  expect(root.querySelector("button")?.textContent).toBe("once a label");
});

test("of several pages that come while one is being shown, only the last is shown", async () => {
  let release = () => {};
  const shown: unknown[] = [];
  vi.spyOn(AllRoots.prototype, "show").mockImplementation(async (ids) => {
    shown.push(ids.main);
    if (shown.length === 1) await new Promise<void>((resolve) => (release = resolve));
  });
  kernel.connect(session);
  await vi.waitFor(() => expect(shown).toHaveLength(1));
  for (const root of ["text", "button"]) {
    kernel.cut();
    kernel.roots = [root];
    kernel.connect(session);
    await vi.waitFor(() => expect(kernel.requests).toBe(root === "text" ? 2 : 3));
    await new Promise((resolve) => setTimeout(resolve));
  }
  release();
  await vi.waitFor(() => expect(caughtUp).toHaveBeenCalledOnce());
  expect(shown).toEqual([["box"], ["button"]]);
});

test("radio buttons get the classes that lay them out", async () => {
  kernel.add("radio", "RadioButtonsModel", { _options_labels: ["a", "b"], index: 0, description: "Pick" });
  kernel.roots = ["radio"];
  await connect();
  expect([...(root.firstElementChild?.classList ?? [])]).toEqual(
    expect.arrayContaining(["widget-radio", "jupyter-widgets", "widget-inline-hbox"]),
  );
});

test("the old page stands until the new one is complete", async () => {
  await connect();
  kernel.cut();
  kernel.run = "run-2";
  kernel.widgets.clear();
  kernel.add("fresh", "LabelModel", { value: "fresh" });
  kernel.roots = ["fresh"];
  const seen: number[] = [];
  const observer = new MutationObserver(() => seen.push(root.children.length));
  observer.observe(root, { childList: true });
  await connect();
  observer.disconnect();
  expect(seen).not.toContain(0);
});

test("a page function that failed clears the page and says so, also after it worked before", async () => {
  await connect();
  kernel.cut();
  kernel.run = "run-2";
  kernel.error = { ename: "ValueError", evalue: "", traceback: null };
  await connect();
  expect(caughtUp.mock.lastCall).toEqual([{ status: "error", error: kernel.error }]);
  expect(root.children).toHaveLength(0);
});

test("a page that failed at first and works after a restart is shown", async () => {
  kernel.error = { ename: "ValueError", evalue: "", traceback: null };
  await connect();
  expect(caughtUp.mock.lastCall?.[0].status).toBe("error");
  kernel.cut();
  kernel.error = null;
  kernel.run = "run-2";
  await connect();
  expect(caughtUp.mock.lastCall).toEqual([{ status: "ok" }]);
  expect(label()).toBe("one");
});

test("the connection learns that the page was shown, whatever the page is", async () => {
  await connect();
  expect(kernel.shown).toBe(1);
  kernel.cut();
  kernel.error = { ename: "ValueError", evalue: "", traceback: null };
  await connect();
  expect(kernel.shown).toBe(2);
  kernel.cut();
  vi.spyOn(console, "error").mockImplementation(() => {});
  kernel.error = null;
  kernel.roots = ["nobody"];
  await connect();
  expect(kernel.shown).toBe(3);
});

test("a connection that is lost before it was answered leaves nothing behind", async () => {
  kernel.connect(session);
  kernel.cut();
  kernel.connect(session);
  kernel.cut();
  await connect();
  expect(label()).toBe("one");
  expect(caughtUp).toHaveBeenCalledOnce();
  expect(kernel.shown).toBe(1);
});

test("a widget made while connected appears, also when its message and all state cross", async () => {
  await connect();
  kernel.add("late", "LabelModel", { value: "late" });
  const data = { state: kernel.widgets.get("late"), buffer_paths: [] };
  const open = { comm_id: "late", target_name: "jupyter.widget", data };
  kernel.say("comm_open", open, {}, { metadata: { version: "2.1.0" } });
  kernel.set("box", { children: ["label", "late"].map((it) => `IPY_MODEL_${it}`) });
  await vi.waitFor(() => expect(root.textContent).toContain("late"));
  kernel.say("comm_open", open, {}, { metadata: { version: "2.1.0" } });
  kernel.set("late", { value: "later" });
  await vi.waitFor(() => expect(root.textContent).toContain("later"));
});

test("what is opened before all state comes may refer to widgets that the page has never heard of", async () => {
  const error = vi.spyOn(console, "error");
  const opened = (id: string) => {
    const data = { state: kernel.widgets.get(id), buffer_paths: [] };
    kernel.say(
      "comm_open",
      { comm_id: id, target_name: "jupyter.widget", data },
      {},
      { metadata: { version: "2.1.0" } },
    );
  };
  kernel.deaf = true;
  kernel.connect(session);
  opened("label"); // its layout was opened before the connection was made
  await new Promise((resolve) => setTimeout(resolve));
  kernel.cut();
  kernel.deaf = false;
  await untilCaughtUp(() => {
    kernel.connect(session);
    opened("box");
  });
  expect(label()).toBe("one");
  expect(error).not.toHaveBeenCalled();
});

test("what is opened while the state is being read is not lost", async () => {
  kernel.add("racer", "LabelModel", { value: "not in the state" });
  const racer = kernel.widgets.get("racer");
  kernel.widgets.delete("racer");
  kernel.set("box", { children: ["label", "text"].map((it) => `IPY_MODEL_${it}`) });
  await untilCaughtUp(() => {
    kernel.connect(session);
    const data = { state: racer, buffer_paths: [] };
    const open = { comm_id: "racer", target_name: "jupyter.widget", data };
    kernel.say("comm_open", open, {}, { metadata: { version: "2.1.0" } });
    kernel.set("racer", { value: "in time" });
  });
  kernel.set("box", { children: ["label", "racer"].map((it) => `IPY_MODEL_${it}`) });
  await vi.waitFor(() => expect(root.textContent).toContain("in time"));
});

test("a widget that the kernel closes goes from the page", async () => {
  kernel.roots = ["label", "button"];
  await connect();
  kernel.say("comm_close", { comm_id: "button", data: {} });
  await vi.waitFor(() => expect(root.querySelector("button")).toBeNull());
});

test("a widget of an unknown module says which one is missing, in place", async () => {
  vi.stubGlobal("fetch", async () => Response.json({ modules: {} }));
  kernel.add("map", "MapModel", {
    _model_module: "jupyter-leaflet",
    _view_module: "jupyter-leaflet",
    _view_module_version: "^0.19",
    layout: "IPY_MODEL_layout",
  });
  kernel.roots = ["label", "map"];
  await connect();
  expect(root.querySelector(".solara-missing")?.textContent).toContain("Map can't be shown");
  expect(root.querySelector(".solara-missing code")?.textContent).toBe("jupyter-leaflet ^0.19");
  kernel.cut();
  await connect();
  expect(root.querySelectorAll(".solara-missing")).toHaveLength(1);
});

test("a stream that goes on shows at once that it does, and asks for nothing", async () => {
  await connect();
  const element = root.firstElementChild;
  kernel.cut();
  caughtUp.mockReset();
  kernel.connect(session, "resumed");
  expect(caughtUp.mock.calls).toEqual([[{ status: "ok" }]]);
  expect(kernel.requests).toBe(1);
  expect(root.firstElementChild).toBe(element);
  kernel.set("label", { value: "two" });
  await vi.waitFor(() => expect(label()).toBe("two"));
});

test("a stream with a gap takes the state of everything, and keeps what is on the screen", async () => {
  await connect();
  const element = root.firstElementChild;
  kernel.cut();
  kernel.set("label", { value: "missed" });
  root.querySelector("button")?.click();
  await untilCaughtUp(() => kernel.connect(session, "gap"));
  expect(label()).toBe("missed");
  expect(kernel.requests).toBe(2);
  expect(root.firstElementChild).toBe(element);
  expect(kernel.heard).toHaveLength(1);
});

test("a page whose changes were not sent takes those of the kernel, and hears of others again", async () => {
  await connect();
  kernel.cut();
  vi.useFakeTimers({ shouldAdvanceTime: true });
  type("mine");
  vi.advanceTimersByTime(31_000); // for longer than it is kept
  Object.assign(kernel.widgets.get("text") ?? {}, { value: "the kernel's" });
  await untilCaughtUp(() => kernel.connect(session, "resumed"));
  vi.useRealTimers();
  expect(input().value).toBe("the kernel's");
  expect(kernel.requests).toBe(2);
  const data = { method: "echo_update", state: { value: "theirs" }, buffer_paths: [] };
  kernel.say("comm_msg", { comm_id: "text", data }, { msg_id: "of another page" });
  await vi.waitFor(() => expect(input().value).toBe("theirs"));
});

test("what comes to the screen while there is no connection is not called up to date", async () => {
  let release = () => {};
  vi.spyOn(AllRoots.prototype, "show").mockImplementation(() => new Promise<void>((resolve) => (release = resolve)));
  kernel.connect(session);
  await vi.waitFor(() => expect(AllRoots.prototype.show).toHaveBeenCalled());
  kernel.cut();
  release();
  await new Promise((resolve) => setTimeout(resolve));
  expect(caughtUp).not.toHaveBeenCalled();
  kernel.connect(session, "resumed");
  expect(caughtUp).toHaveBeenCalledOnce();
});

test("an answer that is not understood is reported and changes nothing", async () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  kernel.roots = [7 as unknown as string];
  kernel.connect(session);
  await vi.waitFor(() => expect(error).toHaveBeenCalled());
  expect(caughtUp).not.toHaveBeenCalled();
});

test("a root that does not exist is an error that is shown, not an empty page", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  kernel.roots = ["nobody"];
  kernel.connect(session);
  await vi.waitFor(() => expect(caughtUp.mock.lastCall?.[0].status).toBe("error"));
});

test("code that fails is told of, until it can be loaded, or the page asks anew", async () => {
  const error = { ename: "SyntaxError", evalue: "", traceback: null };
  const alert = () => document.querySelector('[role="alert"]');
  await connect();
  kernel.code(error);
  await vi.waitFor(() => expect(alert()?.textContent).toContain("SyntaxError"));
  kernel.code(null);
  await vi.waitFor(() => expect(alert()).toBeNull());
  kernel.code(error);
  await vi.waitFor(() => expect(alert()).not.toBeNull());
  kernel.cut();
  await connect();
  expect(alert()).toBeNull();
  expect(label()).toBe("one");
});

test("whoever types into a page stays there when another run of it is shown, also after one that failed", async () => {
  await connect();
  input().value = "ab cd";
  input().focus();
  input().setSelectionRange(1, 3);
  for (const run of ["run-2", "run-3"]) {
    kernel.cut();
    kernel.run = run;
    kernel.error = run === "run-2" ? { ename: "ValueError", evalue: "", traceback: null } : null;
    await connect();
  }
  expect(document.activeElement).toBe(input());
});

test("what has a name goes to its place, and leaves it again", async () => {
  const side = document.querySelector("[data-solara-root=side]") as HTMLElement;
  kernel.roots = ["label"];
  kernel.namedRoots = { side: ["button"] };
  await connect();
  expect([root, side].map((it) => it.textContent)).toEqual(["one", "Go"]);
  kernel.cut();
  kernel.run = "run-2";
  kernel.roots = ["button"];
  kernel.namedRoots = {};
  await connect();
  expect([root, side].map((it) => it.textContent)).toEqual(["Go", ""]);
});

test("a place that the page does not have is an error that is shown", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  kernel.namedRoots = { bottom: ["button"] };
  await connect();
  expect(caughtUp.mock.lastCall?.[0]).toMatchObject({
    status: "error",
    error: { evalue: expect.stringContaining('data-solara-root="bottom"') },
  });
});

test("what the page looks like comes with the answer, and later by itself", async () => {
  kernel.page = { title: "Report", theme: "dark" };
  await connect();
  expect(look.change.mock.lastCall).toEqual([{ title: "Report", theme: "dark" }]);
  kernel.changePage({ title: "3 new", other: 7 });
  await vi.waitFor(() => expect(look.change.mock.lastCall).toEqual([{ title: "3 new" }]));
  expect(caughtUp).toHaveBeenCalledOnce();
});

test("a page that has failed has a title, too", async () => {
  kernel.page = { title: "Report" };
  kernel.error = { ename: "ValueError", evalue: "", traceback: null };
  await connect();
  expect(look.change.mock.lastCall).toEqual([{ title: "Report" }]);
});

test("a link to another page of the app asks the kernel for it, which shows it", async () => {
  vi.spyOn(window, "scrollTo").mockImplementation(() => {});
  history.replaceState(null, "", "/sub/");
  await connect();
  const link = Object.assign(document.createElement("a"), { href: "/sub/report?x=1" });
  root.append(link);
  link.click();
  await vi.waitFor(() => expect(kernel.heard).toEqual([{ method: "navigate", path: "/report", query: "x=1" }]));
  expect(location.pathname).toBe("/sub/report");
  kernel.tellPage({ method: "navigated", path: "/report", query: "x=1" });
  kernel.roots = ["button"];
  kernel.run = "of the other page";
  await untilCaughtUp(() => kernel.showAgain());
  expect(root.textContent).toContain("Go");
  expect(document.activeElement).toBe(root);
  // It is not kept where the other page was, as one that is run again is.
  expect(root.style.minHeight).toBe("");
});

test("the kernel goes to another page by itself, of this app only", async () => {
  history.replaceState(null, "", "/sub/");
  await connect();
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  kernel.tellPage({ method: "navigated", path: "//elsewhere.test/", query: "" });
  await vi.waitFor(() => expect(error).toHaveBeenCalled());
  expect(location.pathname).toBe("/sub/");
  kernel.tellPage({ method: "navigated", path: "/report", query: "" });
  await vi.waitFor(() => expect(location.pathname).toBe("/sub/report"));
});
