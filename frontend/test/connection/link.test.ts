import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Connection, GOOD_AFTER_MS, HANDSHAKE_LIMIT_MS, Link, type LinkPorts } from "../../src/connection/link";
import { FakeSocket } from "./fakes";

let lifetime: AbortController;
let sockets: FakeSocket[];
let log: string[];
let connections: Connection[];
let running: Promise<void>;
let link: Link;
const probe = vi.fn<LinkPorts["probe"]>();

beforeEach(() => {
  vi.useFakeTimers();
  lifetime = new AbortController();
  sockets = [];
  log = [];
  connections = [];
  probe.mockReset();
  probe.mockResolvedValue({ kind: "later", full: false });
  link = new Link(
    {
      connect: () => {
        const socket = new FakeSocket();
        sockets.push(socket);
        return socket as unknown as WebSocket;
      },
      probe,
      random: () => 1,
      now: () => performance.now(),
    },
    {
      lost: () => log.push("retrying"),
      waiting: (full) => full && log.push("full"),
      ended: (reason) => log.push(`ended ${reason}`),
    },
    {
      opened: (connection) => {
        connections.push(connection);
        log.push("opened");
      },
      frame: (data) => log.push(`frame ${data}`),
      lost: () => log.push("lost"),
    },
  );
  running = link.run(lifetime.signal);
});

afterEach(async () => {
  lifetime.abort();
  await vi.runAllTimersAsync();
  await running;
  expect(vi.getTimerCount()).toBe(0); // whatever happened, nothing of ours still waits
  vi.useRealTimers();
});

function socket(): FakeSocket {
  const last = sockets.at(-1);
  if (!last) throw new Error("no socket was made");
  return last;
}

/** Open the latest socket and let it live long enough to count as good. */
async function openAndLive(): Promise<void> {
  socket().opens();
  await vi.advanceTimersByTimeAsync(GOOD_AFTER_MS);
}

test("a socket is opened at once, and its frames are passed on", () => {
  expect(sockets).toHaveLength(1);
  expect(socket().binaryType).toBe("arraybuffer");
  socket().opens("v1");
  socket().says("hello");
  expect(log).toEqual(["opened", "frame hello"]);
});

test("the listener hears strictly opened, frames, lost", async () => {
  socket().opens();
  socket().says(1);
  socket().ends(1001, "server-shutdown");
  socket().says(2);
  await vi.advanceTimersByTimeAsync(1000);
  socket().opens();
  expect(log).toEqual(["opened", "frame 1", "lost", "retrying", "opened"]);
});

test("a lost connection is made again after a wait that grows with each failure, for ever", async () => {
  await openAndLive();
  socket().ends();
  const waits: number[] = [];
  for (let i = 0; i < 40; i++) {
    await vi.advanceTimersByTimeAsync(0);
    const before = performance.now();
    const count = sockets.length;
    while (sockets.length === count) await vi.advanceTimersByTimeAsync(125);
    waits.push(performance.now() - before);
    socket().ends();
  }
  expect(waits.slice(0, 8)).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  expect(new Set(waits.slice(8))).toEqual(new Set([15_000]));
});

test("after a connection that was good the waits begin at the beginning", async () => {
  for (let i = 0; i < 6; i++) {
    socket().ends();
    await vi.advanceTimersByTimeAsync(15_000);
  }
  await openAndLive();
  const count = sockets.length;
  socket().ends();
  await vi.advanceTimersByTimeAsync(250);
  expect(sockets).toHaveLength(count + 1);
});

test("a server that takes the socket and drops it at once is not hammered", async () => {
  for (let i = 0; i < 10; i++) {
    socket().opens();
    socket().ends(1012, "restart");
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(sockets.length).toBeLessThan(8);
});

/** End the latest socket as a restart does, and count the milliseconds until the next one. */
async function waitAfterRestart(): Promise<number> {
  const before = performance.now();
  const count = sockets.length;
  socket().ends(1012, "restart");
  await vi.advanceTimersByTimeAsync(0);
  while (sockets.length === count) await vi.advanceTimersByTimeAsync(125);
  return performance.now() - before;
}

test("1012 connects again at once each time, as long as the page was shown in between", async () => {
  const waits: number[] = [];
  for (let i = 0; i < 20; i++) {
    socket().opens();
    connections.at(-1)?.shown();
    waits.push(await waitAfterRestart());
  }
  expect(waits).toEqual(Array(20).fill(0));
});

test("from the third 1012 in a row on a page that was not shown, the waits grow", async () => {
  const waits: number[] = [];
  for (let i = 0; i < 6; i++) {
    socket().opens();
    waits.push(await waitAfterRestart());
  }
  expect(waits).toEqual([0, 0, 250, 500, 1000, 2000]);
});

test("a page that is shown at last is the end of those waits", async () => {
  for (let i = 0; i < 6; i++) {
    socket().opens();
    await waitAfterRestart();
  }
  socket().opens();
  connections.at(-1)?.shown();
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    waits.push(await waitAfterRestart());
    socket().opens();
  }
  expect(waits).toEqual([0, 0, 0, 250]); // the page was shown on the first of them only
});

test.each([1001, 1006, 1012])("after a page that was shown, the waits for %i begin at the beginning", async (code) => {
  for (let i = 0; i < 6; i++) {
    socket().ends();
    await vi.advanceTimersByTimeAsync(15_000);
  }
  socket().opens();
  connections.at(-1)?.shown();
  const count = sockets.length;
  socket().ends(code);
  await vi.advanceTimersByTimeAsync(250);
  expect(sockets).toHaveLength(count + 1);
  socket().ends();
  await vi.advanceTimersByTimeAsync(500);
  expect(sockets).toHaveLength(count + 2);
});

test("a page that the server cuts off for what it did waits longer, though it was shown", async () => {
  const waits: number[] = [];
  for (let i = 0; i < 5; i++) {
    const before = performance.now();
    const count = sockets.length;
    socket().opens();
    connections.at(-1)?.shown();
    socket().ends(1013, "overloaded");
    while (sockets.length === count) await vi.advanceTimersByTimeAsync(125);
    waits.push(performance.now() - before);
  }
  expect(waits).toEqual([250, 500, 1000, 2000, 2000]);
});

test("what is shown of a connection that is over says nothing of the next", async () => {
  socket().opens();
  await waitAfterRestart();
  await waitAfterRestart();
  socket().opens();
  connections[0]?.shown();
  expect(await waitAfterRestart()).toBe(250);
});

test("1012 connects again at once", async () => {
  await openAndLive();
  socket().ends(1012, "restart");
  await vi.advanceTimersByTimeAsync(0);
  expect(sockets).toHaveLength(2);
});

test("1012 connects again at once after a bad patch too", async () => {
  for (let i = 0; i < 5; i++) {
    socket().ends();
    await vi.advanceTimersByTimeAsync(15_000);
  }
  const count = sockets.length;
  socket().opens();
  socket().ends(1012, "restart");
  await vi.advanceTimersByTimeAsync(0);
  expect(sockets).toHaveLength(count + 1);
});

test("a connection that opened at all shortens the waits", async () => {
  for (let i = 0; i < 8; i++) {
    socket().ends();
    await vi.advanceTimersByTimeAsync(15_000);
  }
  const count = sockets.length;
  socket().opens();
  socket().ends();
  await vi.advanceTimersByTimeAsync(1999);
  expect(sockets).toHaveLength(count);
  await vi.advanceTimersByTimeAsync(1);
  expect(sockets).toHaveLength(count + 1);
});

test("1000 is the end: why is told, and no socket is opened again", async () => {
  socket().opens();
  socket().ends(1000, "culled");
  await vi.runAllTimersAsync();
  await running;
  expect(log).toEqual(["opened", "lost", "ended culled"]);
  expect(sockets).toHaveLength(1);
  expect(probe).not.toHaveBeenCalled();
});

test("a refused handshake is asked about, and the answer decides", async () => {
  probe.mockResolvedValue({ kind: "ended", reason: "unknown" });
  socket().ends();
  await vi.runAllTimersAsync();
  expect(log).toEqual(["retrying", "ended unknown"]);
  expect(sockets).toHaveLength(1);
});

test("while the kernel is there, refused handshakes are made again", async () => {
  for (let i = 0; i < 5; i++) {
    socket().ends();
    await vi.advanceTimersByTimeAsync(15_000);
  }
  expect(sockets).toHaveLength(6);
  expect(probe).toHaveBeenCalledTimes(5);
});

test("a connection that opened and was lost is not asked about", async () => {
  socket().opens();
  socket().ends();
  await vi.advanceTimersByTimeAsync(250);
  expect(probe).not.toHaveBeenCalled();
});

test("a server that is full is named, whether the socket says so or the answer", async () => {
  socket().opens();
  socket().ends(1013, "kernel-limit");
  await vi.advanceTimersByTimeAsync(1000);
  probe.mockResolvedValue({ kind: "later", full: true });
  socket().ends();
  await vi.advanceTimersByTimeAsync(0);
  expect(log).toEqual(["opened", "lost", "retrying", "full", "retrying", "full"]);
});

test("a wake-up call ends the wait", async () => {
  for (let i = 0; i < 6; i++) {
    socket().ends();
    await vi.advanceTimersByTimeAsync(15_000);
  }
  const count = sockets.length;
  socket().ends();
  await vi.advanceTimersByTimeAsync(1);
  expect(sockets).toHaveLength(count);
  link.wake();
  await vi.advanceTimersByTimeAsync(0);
  expect(sockets).toHaveLength(count + 1);
});

test("a wake-up call while connected changes nothing", async () => {
  socket().opens();
  link.wake();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(1);
  expect(log).toEqual(["opened"]);
});

test("a wake-up call gives up a handshake that began on another network, and leaves a fresh one alone", async () => {
  link.wake();
  expect(socket().closed).toBe(false);
  await vi.advanceTimersByTimeAsync(2_001);
  link.wake();
  expect(sockets[0]?.closed).toBe(true);
  await vi.advanceTimersByTimeAsync(250);
  expect(sockets).toHaveLength(2);
});

test("a handshake that hangs is given up", async () => {
  await vi.advanceTimersByTimeAsync(HANDSHAKE_LIMIT_MS - 1);
  expect(socket().closed).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(sockets[0]?.closed).toBe(true);
  await vi.advanceTimersByTimeAsync(250);
  expect(sockets).toHaveLength(2);
});

test("what a given-up socket does later reaches nobody", async () => {
  const old = socket();
  await vi.advanceTimersByTimeAsync(HANDSHAKE_LIMIT_MS + 250);
  old.opens();
  old.says("late");
  old.ends(1000, "culled");
  await vi.advanceTimersByTimeAsync(0);
  expect(log).toEqual(["retrying"]);
});

test("a dropped connection counts as lost", async () => {
  socket().opens();
  connections[0]?.drop();
  expect(log).toEqual(["opened", "lost"]);
  expect(sockets[0]?.closed).toBe(true);
  await vi.advanceTimersByTimeAsync(250);
  expect(sockets).toHaveLength(2);
});

test("a connection is lost once, however often it is dropped", () => {
  socket().opens();
  connections[0]?.drop();
  connections[0]?.drop();
  expect(log.filter((it) => it === "lost")).toHaveLength(1);
});

test("nothing waits for a handshake that is over", async () => {
  socket().opens();
  expect(vi.getTimerCount()).toBe(0);
  socket().ends();
  await vi.advanceTimersByTimeAsync(250);
  socket().ends();
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(1); // the wait before the next one
});

test("a frame for a socket that is on its way down is refused, not thrown away in silence", () => {
  socket().opens();
  expect(connections[0]?.send("a")).toBe(true);
  socket().readyState = 2;
  expect(connections[0]?.send("b")).toBe(false);
  expect(socket().sent).toEqual(["a"]);
});

test("when the page goes, nothing is opened any more", async () => {
  socket().opens();
  lifetime.abort();
  await running;
  expect(socket().closed).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets).toHaveLength(1);
});

test("when the page goes during a wait, nothing is opened any more", async () => {
  socket().ends();
  await vi.advanceTimersByTimeAsync(1);
  lifetime.abort();
  await running;
  expect(sockets).toHaveLength(1);
});

test("handshakes that were refused are counted, for those that can try another way", async () => {
  const refused: number[] = [];
  const other = new AbortController();
  const made: FakeSocket[] = [];
  const counting = new Link(
    {
      connect: (count) => {
        refused.push(count);
        made.push(new FakeSocket());
        return made.at(-1) as unknown as WebSocket;
      },
      probe,
      random: () => 0,
      now: () => performance.now(),
    },
    { lost: () => {}, waiting: () => {}, ended: () => {} },
    { opened: () => {}, frame: () => {}, lost: () => {} },
  );
  const done = counting.run(other.signal);
  made[0]?.ends();
  await vi.advanceTimersByTimeAsync(1000);
  made[1]?.opens();
  made[1]?.ends();
  await vi.advanceTimersByTimeAsync(1000);
  expect(refused).toEqual([0, 1, 1]);
  other.abort();
  await done;
});

test("a server that asks for time before the next attempt gets it, once", async () => {
  await openAndLive();
  connections[0]?.rest(9_000);
  socket().ends(1001, "server-shutdown");
  await vi.advanceTimersByTimeAsync(8_999);
  expect(sockets).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(sockets).toHaveLength(2);
  await openAndLive();
  socket().ends(1001, "server-shutdown");
  await vi.advanceTimersByTimeAsync(250);
  expect(sockets).toHaveLength(3);
});

test("somebody who looks at the page need not wait for as long as the server has asked for", async () => {
  await openAndLive();
  connections[0]?.rest(60_000);
  socket().ends(1001, "server-shutdown");
  await vi.advanceTimersByTimeAsync(0);
  link.wake();
  await vi.advanceTimersByTimeAsync(0);
  expect(sockets).toHaveLength(2);
});

test("an end that no waiting would change is not waited for", async () => {
  await openAndLive();
  connections[0]?.rest(60_000);
  socket().ends(1000, "culled");
  await vi.advanceTimersByTimeAsync(0);
  expect(log.at(-1)).toBe("ended culled");
});
