import { deserialize } from "@jupyterlab/services/lib/kernel/serialize";
import { expect, test } from "vitest";
import { sayHello } from "../src/hello";

test("it asks what to show and for the state of all widgets, on comms of its own, in words that Jupyter reads", () => {
  const ids: string[] = [];
  const frames: ArrayBuffer[] = [];
  const send = (frame: ArrayBuffer, id: string) => ids.push(id) + frames.push(frame);
  const { page, control } = sayHello(send, { pageId: "pägé" });
  const said = frames.map((frame) => deserialize(frame, "v1.kernel.websocket.jupyter.org"));
  const contents = said.map((it) => it.content as unknown as Record<string, unknown>);
  expect(said.map((it, i) => [it.channel, it.header.session, it.header.msg_type, contents[i]?.comm_id])).toEqual([
    ["shell", "pägé", "comm_open", page],
    ["shell", "pägé", "comm_open", control],
    ["shell", "pägé", "comm_msg", control],
  ]);
  expect(contents.map((it) => it.target_name)).toEqual(["solara_ctx.page", "jupyter.widget.control", undefined]);
  expect(said[1]?.metadata).toEqual({ version: "1.0.0" });
  expect(contents[2]?.data).toEqual({ method: "request_states" });
  expect(said.map((it) => it.header.msg_id)).toEqual(ids);
  expect(new Set([page, control, ...ids]).size).toBe(5);
  expect(page).toMatch(/^[0-9a-f]{32}$/);
});
