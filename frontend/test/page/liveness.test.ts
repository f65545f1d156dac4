import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Liveness, PATIENCE_MS, RECENT_MS } from "../../src/page/liveness";

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
