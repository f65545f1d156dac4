/**
 * The first words of a page that shows nothing yet: what to show, and the state of all widgets.
 *
 * Said as soon as the websocket is open, by the small entry, so that the kernel's answers are there by the time
 * everything that renders widgets has been loaded and evaluated. In the framing that needs no library: the server takes
 * it whatever subprotocol was agreed on.
 */
import type { PageConfig } from "./config";
import type { Connection } from "./connection/link";

export const PAGE_TARGET = "solara_ctx.page";
export const CONTROL_TARGET = "jupyter.widget.control";
export const CONTROL_VERSION = "1.0.0";

/** The comms on which the answers will come. */
export interface Hello {
  readonly page: string;
  readonly control: string;
}

export function sayHello(connection: Pick<Connection, "send">, config: Pick<PageConfig, "pageId">): Hello {
  const say = (msg_type: string, content: object, metadata = {}) => {
    const header = {
      msg_id: newId(),
      msg_type,
      session: config.pageId,
      username: "page",
      date: new Date().toISOString(),
      version: "5.4",
    };
    connection.send(JSON.stringify({ channel: "shell", header, parent_header: {}, metadata, content }));
  };
  const hello = { page: newId(), control: newId() };
  say("comm_open", { comm_id: hello.page, target_name: PAGE_TARGET, data: {} });
  say("comm_open", { comm_id: hello.control, target_name: CONTROL_TARGET, data: {} }, { version: CONTROL_VERSION });
  say("comm_msg", { comm_id: hello.control, data: { method: "request_states" } });
  return hello;
}

/** `crypto.randomUUID` is there in secure contexts only, and a page may be served without https. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
