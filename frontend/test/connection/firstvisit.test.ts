import { beforeEach, expect, test } from "vitest";
import { type Entry, forgetTries, triesAnew } from "../../src/connection/firstvisit";

let state: Record<string, unknown> | null;
const entry: Entry = {
  get state() {
    return state;
  },
  replaceState(fresh) {
    state = fresh;
  },
};

beforeEach(() => {
  state = null;
});

test.each(["invalid-kernel-id", "foreign-session", "no-session", "expired"])(
  "%s is tried anew, three times",
  (reason) => {
    state = { of: "another" };
    expect([1, 2, 3, 4].map(() => triesAnew(reason, entry))).toEqual([true, true, true, false]);
    expect(state).toMatchObject({ of: "another" });
  },
);

test.each(["culled", "signed-out", "foreign-user"])("%s stands", (reason) => {
  expect(triesAnew(reason, entry)).toBe(false);
  expect(state).toBeNull();
});

test("who is let in has all tries again", () => {
  state = { of: "another" };
  triesAnew("expired", entry);
  forgetTries(entry);
  expect(state).toEqual({ of: "another" });
  expect(triesAnew("expired", entry)).toBe(true);
});

test("who has never tried has nothing to forget", () => {
  forgetTries(entry);
  expect(state).toBeNull();
});
