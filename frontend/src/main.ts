/**
 * The entry: small, so that the websocket opens while everything that renders widgets is still on its way.
 *
 *   main          reads the configuration, owns the page's one lifetime
 *   hello         the first words, which need not wait for the rest
 *   places        where widgets go
 *   look          what the page looks like around them
 *   connection/   one websocket for ever, and what its end means: knows neither widgets nor the DOM
 *   notices/      what a person is told about the connection
 *   page/         loaded on demand: Jupyter's kernel connection and widgets; the only room that knows Jupyter
 */
import "./page.css";
import { readConfig } from "./config";
import { channelsUrl, closePath, kernelPath } from "./connection/address";
import { FrameBuffer } from "./connection/buffer";
import { forgetTries, triesAnew } from "./connection/firstvisit";
import { Link } from "./connection/link";
import { probeKernel } from "./connection/probe";
import { ConnectionStore } from "./connection/state";
import { Stream } from "./connection/stream";
import { PROTOCOL } from "./connection/words";
import { sayHello } from "./hello";
import { announceLeaving, wakeOnReturn } from "./leaving";
import { PageLook, PREFERS_DARK } from "./look";
import { Notices } from "./notices/notices";
import { findPlaces } from "./places";

function start(): void {
  const places = findPlaces(document);
  const lifetime = new AbortController();
  const { signal } = lifetime;
  const notices = new Notices({
    document,
    roots: [...places.byName.values()],
    tryNow: () => link.wake(),
    startAfresh: () => location.reload(),
  });
  const config = readConfig(document);
  const look = new PageLook(document, matchMedia(PREFERS_DARK), config.look, signal);
  const store = new ConnectionStore((state) => notices.show(state));

  const buffer = new FrameBuffer(() => sayHello((frame, id) => stream.send(frame, id), config));
  const stream = new Stream({ now: () => performance.now(), wallClock: Date.now }, buffer);
  const link = new Link(
    {
      // A proxy that drops the header makes the browser refuse the handshake, so after a refused handshake the next does
      // without.
      connect: (refused) =>
        refused % 2
          ? new WebSocket(channelsUrl(config, location, { protocol: PROTOCOL, returns: stream.isKnown }))
          : new WebSocket(channelsUrl(config, location, { returns: stream.isKnown }), PROTOCOL),
      probe: (until) => probeKernel(kernelPath(config), until),
      random: Math.random,
      now: () => performance.now(),
    },
    {
      lost: () => store.fire({ type: "lost" }),
      waiting: (full) => store.fire({ type: "waiting", full }),
      ended: (reason) => {
        if (!stream.isKnown && triesAnew(reason, history)) location.reload();
        else store.fire({ type: "ended", reason });
      },
    },
    stream,
  );
  void link.run(signal);
  announceLeaving(window, { closePath: closePath(config), sendBeacon: (path) => navigator.sendBeacon(path) }, signal);
  const wake = () => {
    link.wake();
    stream.check();
  };
  wakeOnReturn(window, document, wake, signal);

  import("./page/session").then(
    ({ PageSession }) => {
      const session = new PageSession({
        config,
        places,
        look,
        signal,
        stream,
        caughtUp: (page) => {
          forgetTries(history);
          store.fire({ type: "caught-up", page });
        },
      });
      stream.listen(session);
      buffer.handOver(session);
    },
    (error: unknown) => {
      console.error(error);
      lifetime.abort();
      notices.notLoaded();
    },
  );
}

start();
