/** What the kernel prints outside of any output widget, at the foot of the page. */
import type { IOutput } from "@jupyterlab/nbformat";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { PageResult } from "../../src/connection/state";
import { countOf } from "../../src/page/console";
import { PageSession } from "../../src/page/session";
import { findPlaces } from "../../src/places";
import { FakeKernel } from "./fakekernel";
import { stubResizes } from "./resizes";

const caughtUp = vi.fn<(page: PageResult) => void>();
let lifetime: AbortController;
let kernel: FakeKernel;
let session: PageSession;
let resized: () => void;

beforeEach(() => {
  lifetime = new AbortController();
  document.body.innerHTML = '<div id="solara-app" data-solara-root></div>';
  caughtUp.mockReset();
  resized = stubResizes();
  // jsdom loads no style sheets: each arrives at once.
  vi.spyOn(document.head, "append").mockImplementation((link) => (link as Node).dispatchEvent(new Event("load")));
  kernel = new FakeKernel();
  const config = { baseUrl: "/", kernelId: "k", pageId: "p", debug: false, widgetsCdn: null, look: {}, pages: [] };
  const look = { change: vi.fn() };
  const { signal } = lifetime;
  session = new PageSession({ config, places: findPlaces(document), look, signal, stream: kernel.stream, caughtUp });
});
afterEach(() => {
  lifetime.abort();
  vi.unstubAllGlobals();
});

async function connect(): Promise<void> {
  const before = caughtUp.mock.calls.length;
  kernel.connect(session);
  await vi.waitFor(() => expect(caughtUp.mock.calls.length).toBeGreaterThan(before));
}

const badge = () => document.querySelector<HTMLButtonElement>(".solara-console-badge");
const panel = () => document.querySelector<HTMLElement>(".solara-console");
const log = () => document.querySelector<HTMLElement>("[role=log]");
const action = (name: string) =>
  [...document.querySelectorAll<HTMLButtonElement>(".solara-console .solara-notice-action")].find(
    (it) => it.textContent === name,
  );
const untilBadge = (text: string) =>
  vi.waitFor(() => {
    expect(badge()?.textContent).toBe(text);
    expect(badge()?.hidden).toBe(false);
  });

test("lines and displays are counted", () => {
  const stream = (text: string | string[]) => ({ output_type: "stream", name: "stdout", text }) as IOutput;
  const display = { output_type: "display_data", data: {}, metadata: {} } as IOutput;
  expect(countOf([])).toBe(0);
  expect(countOf([stream("a\nb\n"), display, stream("a")])).toBe(4);
  expect(countOf([stream(["a", "b"])])).toBe(1);
});

test("nothing is there while nothing is printed", async () => {
  await connect();
  expect(badge()).toBeNull();
});

test("what was printed before the page came is there, and what is printed then", async () => {
  kernel.print("out", "one\ntwo\n");
  await connect();
  await untilBadge("Output (2)");
  expect(panel()?.hidden).toBe(true);
  kernel.set("out", { outputs: [{ output_type: "stream", name: "stdout", text: "one\ntwo\nthree\n" }] });
  await untilBadge("Output (3)");
  expect(log()?.textContent).toContain("three");
});

test("a console that comes into being later is shown then", async () => {
  await connect();
  kernel.print("out", "late\n");
  await untilBadge("Output (1)");
});

test("it opens, closes and is cleared, also by the keyboard", async () => {
  kernel.print("out", "one\n");
  await connect();
  await untilBadge("Output (1)");
  badge()?.click();
  expect(panel()?.hidden).toBe(false);
  expect(badge()?.hidden).toBe(true);
  expect(document.activeElement).toBe(log());
  log()?.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
  log()?.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  expect(panel()?.hidden).toBe(true);
  expect(document.activeElement).toBe(badge());
  badge()?.click();
  action("Clear")?.click();
  await vi.waitFor(() => expect(kernel.widgets.get("out")?.outputs).toEqual([]));
  expect(panel()?.hidden).toBe(false);
  action("Close")?.click();
  expect(badge()?.hidden).toBe(true);
});

test("the newest stays in sight, unless somebody reads what is older", async () => {
  kernel.print("out", "one\n");
  await connect();
  await untilBadge("Output (1)");
  const element = log() as HTMLElement;
  Object.defineProperties(element, { scrollHeight: { value: 500 }, clientHeight: { value: 100 } });
  resized();
  expect(element.scrollTop).toBe(500);
  element.scrollTop = 40;
  element.dispatchEvent(new Event("scroll"));
  resized();
  expect(element.scrollTop).toBe(40);
});

test("a page function that fails shows what it printed before", async () => {
  kernel.print("out", "before\n");
  kernel.error = { ename: "LookupError", evalue: "", traceback: null };
  await connect();
  await untilBadge("Output (1)");
  expect(caughtUp.mock.lastCall).toEqual([{ status: "error", error: kernel.error }]);
});

test("the console of another run takes the place of the old one, and none is no panel", async () => {
  kernel.print("out", "one\n");
  await connect();
  await untilBadge("Output (1)");
  badge()?.click();
  kernel.cut();
  kernel.run = "run-2";
  kernel.widgets.clear();
  kernel.print("other", "a\nb\n");
  await connect();
  await vi.waitFor(() => expect(log()?.textContent).toContain("b"));
  expect(log()?.textContent).not.toContain("one");
  kernel.cut();
  kernel.run = "run-3";
  kernel.widgets.clear();
  kernel.console = undefined;
  await connect();
  await vi.waitFor(() => expect(panel()?.hidden).toBe(true));
  expect(badge()?.hidden).toBe(true);
});
