/**
 * The entry: small, so that the websocket opens while everything that renders widgets is still on its way.
 *
 *   main          reads the configuration, owns the page's one lifetime
 *   hello         the first words, which need not wait for the rest
 *   connection/   one websocket for ever, and what its end means: knows neither widgets nor the DOM
 *   notices/      what a person is told about the connection
 *   page/         loaded on demand: Jupyter's kernel connection and widgets; the only room that knows Jupyter
 */
import "./page.css";
import { readConfig } from "./config";
import { channelsUrl, closePath, kernelPath } from "./connection/address";
import { FrameBuffer } from "./connection/buffer";
import { type Connection, Link } from "./connection/link";
import { probeKernel } from "./connection/probe";
import { ConnectionStore } from "./connection/state";
import { type Hello, sayHello } from "./hello";
import { announceLeaving, wakeOnReturn } from "./leaving";
import { Notices } from "./notices/notices";

/**
 * Jupyter's binary framing. A proxy that drops the header makes the browser refuse the handshake, so after a
 * refused handshake the next does without; the server then speaks the default framing.
 */
const SUBPROTOCOLS = ["v1.kernel.websocket.jupyter.org"];

function start(root: HTMLElement): void {
  const lifetime = new AbortController();
  const { signal } = lifetime;
  const notices = new Notices({
    document,
    root,
    tryNow: () => link.wake(),
    startAfresh: () => location.reload(),
  });
  const config = readConfig(document);
  const store = new ConnectionStore((state) => notices.show(state));

  const greeted = new WeakMap<Connection, Hello>();
  const buffer = new FrameBuffer((connection) => void greeted.set(connection, sayHello(connection, config)));
  let shown = () => false;
  const link = new Link(
    {
      connect: (refused) => new WebSocket(channelsUrl(config, location, shown()), refused % 2 ? [] : SUBPROTOCOLS),
      probe: (until) => probeKernel(kernelPath(config), until),
      random: Math.random,
      now: () => performance.now(),
    },
    {
      lost: () => store.fire({ type: "lost" }),
      waiting: (full) => store.fire({ type: "waiting", full }),
      ended: (reason) => store.fire({ type: "ended", reason }),
    },
    buffer,
  );
  void link.run(signal);
  announceLeaving(window, { closePath: closePath(config), sendBeacon: (path) => navigator.sendBeacon(path) }, signal);
  let check = () => {};
  const wake = () => {
    link.wake();
    check();
  };
  wakeOnReturn(window, document, wake, signal);

  import("./page/session").then(
    ({ PageSession }) => {
      const session = new PageSession({
        config,
        root,
        signal,
        greeted: (connection) => greeted.get(connection),
        caughtUp: (page) => store.fire({ type: "caught-up", page }),
      });
      link.listen(session);
      buffer.handOver(session);
      check = () => session.check();
      shown = () => session.shown;
    },
    (error: unknown) => {
      console.error(error);
      lifetime.abort();
      notices.notLoaded();
    },
  );
}

const root = document.getElementById("solara-app");
if (root) start(root);
else console.error("this page has no #solara-app element");
