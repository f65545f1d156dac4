import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ConnectionState } from "../../src/connection/state";
import { CONNECTING_AFTER_MS, Notices, RECONNECTING_AFTER_MS } from "../../src/notices/notices";
import { wordsForEnd } from "../../src/notices/words";

const OPEN: ConnectionState = { kind: "open", page: { status: "ok" } };
const tryNow = vi.fn();
const startAfresh = vi.fn();
let root: HTMLElement;
let other: HTMLElement;
let notices: Notices;

beforeEach(() => {
  vi.useFakeTimers();
  document.body.innerHTML = '<div id="solara-app"></div><div id="other"></div>';
  root = document.getElementById("solara-app") as HTMLElement;
  other = document.getElementById("other") as HTMLElement;
  tryNow.mockReset();
  startAfresh.mockReset();
  notices = new Notices({ document, roots: [root, other], tryNow, startAfresh });
});
afterEach(() => vi.useRealTimers());

function failedPage(evalue: string, traceback: string | null): ConnectionState {
  return { kind: "open", page: { status: "error", error: { ename: "ValueError", evalue, traceback } } };
}

const status = () => document.querySelector('[role="status"]')?.textContent;
const alert = () => document.querySelector('[role="alert"]');

test.each<[ConnectionState, string]>([
  [{ kind: "connecting", failures: 0, full: false }, "connecting"],
  [OPEN, "open"],
  [failedPage("", null), "error"],
  [{ kind: "reconnecting", failures: 0, full: false }, "reconnecting"],
  [{ kind: "ended", reason: "culled" }, "ended"],
])("the root elements carry the state: %o is %s", (state, expected) => {
  notices.show(state);
  expect([root, other].map((it) => it.dataset.solaraState)).toEqual([expected, expected]);
  expect([root, other].map((it) => it.inert ?? false)).toEqual(Array(2).fill(expected === "ended"));
});

test("a quick connection needs no word", () => {
  notices.show({ kind: "connecting", failures: 0, full: false });
  vi.advanceTimersByTime(CONNECTING_AFTER_MS - 1);
  notices.show(OPEN);
  vi.advanceTimersByTime(60_000);
  expect(status()).toBe("");
});

test("a slow connection gets one, which goes when it is there", () => {
  notices.show({ kind: "connecting", failures: 0, full: false });
  vi.advanceTimersByTime(CONNECTING_AFTER_MS);
  expect(status()).toBe("Connecting…");
  notices.show(OPEN);
  expect(status()).toBe("");
});

test("a short interruption needs no word", () => {
  notices.show(OPEN);
  notices.show({ kind: "reconnecting", failures: 0, full: false });
  vi.advanceTimersByTime(RECONNECTING_AFTER_MS - 1);
  expect(status()).toBe("");
});

test("failed attempts do not put the moment off", () => {
  notices.show({ kind: "reconnecting", failures: 0, full: false });
  vi.advanceTimersByTime(RECONNECTING_AFTER_MS - 1);
  notices.show({ kind: "reconnecting", failures: 1, full: false });
  vi.advanceTimersByTime(1);
  expect(status()).toContain("Connection lost");
});

test("a notice that stands changes its words in place", () => {
  notices.show({ kind: "reconnecting", failures: 0, full: false });
  vi.advanceTimersByTime(RECONNECTING_AFTER_MS);
  const notice = document.querySelector(".solara-notice");
  notices.show({ kind: "reconnecting", failures: 9, full: false });
  expect(document.querySelector(".solara-notice")).toBe(notice);
  expect(status()).toContain("Still no connection");
});

test("whoever does not want to wait can try at once", () => {
  notices.show({ kind: "reconnecting", failures: 0, full: false });
  vi.advanceTimersByTime(RECONNECTING_AFTER_MS);
  document.querySelector("button")?.click();
  expect(tryNow).toHaveBeenCalledOnce();
});

test("an unreachable server at the first connection is named, with a way to try at once", () => {
  notices.show({ kind: "connecting", failures: 0, full: false });
  vi.advanceTimersByTime(CONNECTING_AFTER_MS);
  expect(document.querySelector("button")).toBeNull();
  notices.show({ kind: "connecting", failures: 1, full: false });
  expect(status()).toContain("cannot be reached");
  expect(document.querySelectorAll("button")).toHaveLength(1);
});

test("a full server is named", () => {
  notices.show({ kind: "connecting", failures: 1, full: true });
  vi.advanceTimersByTime(CONNECTING_AFTER_MS);
  expect(status()).toContain("The server is full");
});

test("an ended session says why, offers a fresh start, and takes no more clicks", () => {
  notices.show({ kind: "ended", reason: "culled" });
  expect(alert()?.textContent).toContain(wordsForEnd("culled").title);
  expect(root.inert).toBe(true);
  expect(startAfresh).not.toHaveBeenCalled();
  alert()?.querySelector("button")?.click();
  expect(startAfresh).toHaveBeenCalledOnce();
});

test("the end replaces what was said about the connection", () => {
  notices.show({ kind: "reconnecting", failures: 0, full: false });
  vi.advanceTimersByTime(RECONNECTING_AFTER_MS);
  notices.show({ kind: "ended", reason: "server-shutdown" });
  expect(document.querySelector(".solara-notice")).toBeNull();
});

test("a page that failed says so in plain words in production", () => {
  notices.show(failedPage("", null));
  expect(alert()?.textContent).toContain("could not be shown");
  expect(alert()?.textContent).not.toContain("ValueError");
  expect(document.querySelector("pre")).toBeNull();
});

test("in debug mode it shows what is wrong, as text", async () => {
  notices.show(failedPage("<b>bad</b>", "Traceback…\n  <img src=x>"));
  await vi.dynamicImportSettled();
  expect(alert()?.querySelector("code")?.textContent).toBe("ValueError: <b>bad</b>");
  expect(alert()?.querySelector("b, img")).toBeNull();
});

test("a page that works after it failed clears the panel", () => {
  notices.show(failedPage("", null));
  notices.show(OPEN);
  expect(alert()).toBeNull();
});

test("a program that did not arrive is no reason to wait", () => {
  notices.show({ kind: "connecting", failures: 0, full: false });
  notices.notLoaded();
  vi.advanceTimersByTime(60_000);
  expect(status()).toBe("");
  expect(alert()?.textContent).toContain("could not be loaded");
});

test.each([
  "culled",
  "page-closed",
  "evicted",
  "server-shutdown",
  "signed-out",
  "unknown",
  "gone",
  "invalid-kernel-id",
  "no-such-page",
  "operator",
])("%s has words of its own", (reason) => {
  expect(wordsForEnd(reason).title).not.toBe(wordsForEnd("closed").title);
});

test.each(["closed", "", "constructor", "__proto__", "a-reason-of-tomorrow"])("%o gets general words", (reason) => {
  expect(wordsForEnd(reason).title).toBe("This session has ended");
});

test.each(["expired", "unknown", "gone", "foreign-session"])(
  "%s: a server that was restarted does not know it",
  (reason) => {
    expect(wordsForEnd(reason).title).toBe("This session is no longer there");
    expect(wordsForEnd(reason).text).toContain("may have been restarted");
  },
);
