import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Liveness, PATIENCE_MS, RECENT_MS } from "../../src/connection/liveness";

const ask = vi.fn();
const giveUp = vi.fn();
let liveness: Liveness;

beforeEach(() => {
  vi.useFakeTimers();
  ask.mockReset();
  giveUp.mockReset();
  liveness = new Liveness({ ask, giveUp, now: () => Date.now() });
});
afterEach(() => vi.useRealTimers());

test("a connection that was heard of lately is not asked", () => {
  vi.advanceTimersByTime(RECENT_MS - 1);
  liveness.check();
  expect(ask).not.toHaveBeenCalled();
});

test("one that was silent is asked, and an answer is enough", () => {
  vi.advanceTimersByTime(RECENT_MS);
  liveness.check();
  expect(ask).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(PATIENCE_MS - 1);
  liveness.heard();
  vi.advanceTimersByTime(PATIENCE_MS);
  expect(giveUp).not.toHaveBeenCalled();
});

test("one that does not answer is given up", () => {
  vi.advanceTimersByTime(RECENT_MS);
  liveness.check();
  vi.advanceTimersByTime(PATIENCE_MS);
  expect(giveUp).toHaveBeenCalledOnce();
});

test("one question at a time", () => {
  vi.advanceTimersByTime(RECENT_MS);
  liveness.check();
  liveness.check();
  expect(ask).toHaveBeenCalledOnce();
});

test("a connection that is gone is not given up once more", () => {
  vi.advanceTimersByTime(RECENT_MS);
  liveness.check();
  liveness.stop();
  vi.advanceTimersByTime(PATIENCE_MS);
  expect(giveUp).not.toHaveBeenCalled();
});

test("what is expected and does not come in its time is not there", () => {
  liveness.expect(20_000);
  liveness.expect(1); // it is being waited for
  vi.advanceTimersByTime(19_999);
  expect(giveUp).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(giveUp).toHaveBeenCalledOnce();
});

test("a connection on which nothing comes any more is given up, once", () => {
  liveness.watch(40_000);
  vi.advanceTimersByTime(30_000);
  liveness.heard();
  vi.advanceTimersByTime(39_999);
  expect(giveUp).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(giveUp).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(100_000);
  expect(giveUp).toHaveBeenCalledOnce();
});

test("after a sleep, and after the clock was set back, the watch goes on", () => {
  liveness.watch(40_000);
  vi.setSystemTime(Date.now() - 3_600_000);
  vi.advanceTimersByTime(40_000); // fires, and finds a past that has not come yet
  expect(giveUp).not.toHaveBeenCalled();
  vi.setSystemTime(Date.now() + 3_600_000); // the timers stood still
  vi.advanceTimersByTime(40_000);
  expect(giveUp).toHaveBeenCalledOnce();
});

test("with a clock that was set back the connection is asked, and still watched", () => {
  liveness.watch(40_000);
  vi.setSystemTime(Date.now() - 3_600_000);
  liveness.check();
  expect(ask).toHaveBeenCalledOnce();
  liveness.heard();
  vi.advanceTimersByTime(80_000);
  expect(giveUp).toHaveBeenCalledOnce();
});

test("a connection that is gone is not watched", () => {
  liveness.watch(40_000);
  liveness.stop();
  expect(vi.getTimerCount()).toBe(0);
});
