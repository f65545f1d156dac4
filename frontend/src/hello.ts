/**
 * The first words of a page that shows nothing yet: what to show, and the state of all widgets.
 *
 * Said as soon as the websocket is open, by the small entry, so that the kernel's answers are there by the time
 * everything that renders widgets has been loaded and evaluated. Framed here, as Jupyter's own serializer is not there
 * yet.
 */
import type { PageConfig } from "./config";

export const PAGE_TARGET = "solara_ctx.page";
export const CONTROL_TARGET = "jupyter.widget.control";
export const CONTROL_VERSION = "1.0.0";

/** The comms on which the answers will come. */
export interface Hello {
  readonly page: string;
  readonly control: string;
}

/** @param send Sends one message of that id. */
export function sayHello(send: (frame: ArrayBuffer, id: string) => unknown, config: Pick<PageConfig, "pageId">): Hello {
  const say = (msg_type: string, content: object, metadata = {}) => {
    const id = newId();
    const header = {
      msg_id: id,
      msg_type,
      session: config.pageId,
      username: "page",
      date: new Date().toISOString(),
      version: "5.4",
    };
    send(frame("shell", [header, {}, metadata, content]), id);
  };
  const hello = { page: newId(), control: newId() };
  say("comm_open", { comm_id: hello.page, target_name: PAGE_TARGET, data: {} });
  say("comm_open", { comm_id: hello.control, target_name: CONTROL_TARGET, data: {} }, { version: CONTROL_VERSION });
  say("comm_msg", { comm_id: hello.control, data: { method: "request_states" } });
  return hello;
}

/** Jupyter's framing `v1.kernel.websocket.jupyter.org`: the number of offsets, the offsets, and what they point to. */
function frame(channel: string, parts: readonly object[]): ArrayBuffer {
  const encoder = new TextEncoder();
  const pieces = [channel, ...parts.map((part) => JSON.stringify(part))].map((text) => encoder.encode(text));
  const count = pieces.length + 1;
  const bytes = new Uint8Array(8 * (count + 1) + pieces.reduce((sum, piece) => sum + piece.length, 0));
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(count), true);
  let offset = 8 * (count + 1);
  pieces.forEach((piece, i) => {
    view.setBigUint64(8 * (i + 1), BigInt(offset), true);
    bytes.set(piece, offset);
    offset += piece.length;
  });
  view.setBigUint64(8 * count, BigInt(offset), true);
  return bytes.buffer;
}

/** `crypto.randomUUID` is there in secure contexts only, and a page may be served without https. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
