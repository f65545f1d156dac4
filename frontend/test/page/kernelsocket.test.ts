import type { KernelMessage } from "@jupyterlab/services";
import { deserialize, serialize } from "@jupyterlab/services/lib/kernel/serialize";
import { beforeEach, expect, test, vi } from "vitest";
import type { Connection } from "../../src/connection/link";
import { HELD_MESSAGES, HELD_MS } from "../../src/page/held";
import { exactBuffers, KernelSocket } from "../../src/page/kernelsocket";
import { message, update } from "./messages";

const V1 = "v1.kernel.websocket.jupyter.org";
const greeting = () => message("comm_open", { comm_id: "p", target_name: "page", data: {} });

let now: number;
let socket: KernelSocket;
let face: WebSocket;
let received: KernelMessage.IMessage[];
let asked: string[];

/** A connection that keeps what is sent. */
class FakeConnection implements Connection {
  readonly frames: (string | ArrayBuffer)[] = [];
  up = true;
  readonly protocol: string;
  constructor(protocol = "") {
    this.protocol = protocol;
  }
  send(frame: string | ArrayBuffer): boolean {
    if (this.up) this.frames.push(frame);
    return this.up;
  }
  drop(): void {}
  shown(): void {}
  get ids(): string[] {
    return this.frames.map((frame) => deserialize(frame as ArrayBuffer, this.protocol).header.msg_id);
  }
}

beforeEach(() => {
  now = 0;
  received = [];
  asked = [];
  socket = new KernelSocket(
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

function idle(parent: string): string {
  const status = message(
    "status",
    { execution_state: "idle" },
    { channel: "iopub", parent_header: { msg_id: parent } },
  );
  return serialize(status) as string;
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
    socket.opened(new FakeConnection(), i > 0);
    socket.lost();
  }
  expect(onopen).toHaveBeenCalledOnce();
  expect(onclose).not.toHaveBeenCalled();
});

test.each(["", V1])("messages are framed for the connection of the moment: %o", (protocol) => {
  const connection = new FakeConnection(protocol);
  socket.opened(connection, false);
  expect(face.protocol).toBe(protocol);
  const ids = send(update(1));
  expect(connection.ids).toEqual(ids);
  expect(typeof connection.frames[0]).toBe(protocol ? "object" : "string");
});

test("what is done while there is no connection is sent once, to the same run", () => {
  socket.opened(new FakeConnection(), false);
  socket.lost();
  const ids = send(update(1), update(2));
  const second = new FakeConnection();
  socket.opened(second, true);
  expect(second.ids).toEqual([]);
  expect(socket.deliver()).toBe(0);
  expect(second.ids).toEqual(ids);
  socket.lost();
  const third = new FakeConnection();
  socket.opened(third, true);
  socket.deliver();
  expect(third.ids).toEqual([]);
});

test("what was sent to a connection that died is never sent again", () => {
  const first = new FakeConnection();
  socket.opened(first, false);
  const ids = send(update(1));
  socket.lost();
  const second = new FakeConnection();
  socket.opened(second, true);
  socket.deliver();
  expect(first.ids).toEqual(ids);
  expect(second.ids).toEqual([]);
});

test("what the kernel will not answer any more is told idle, so that nobody waits for it", () => {
  socket.opened(new FakeConnection(), false);
  const [answered, unanswered] = send(update(1), update(2)) as [string, string];
  socket.frame(idle(answered));
  received.length = 0;
  socket.lost();
  expect(released()).toEqual([unanswered]);
});

test("nothing is released twice", () => {
  socket.opened(new FakeConnection(), false);
  const ids = send(update(1));
  socket.lost();
  socket.opened(new FakeConnection(), true);
  socket.lost();
  expect(released()).toEqual(ids);
});

test("to another run nothing is sent, and everything is released", () => {
  socket.opened(new FakeConnection(), false);
  socket.lost();
  const ids = send(update(1), update(2));
  const second = new FakeConnection();
  socket.opened(second, true);
  expect(socket.discard()).toBe(2);
  expect(second.ids).toEqual([]);
  expect(released()).toEqual(ids);
  const later = send(update(3));
  expect(second.ids).toEqual(later);
});

test("while nothing is shown there is nothing to decide: what was held is released, and all messages pass", () => {
  socket.opened(new FakeConnection(), false);
  socket.lost();
  const held = send(update(1));
  const second = new FakeConnection();
  socket.opened(second, false);
  expect(released()).toEqual(held);
  const ids = send(update(2));
  expect(second.ids).toEqual(ids);
});

test("what is too old is released instead of sent", () => {
  socket.opened(new FakeConnection(), false);
  socket.lost();
  const old = send(update(1));
  now = HELD_MS + 1;
  const young = send(update(2));
  const second = new FakeConnection();
  socket.opened(second, true);
  expect(socket.deliver()).toBe(1);
  expect(second.ids).toEqual(young);
  expect(released()).toEqual(old);
});

test("what there is no room for is released at once", () => {
  socket.opened(new FakeConnection(), false);
  socket.lost();
  send(...Array.from({ length: HELD_MESSAGES }, (_, i) => update(i)));
  expect(released()).toEqual([]);
  const refused = send(update("one too many"));
  expect(released()).toEqual(refused);
});

test("a greeting passes before it is known what the connection leads to, and is never held", () => {
  socket.opened(new FakeConnection(), false);
  socket.lost();
  send(greeting());
  const second = new FakeConnection();
  socket.opened(second, true);
  send(update(1));
  const ids = send(greeting());
  expect(second.ids).toEqual(ids);
});

test("a message to a socket that is on its way down waits for the next one", () => {
  const first = new FakeConnection();
  socket.opened(first, false);
  first.up = false;
  const ids = send(update(1));
  socket.lost();
  const second = new FakeConnection();
  socket.opened(second, true);
  socket.deliver();
  expect(second.ids).toEqual(ids);
});

test.each(["dead", "restarting"])("the kernel's %o is left to the end of the connection to say", (execution_state) => {
  socket.opened(new FakeConnection(), false);
  socket.frame(serialize(message("status", { execution_state }, { channel: "iopub" })));
  expect(received).toEqual([]);
});

test("a frame that cannot be read is reported and skipped", () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  socket.opened(new FakeConnection(), false);
  socket.frame("no json");
  socket.frame(new ArrayBuffer(3));
  expect(error).toHaveBeenCalledTimes(2);
  socket.frame(serialize(update(1)));
  expect(received).toHaveLength(1);
});

test("a message that its reader refuses is reported and skipped", () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  face.onmessage = () => {
    throw new Error("not valid");
  };
  socket.opened(new FakeConnection(), false);
  socket.frame(serialize(update(1)));
  expect(error).toHaveBeenCalledOnce();
});

test("of a view into a larger buffer only the view travels", () => {
  const bytes = new Uint8Array([1, 2, 3, 4, 5]);
  const slice = message("comm_msg", {}, { buffers: [bytes.subarray(1, 3), bytes, new DataView(bytes.buffer, 4)] });
  const sizes = exactBuffers(slice).buffers?.map((it) => [...new Uint8Array(ArrayBuffer.isView(it) ? it.buffer : it)]);
  expect(sizes).toEqual([[2, 3], [1, 2, 3, 4, 5], [5]]);
});

test("it tells what is sent or held, and knows whether an answer is awaited", () => {
  socket.opened(new FakeConnection(), false);
  const [first = "", second = ""] = send(update(1), update(2));
  socket.frame(idle(first));
  expect(socket.isAwaited).toBe(true);
  socket.frame(idle(second));
  expect(socket.isAwaited).toBe(false);
  socket.lost();
  const [third] = send(update(3));
  expect(socket.isAwaited).toBe(false);
  expect(asked).toEqual([first, second, third]);
});
