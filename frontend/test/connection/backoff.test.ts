import { expect, test } from "vitest";
import { LONGEST_WAIT_MS, waitBefore } from "../../src/connection/backoff";

test("the wait doubles with each failure", () => {
  const waits = [0, 1, 2, 3].map((failures) => waitBefore(failures, () => 0));
  expect(waits).toEqual([125, 250, 500, 1000]);
});

test("the wait is drawn from the upper half of its range", () => {
  expect(waitBefore(2, () => 0)).toBe(500);
  expect(waitBefore(2, () => 0.5)).toBe(750);
  expect(waitBefore(2, () => 1)).toBe(1000);
});

test("the wait has a limit, however many attempts have failed", () => {
  for (const failures of [10, 100, 10_000]) expect(waitBefore(failures, () => 1)).toBe(LONGEST_WAIT_MS);
});
