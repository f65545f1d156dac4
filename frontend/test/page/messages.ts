/** Kernel messages for tests. */
import type { KernelMessage } from "@jupyterlab/services";

let count = 0;

/** A message as a page sends or gets it. */
export function message(type: string, content: object, more: object = {}): KernelMessage.IMessage {
  count += 1;
  return {
    channel: "shell",
    header: { msg_id: `m${count}`, msg_type: type, session: "kernel", username: "", version: "5.3", date: "" },
    parent_header: {},
    metadata: {},
    content,
    buffers: [],
    ...more,
  } as unknown as KernelMessage.IMessage;
}

export const update = (value: unknown) => message("comm_msg", { comm_id: "w", data: { method: "update", value } });
