import { expect, test } from "vitest";
import { FrameBuffer } from "../../src/connection/buffer";

const frame = (text: string) => new TextEncoder().encode(text).buffer;

/** A buffer that greets with a number of its own each time, and a listener that keeps what it is told. */
function begin() {
  let greetings = 0;
  const log: string[] = [];
  return {
    buffer: new FrameBuffer(() => ++greetings),
    log,
    listener: {
      greeted: (hello: number) => log.push(`greeted ${hello}`),
      opened: (beginning: string) => log.push(beginning),
      frame: (data: ArrayBuffer) => log.push(new TextDecoder().decode(data)),
      lost: () => log.push("lost"),
      dropped: () => log.push("dropped"),
    },
  };
}

test("what was said before is told in order, after the greeting", () => {
  const { buffer, listener, log } = begin();
  buffer.opened("new");
  buffer.frame(frame("a"));
  buffer.frame(frame("b"));
  buffer.handOver(listener);
  expect(log).toEqual(["greeted 1", "new", "a", "b"]);
});

test("a connection that is lost in the meantime loses nothing", () => {
  const { buffer, listener, log } = begin();
  buffer.opened("new");
  buffer.frame(frame("a"));
  buffer.lost();
  buffer.opened("resumed");
  buffer.frame(frame("b"));
  buffer.lost();
  buffer.handOver(listener);
  expect(log).toEqual(["greeted 1", "new", "a", "b", "lost"]);
});

test.each(["new", "gap"] as const)("what came before a %s is out of date, and asked for again", (beginning) => {
  const { buffer, listener, log } = begin();
  buffer.opened("new");
  buffer.frame(frame("a"));
  buffer.lost();
  buffer.opened(beginning);
  buffer.frame(frame("b"));
  buffer.handOver(listener);
  expect(log).toEqual(["greeted 2", "new", "b"]);
});

test("where nothing has begun nothing is told", () => {
  const { buffer, listener, log } = begin();
  buffer.dropped();
  buffer.handOver(listener);
  expect(log).toEqual([]);
});
