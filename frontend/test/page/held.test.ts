import { expect, test } from "vitest";
import { Held } from "../../src/page/held";
import { message, update } from "./messages";

const KEEP = { messages: 5, bytes: 1000, ms: 100 };

test("what is held comes out once, in order", () => {
  const held = new Held(() => KEEP);
  const messages = [update(1), update(2), update(3)];
  for (const it of messages) expect(held.add(it, 0)).toBe(true);
  expect(held.take(0)).toEqual({ fresh: messages, stale: [] });
  expect(held.take(0)).toEqual({ fresh: [], stale: [] });
});

test("what is too old comes out as stale, at the limit it does not yet", () => {
  const held = new Held(() => KEEP);
  const [old, young] = [update(1), update(2)];
  held.add(old, 0);
  held.add(young, 1);
  expect(held.take(KEEP.ms + 1)).toEqual({ fresh: [young], stale: [old] });
});

test("the number is bounded, and the first stay", () => {
  const held = new Held(() => KEEP);
  for (let i = 0; i < KEEP.messages; i++) expect(held.add(update(i), 0)).toBe(true);
  expect(held.add(update("one too many"), 0)).toBe(false);
  expect(held.take(0).fresh).toHaveLength(KEEP.messages);
  expect(held.add(update("room again"), 0)).toBe(true);
});

test("the bytes are bounded, buffers counted in", () => {
  const held = new Held(() => KEEP);
  const big = message("comm_msg", {}, { buffers: [new ArrayBuffer(KEEP.bytes - 2)] }); // "{}" is two more
  const bigger = message("comm_msg", {}, { buffers: [new ArrayBuffer(KEEP.bytes - 1)] });
  expect(held.add(bigger, 0)).toBe(false);
  expect(held.add(big, 0)).toBe(true);
  expect(held.add(update("small"), 0)).toBe(false);
});
