import { expect, test } from "vitest";
import { ack, hello, PING, readWord } from "../../src/connection/words";

const welcome = {
  type: "welcome",
  stream: "s",
  seen: 3,
  from: 7,
  resync: "too-long",
  silence: 40,
  keep: { messages: 10, bytes: 100, seconds: 60 },
};
const read = (word: unknown) => readWord(JSON.stringify(word));

test("the words of the server", () => {
  expect(read(welcome)).toEqual({
    type: "welcome",
    stream: "s",
    seen: 3,
    from: 7,
    resync: "too-long",
    silenceMs: 40_000,
    keep: { messages: 10, bytes: 100, ms: 60_000 },
  });
  expect(read({ ...welcome, resync: null, silence: null, new: 1 })).toMatchObject({ resync: null, silenceMs: null });
  expect(read({ type: "ack", seen: 5 })).toEqual({ type: "ack", seen: 5 });
  expect(read({ type: "alive" })).toEqual({ type: "alive" });
  expect(read({ type: "draining", delay: 1.5 })).toEqual({ type: "draining", delayMs: 1500 });
});

test.each([
  null,
  7,
  [],
  {},
  { type: "later" },
  { type: "ack" },
  { type: "ack", seen: -1 },
  { type: "ack", seen: 1.5 },
  { type: "draining", delay: "1" },
  { ...welcome, stream: 7 },
  { ...welcome, from: undefined },
  { ...welcome, keep: null },
  { ...welcome, keep: { messages: 1, bytes: 1, seconds: -1 } },
])("anything else is none: %j", (word) => {
  expect(read(word)).toBeNull();
});

test("what is no JSON is no word", () => {
  expect(readWord("{")).toBeNull();
});

test("the words of the page", () => {
  expect(JSON.parse(hello(null, 0))).toEqual({ type: "hello", stream: null, seen: 0 });
  expect(JSON.parse(ack(7))).toEqual({ type: "ack", seen: 7 });
  expect(JSON.parse(PING)).toEqual({ type: "ping" });
});
