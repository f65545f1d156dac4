import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { announceLeaving, wakeOnReturn } from "../src/leaving";

let lifetime: AbortController;
const window = new EventTarget();

beforeEach(() => {
  lifetime = new AbortController();
});
afterEach(() => lifetime.abort());

function transition(type: string, persisted: boolean): Event {
  return Object.assign(new Event(type), { persisted });
}

function visible(state: DocumentVisibilityState): void {
  vi.spyOn(document, "visibilityState", "get").mockReturnValue(state);
  document.dispatchEvent(new Event("visibilitychange"));
}

test("a page that is left for good says so, once per leaving", () => {
  const sendBeacon = vi.fn();
  announceLeaving(window, { closePath: "/close", sendBeacon }, lifetime.signal);
  window.dispatchEvent(transition("pagehide", false));
  expect(sendBeacon.mock.calls).toEqual([["/close"]]);
});

test("a page that goes into the back/forward cache is not closed", () => {
  const sendBeacon = vi.fn();
  announceLeaving(window, { closePath: "/close", sendBeacon }, lifetime.signal);
  window.dispatchEvent(transition("pagehide", true));
  expect(sendBeacon).not.toHaveBeenCalled();
});

test("downloads and mail links close nothing: beforeunload is not listened to", () => {
  const sendBeacon = vi.fn();
  announceLeaving(window, { closePath: "/close", sendBeacon }, lifetime.signal);
  window.dispatchEvent(new Event("beforeunload"));
  expect(sendBeacon).not.toHaveBeenCalled();
});

test("the network, a look, and the way back from the cache wake the page", () => {
  const wake = vi.fn();
  wakeOnReturn(window, document, wake, lifetime.signal);
  window.dispatchEvent(new Event("online"));
  expect(wake).toHaveBeenCalledTimes(1);
  visible("visible");
  expect(wake).toHaveBeenCalledTimes(2);
  window.dispatchEvent(transition("pageshow", true));
  expect(wake).toHaveBeenCalledTimes(3);
});

test("a first show and a look away wake nothing", () => {
  const wake = vi.fn();
  wakeOnReturn(window, document, wake, lifetime.signal);
  window.dispatchEvent(transition("pageshow", false));
  visible("hidden");
  expect(wake).not.toHaveBeenCalled();
});

test("nothing is listened to after the lifetime", () => {
  const wake = vi.fn();
  wakeOnReturn(window, document, wake, lifetime.signal);
  lifetime.abort();
  window.dispatchEvent(new Event("online"));
  expect(wake).not.toHaveBeenCalled();
});
