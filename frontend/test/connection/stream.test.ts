import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Connection, HANDSHAKE_LIMIT_MS } from "../../src/connection/link";
import { PATIENCE_MS } from "../../src/connection/liveness";
import { ACK_AFTER_MS, ACK_MESSAGES, Stream } from "../../src/connection/stream";

const decoder = new TextDecoder();
const bytes = (text: string) => new TextEncoder().encode(text).buffer;

/** One connection, seen from the server. */
class Wire implements Connection {
  readonly words: Record<string, unknown>[] = [];
  readonly messages: string[] = [];
  up = true;
  drops = 0;
  rests: number[] = [];
  shownTimes = 0;
  send(frame: string | ArrayBuffer): boolean {
    if (!this.up) return false;
    if (typeof frame === "string") this.words.push(JSON.parse(frame));
    else this.messages.push(decoder.decode(frame));
    return true;
  }
  drop(): void {
    this.drops += 1;
  }
  rest(ms: number): void {
    this.rests.push(ms);
  }
  shown(): void {
    this.shownTimes += 1;
  }
}

let stream: Stream;
let log: string[];

beforeEach(() => {
  vi.useFakeTimers();
  log = [];
  const listener = {
    dropped: (ids: readonly string[]) => log.push(`dropped ${ids}`),
    opened: (beginning: string) => log.push(beginning),
    frame: (data: ArrayBuffer) => log.push(decoder.decode(data)),
    lost: () => log.push("lost"),
  };
  stream = new Stream({ now: () => performance.now(), wallClock: Date.now }, listener);
});

afterEach(() => {
  stream.lost(1006);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

interface Welcome {
  readonly stream?: string;
  readonly seen?: number;
  readonly from?: number;
  readonly resync?: string | null;
  readonly silence?: number | null;
  readonly keep?: { messages: number; bytes: number; seconds: number };
}

function welcome(more: Welcome = {}): void {
  const keep = { messages: 100, bytes: 1000, seconds: 60 };
  const word = { type: "welcome", stream: "s", seen: 0, from: 0, resync: null, silence: null, keep, ...more };
  stream.frame(JSON.stringify(word));
}

function connect(): Wire {
  const wire = new Wire();
  stream.opened(wire);
  return wire;
}

/** A stream that has begun. */
function begun(more: Welcome = {}): Wire {
  const wire = connect();
  welcome(more);
  return wire;
}

const send = (...ids: string[]) => ids.map((id) => stream.send(bytes(id), id));
const receive = (...texts: string[]) => {
  for (const text of texts) stream.frame(bytes(text));
};

test("a first connection begins at once: the hello comes first, and nothing waits for the answer", () => {
  const wire = connect();
  send("a");
  expect(wire.words).toEqual([{ type: "hello", stream: null, seen: 0 }]);
  expect(wire.messages).toEqual(["a"]);
  welcome();
  receive("x");
  expect(log).toEqual(["new", "x"]);
});

test("it is known to have a kernel once the server has said so", () => {
  connect();
  expect(stream.isKnown).toBe(false);
  welcome();
  stream.lost(1006);
  expect(stream.isKnown).toBe(true);
});

test("a page that was cut off says what it has seen, and sends what was not seen of it, in order", () => {
  begun();
  send("a", "b", "c");
  receive("x", "y");
  stream.lost(1006);
  const wire = connect();
  expect(wire.words).toEqual([{ type: "hello", stream: "s", seen: 2 }]);
  expect(send("too early")).toEqual([false]);
  expect(wire.messages).toEqual([]);
  welcome({ seen: 1, from: 2 });
  expect(wire.messages).toEqual(["b", "c"]);
  send("d");
  receive("z");
  expect(log).toEqual(["new", "x", "y", "lost", "resumed", "z"]);
  stream.lost(1006);
  const third = connect();
  expect(third.words).toEqual([{ type: "hello", stream: "s", seen: 3 }]);
  welcome({ seen: 4, from: 3 });
  expect(third.messages).toEqual([]);
});

test("a gap in what the server has said is told; what was said to it still counts once", () => {
  begun();
  send("a", "b");
  receive("x");
  stream.lost(1006);
  const wire = connect();
  welcome({ seen: 1, from: 9, resync: "too-much" });
  expect(wire.messages).toEqual(["b"]);
  expect(stream.isOnItsWay("a")).toBe(false);
  expect(stream.isOnItsWay("b")).toBe(true);
  expect(log).toEqual(["new", "x", "lost", "gap"]);
  receive("y");
  stream.lost(1006);
  expect(connect().words).toEqual([{ type: "hello", stream: "s", seen: 10 }]);
});

test("another stream is a new beginning: nothing is sent again, and what was sent is given up", () => {
  begun();
  send("a", "b");
  receive("x");
  stream.lost(1006);
  const wire = connect();
  welcome({ stream: "t" });
  expect(log).toEqual(["new", "x", "lost", "dropped a,b", "new"]);
  expect(wire.messages).toEqual([]);
  stream.lost(1006);
  expect(connect().words).toEqual([{ type: "hello", stream: "t", seen: 0 }]);
});

test("a connection that is lost before the server has said which stream it is begins anew", () => {
  connect();
  send("a");
  stream.lost(1006);
  const wire = connect();
  expect(wire.words).toEqual([{ type: "hello", stream: null, seen: 0 }]);
  expect(log).toEqual(["new", "lost", "dropped a", "new"]);
});

test("a connection that is lost before the server has said where to go on is not told of", () => {
  begun();
  send("a");
  stream.lost(1006);
  connect();
  stream.lost(1006);
  const wire = connect();
  welcome({ seen: 0 });
  expect(wire.messages).toEqual(["a"]);
  expect(log).toEqual(["new", "lost", "resumed"]);
});

test("what the server has acknowledged is not kept", () => {
  begun();
  send("a", "b");
  stream.frame('{"type": "ack", "seen": 1}');
  stream.frame('{"type": "ack", "seen": 1}');
  expect(["a", "b"].map((id) => stream.isOnItsWay(id))).toEqual([false, true]);
});

test("what is too old, or too much, is not sent again, and given up; the rest keeps its order", () => {
  begun({ keep: { messages: 3, bytes: 10, seconds: 60 } });
  send("old");
  stream.lost(1006);
  vi.advanceTimersByTime(60_001);
  connect();
  welcome();
  expect(log.splice(0)).toEqual(["new", "lost", "dropped old", "gap"]);
  welcome({ keep: { messages: 3, bytes: 10, seconds: 60 } });
  send("a", "b", "x".repeat(11), "c");
  stream.lost(1006);
  const wire = connect();
  welcome({ keep: { messages: 3, bytes: 10, seconds: 60 } });
  expect(wire.messages).toEqual(["b", "c"]);
  expect(log).toEqual(["lost", `dropped a,${"x".repeat(11)}`, "gap"]);
});

test("the number of what is kept is bounded", () => {
  begun({ keep: { messages: 2, bytes: 1000, seconds: 60 } });
  send("a", "b", "c");
  stream.lost(1006);
  const wire = connect();
  welcome({ keep: { messages: 2, bytes: 1000, seconds: 60 } });
  expect(wire.messages).toEqual(["b", "c"]);
  expect(log).toContain("dropped a");
});

test("a message to a socket that is on its way down went nowhere", () => {
  const wire = begun();
  wire.up = false;
  expect(send("a")).toEqual([false]);
  expect(stream.isOnItsWay("a")).toBe(false);
});

test("what comes is acknowledged after a while, and sooner where it is much", () => {
  const wire = begun();
  receive("x", "y");
  vi.advanceTimersByTime(ACK_AFTER_MS - 1);
  expect(wire.words).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(wire.words.at(-1)).toEqual({ type: "ack", seen: 2 });
  receive(...Array.from({ length: ACK_MESSAGES }, () => "z"));
  expect(wire.words.at(-1)).toEqual({ type: "ack", seen: 2 + ACK_MESSAGES });
  stream.frame(new ArrayBuffer(1_000_000));
  expect(wire.words).toHaveLength(4);
});

test("what the server has cut the connection for is not sent again", () => {
  begun();
  send("too big for a proxy");
  stream.lost(1009);
  const wire = connect();
  welcome();
  expect(wire.messages).toEqual([]);
  expect(log).toEqual(["new", "lost", "dropped too big for a proxy", "gap"]);
});

test("a sign of life needs no answer", () => {
  const wire = begun({ silence: 40 });
  vi.advanceTimersByTime(30_000);
  stream.frame('{"type": "alive"}');
  vi.advanceTimersByTime(30_000);
  expect(wire.words).toHaveLength(1);
  expect(wire.drops).toBe(0);
});

test("a server that does not say where to go on is given up", () => {
  begun();
  stream.lost(1006);
  const wire = connect();
  vi.advanceTimersByTime(HANDSHAKE_LIMIT_MS);
  expect(wire.drops).toBe(1);
});

test("a server that falls silent is given up", () => {
  const wire = begun({ silence: 40 });
  vi.advanceTimersByTime(39_999);
  receive("x");
  vi.advanceTimersByTime(39_999);
  expect(wire.drops).toBe(0);
  vi.advanceTimersByTime(1);
  expect(wire.drops).toBe(1);
});

test("when somebody comes back, the server is asked, and given up where it does not answer", () => {
  stream.check(); // there is nobody to ask
  const wire = begun();
  vi.advanceTimersByTime(10_000);
  stream.check();
  expect(wire.words.at(-1)).toEqual({ type: "ping" });
  stream.frame('{"type": "ack", "seen": 0}');
  vi.advanceTimersByTime(PATIENCE_MS);
  expect(wire.drops).toBe(0);
  stream.check();
  vi.advanceTimersByTime(PATIENCE_MS);
  expect(wire.drops).toBe(1);
});

test("a server that is about to stop says when to come back", () => {
  const wire = begun();
  stream.frame('{"type": "draining", "delay": 2.5}');
  expect(wire.rests).toEqual([2500]);
});

test("what is shown is told to the connection", () => {
  stream.shown();
  const wire = begun();
  stream.shown();
  expect(wire.shownTimes).toBe(1);
  expect(wire.words).toHaveLength(1);
});

test("what is shown need not be kept by the server", () => {
  const wire = begun();
  receive("x", "y");
  stream.shown();
  stream.shown();
  expect(wire.words.slice(1)).toEqual([{ type: "ack", seen: 2 }]);
});

test("a word that is not understood is reported, and changes nothing", () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  begun();
  stream.frame('{"type": "news"}');
  expect(error).toHaveBeenCalledOnce();
  expect(log).toEqual(["new"]);
});

test("whatever is cut, each message arrives once and in order, both ways", () => {
  let chance = 12345;
  const random = (below: number) => {
    chance = (chance * 1103515245 + 12345) % 2 ** 31;
    return chance % below;
  };
  // The server: what it has sent, and what it has seen.
  const said: string[] = [];
  const heard: string[] = [];
  let wire = begun({ keep: { messages: 10_000, bytes: 1e6, seconds: 60 } });
  let read = 0;
  let made = 0;
  let told = 0;
  const take = (count: number) => {
    heard.push(...wire.messages.slice(read, read + count));
    read = Math.min(wire.messages.length, read + count);
  };
  for (let step = 0; step < 2000; step++) {
    const what = random(10);
    if (what < 5) send(`p${made++}`);
    else if (what < 7) {
      said.push(`s${said.length}`);
      receive(said.at(-1) ?? "");
      told += 1;
    } else if (what < 9) take(random(4));
    else {
      // The rest of what the page has sent is lost, and the last of what the server has sent.
      stream.lost(1006);
      for (let i = random(3); i > 0; i--) said.push(`s${said.length}`);
      wire = connect();
      read = 0;
      const { seen } = wire.words[0] as { seen: number };
      expect(seen).toBe(told);
      welcome({ seen: heard.length, from: seen, keep: { messages: 10_000, bytes: 1e6, seconds: 60 } });
      receive(...said.slice(seen));
      told = said.length;
    }
  }
  take(Number.POSITIVE_INFINITY);
  expect(heard).toEqual(Array.from({ length: made }, (_, i) => `p${i}`));
  expect(log.filter((it) => it.startsWith("s"))).toEqual(said);
  expect(log.filter((it) => it.startsWith("dropped"))).toEqual([]);
});
