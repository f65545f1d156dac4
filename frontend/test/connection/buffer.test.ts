import { expect, test } from "vitest";
import { FrameBuffer } from "../../src/connection/buffer";
import type { Connection, LinkListener } from "../../src/connection/link";

const connection: Connection = { protocol: "", send: () => true, drop: () => {}, shown: () => {} };

function recorder(): LinkListener & { log: string[] } {
  const log: string[] = [];
  return {
    log,
    opened: () => log.push("opened"),
    frame: (data) => log.push(String(data)),
    lost: () => log.push("lost"),
  };
}

test("what was said before is told in order", () => {
  const buffer = new FrameBuffer(() => {});
  buffer.opened(connection);
  buffer.frame("a");
  buffer.frame("b");
  const listener = recorder();
  buffer.handOver(listener);
  expect(listener.log).toEqual(["opened", "a", "b"]);
});

test("a connection that came and went in the meantime is not told of", () => {
  const buffer = new FrameBuffer(() => {});
  buffer.opened(connection);
  buffer.frame("a");
  buffer.lost();
  const listener = recorder();
  buffer.handOver(listener);
  expect(listener.log).toEqual([]);
});

test("each connection is greeted once, when it opens", () => {
  const greeted: Connection[] = [];
  const buffer = new FrameBuffer((it) => greeted.push(it));
  buffer.opened(connection);
  buffer.handOver(recorder());
  expect(greeted).toEqual([connection]);
});
