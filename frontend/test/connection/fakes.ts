/** Sockets that do what a test says. */

/** A WebSocket at our own port: the parts of it that Link uses. */
export class FakeSocket extends EventTarget {
  readonly OPEN = 1;
  binaryType = "blob";
  protocol = "";
  readyState = 0;
  readonly sent: unknown[] = [];
  closed = false;

  send(frame: unknown): void {
    this.sent.push(frame);
  }

  close(): void {
    this.closed = true;
    this.readyState = 2;
  }

  /** The handshake succeeds. */
  opens(protocol = ""): void {
    this.protocol = protocol;
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  says(data: unknown): void {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  /** The socket ends: by the server's word, or with 1006 by the network. */
  ends(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event("close"), { code, reason }));
  }
}
