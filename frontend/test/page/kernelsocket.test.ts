import type { KernelMessage } from "@jupyterlab/services";
import { deserialize, serialize } from "@jupyterlab/services/lib/kernel/serialize";
import { beforeEach, expect, test, vi } from "vitest";
import { exactBuffers, KernelSocket } from "../../src/page/kernelsocket";
import { message, update } from "./messages";

const V1 = "v1.kernel.websocket.jupyter.org";
const greeting = () => message("comm_open", { comm_id: "p", target_name: "page", data: {} });

let now: number;
let stream: FakeStream;
let socket: KernelSocket;
let face: WebSocket;
let received: KernelMessage.IMessage[];
let asked: string[];

/** A stream that keeps what is sent. */
class FakeStream {
  frames: ArrayBuffer[] = [];
  up = true;
  readonly onTheWay = new Set<string>();
  readonly keep = { messages: 5, bytes: 10_000, ms: 1000 };
  send(frame: ArrayBuffer): boolean {
    if (this.up) this.frames.push(frame);
    return this.up;
  }
  isOnItsWay(id: string): boolean {
    return this.onTheWay.has(id);
  }
  /** The ids of what was sent since this was asked for last. */
  sent(): string[] {
    return this.frames.splice(0).map((frame) => deserialize(frame, V1).header.msg_id);
  }
}

beforeEach(() => {
  now = 0;
  received = [];
  asked = [];
  stream = new FakeStream();
  socket = new KernelSocket(
    stream,
    () => now,
    (it) => it.header.msg_type === "comm_open",
    (id) => asked.push(id),
  );
  const { WebSocket: Socket } = socket.settings;
  face = new Socket("ignored");
  face.onmessage = ({ data }) => received.push(data);
});

function send(...messages: KernelMessage.IMessage[]): string[] {
  for (const it of messages) face.send(it as unknown as string);
  return messages.map((it) => it.header.msg_id);
}

function framed(it: KernelMessage.IMessage): ArrayBuffer {
  return serialize(it, V1) as ArrayBuffer;
}

function idle(parent: string): ArrayBuffer {
  return framed(
    message("status", { execution_state: "idle" }, { channel: "iopub", parent_header: { msg_id: parent } }),
  );
}

/** The ids of the messages that were given an "idle", in order. */
const released = () =>
  received
    .filter((it) => it.header.msg_type === "status")
    .map((it) => (it.parent_header as KernelMessage.IHeader).msg_id);

test("it opens once, however often connections come and go, and never closes", () => {
  const onopen = vi.fn();
  const onclose = vi.fn();
  Object.assign(face, { onopen, onclose, onerror: onclose });
  for (let i = 0; i < 3; i++) {
    socket.begins(i > 0);
    socket.lost();
    socket.resumes();
    socket.lost();
  }
  expect(onopen).toHaveBeenCalledOnce();
  expect(onclose).not.toHaveBeenCalled();
});

test("messages are framed for the stream", () => {
  socket.begins(false);
  expect(face.protocol).toBe(V1);
  expect(send(update(1))).toEqual(stream.sent());
});

test("what is done while there is no connection is sent once, when it is back", () => {
  socket.begins(false);
  socket.lost();
  const ids = send(update(1), update(2));
  expect(stream.sent()).toEqual([]);
  expect(socket.isComplete).toBe(true);
  socket.resumes();
  expect(stream.sent()).toEqual(ids);
  socket.lost();
  socket.resumes();
  expect(stream.sent()).toEqual([]);
});

test("what is too old by now, or was too much, is missing", () => {
  socket.begins(false);
  socket.lost();
  send(update(1));
  now = stream.keep.ms + 1;
  expect(socket.isComplete).toBe(false);
  socket.resumes();
  expect(stream.sent()).toEqual([]);
  expect(socket.isComplete).toBe(true);
  socket.lost();
  send(...Array.from({ length: stream.keep.messages + 1 }, (_, i) => update(i)));
  expect(socket.isComplete).toBe(false);
  socket.resumes();
  expect(stream.sent()).toHaveLength(stream.keep.messages);
  expect(socket.isComplete).toBe(true);
});

test("a stream that goes on before it is known where it leads to passes greetings only", () => {
  socket.begins(true);
  socket.lost();
  const [held] = send(update(1)) as [string];
  socket.resumes();
  const [greeted] = send(greeting()) as [string];
  expect(stream.sent()).toEqual([greeted]);
  socket.deliver();
  expect(stream.sent()).toEqual([held]);
});

test("a new stream to the same run gets what was held, once that is known", () => {
  socket.begins(false);
  socket.lost();
  const ids = send(update(1), update(2));
  socket.begins(true);
  expect(stream.sent()).toEqual([]);
  socket.deliver();
  expect(stream.sent()).toEqual(ids);
});

test("a stream that goes on owes its answers still", () => {
  socket.begins(false);
  const [answered] = send(update(1)) as [string];
  socket.lost();
  socket.resumes();
  expect(released()).toEqual([]);
  socket.frame(idle(answered));
  expect(released()).toEqual([answered]);
  socket.begins(true);
  expect(released()).toEqual([answered]);
});

test("where something is missing, what was seen is told idle; what is on its way is awaited", () => {
  socket.begins(false);
  const [seen, resent] = send(update(1), update(2)) as [string, string];
  stream.onTheWay.add(resent);
  socket.lost();
  socket.resumes();
  socket.missed();
  expect(released()).toEqual([seen]);
});

test("what was sent on a stream that ended is never sent again, and told idle, so that nobody waits for it", () => {
  socket.begins(false);
  const [answered, unanswered] = send(update(1), update(2)) as [string, string];
  socket.frame(idle(answered));
  received.length = 0;
  stream.sent();
  socket.lost();
  socket.begins(true);
  socket.deliver();
  expect(stream.sent()).toEqual([]);
  expect(released()).toEqual([unanswered]);
});

test("what the stream drops is told idle, once", () => {
  socket.begins(false);
  const [dropped] = send(update(1), update(2)) as [string, string];
  socket.dropped([dropped, "unknown"]);
  socket.dropped([dropped]);
  expect(released()).toEqual([dropped]);
});

test("to another run nothing is sent, and everything is released", () => {
  socket.begins(false);
  socket.lost();
  const ids = send(update(1), update(2));
  socket.begins(true);
  socket.discard();
  expect(stream.sent()).toEqual([]);
  expect(released()).toEqual(ids);
  const later = send(update(3));
  expect(stream.sent()).toEqual(later);
});

test("while nothing is shown there is nothing to decide: what was held is released, and all messages pass", () => {
  socket.begins(false);
  socket.lost();
  const held = send(update(1));
  socket.begins(false);
  expect(released()).toEqual(held);
  const ids = send(update(2));
  expect(stream.sent()).toEqual(ids);
});

test("what is too old is released instead of sent", () => {
  socket.begins(false);
  socket.lost();
  const old = send(update(1));
  now = stream.keep.ms + 1;
  const young = send(update(2));
  socket.begins(true);
  socket.deliver();
  expect(stream.sent()).toEqual(young);
  expect(released()).toEqual(old);
});

test("what there is no room for is released at once", () => {
  socket.begins(false);
  socket.lost();
  send(...Array.from({ length: stream.keep.messages }, (_, i) => update(i)));
  expect(released()).toEqual([]);
  const refused = send(update("one too many"));
  expect(released()).toEqual(refused);
});

test("a greeting passes before it is known what the stream leads to, and is never held", () => {
  socket.begins(false);
  socket.lost();
  send(greeting());
  socket.begins(true);
  send(update(1));
  const ids = send(greeting());
  expect(stream.sent()).toEqual(ids);
});

test("a message to a socket that is on its way down waits for the next one", () => {
  socket.begins(false);
  stream.up = false;
  const ids = send(update(1));
  socket.lost();
  stream.up = true;
  socket.resumes();
  expect(stream.sent()).toEqual(ids);
});

test.each(["dead", "restarting"])("the kernel's %o is left to the end of the connection to say", (execution_state) => {
  socket.begins(false);
  socket.frame(framed(message("status", { execution_state }, { channel: "iopub" })));
  expect(received).toEqual([]);
});

test("a frame that cannot be read is reported and skipped", () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  socket.begins(false);
  socket.frame(new ArrayBuffer(0));
  socket.frame(new ArrayBuffer(3));
  expect(error).toHaveBeenCalledTimes(2);
  socket.frame(framed(update(1)));
  expect(received).toHaveLength(1);
});

test("a message that its reader refuses is reported and skipped", () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  face.onmessage = () => {
    throw new Error("not valid");
  };
  socket.begins(false);
  socket.frame(framed(update(1)));
  expect(error).toHaveBeenCalledOnce();
});

test("of a view into a larger buffer only the view travels", () => {
  const bytes = new Uint8Array([1, 2, 3, 4, 5]);
  const slice = message("comm_msg", {}, { buffers: [bytes.subarray(1, 3), bytes, new DataView(bytes.buffer, 4)] });
  const sizes = exactBuffers(slice).buffers?.map((it) => [...new Uint8Array(ArrayBuffer.isView(it) ? it.buffer : it)]);
  expect(sizes).toEqual([[2, 3], [1, 2, 3, 4, 5], [5]]);
});

test("it tells what is sent or held", () => {
  socket.begins(false);
  const sent = send(update(1), update(2));
  socket.lost();
  const held = send(update(3));
  expect(asked).toEqual([...sent, ...held]);
});
