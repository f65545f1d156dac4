import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { pause } from "../../src/connection/pause";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("a pause ends after its time", async () => {
  const over = vi.fn();
  void pause(100).then(over);
  await vi.advanceTimersByTimeAsync(99);
  expect(over).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(over).toHaveBeenCalled();
});

test.each([0, 1])("any of the signals ends it early, and leaves no timer: %i", async (i) => {
  const controllers = [new AbortController(), new AbortController()];
  const over = pause(100, ...controllers.map((it) => it.signal));
  controllers[i]?.abort();
  await over;
  expect(vi.getTimerCount()).toBe(0);
});

test("a signal that has aborted already leaves nothing to wait for", async () => {
  await pause(100, AbortSignal.abort());
  expect(vi.getTimerCount()).toBe(0);
});

test("a signal that outlives many pauses does not collect their listeners", async () => {
  const { signal } = new AbortController();
  const listen = vi.spyOn(signal, "addEventListener");
  const over = pause(100, signal);
  await vi.advanceTimersByTimeAsync(100);
  await over;
  const [, , options] = listen.mock.lastCall ?? [];
  expect((options as AddEventListenerOptions).signal?.aborted).toBe(true);
});
