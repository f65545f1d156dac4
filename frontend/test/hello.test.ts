import { expect, test } from "vitest";
import { sayHello } from "../src/hello";

interface Said {
  readonly channel: string;
  readonly header: Record<string, string>;
  readonly metadata: Record<string, string>;
  readonly content: Record<string, unknown>;
}

test("it asks what to show and for the state of all widgets, on comms of its own", () => {
  const said: Said[] = [];
  const send = (frame: string | ArrayBuffer) => said.push(JSON.parse(frame as string)) > 0;
  const { page, control } = sayHello({ send }, { pageId: "p" });
  expect(said.map((it) => [it.channel, it.header.session, it.header.msg_type, it.content.comm_id])).toEqual([
    ["shell", "p", "comm_open", page],
    ["shell", "p", "comm_open", control],
    ["shell", "p", "comm_msg", control],
  ]);
  expect(said.map((it) => it.content.target_name)).toEqual(["solara_ctx.page", "jupyter.widget.control", undefined]);
  expect(said[1]?.metadata).toEqual({ version: "1.0.0" });
  expect(said[2]?.content.data).toEqual({ method: "request_states" });
  expect(new Set([page, control, ...said.map((it) => it.header.msg_id)]).size).toBe(5);
  expect(page).toMatch(/^[0-9a-f]{32}$/);
});
