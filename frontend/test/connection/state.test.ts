import { expect, test, vi } from "vitest";
import { type ConnectionEvent, type ConnectionState, ConnectionStore, INITIAL, next } from "../../src/connection/state";

const OK = { status: "ok" } as const;
const FAILED = { status: "error", error: { ename: "ValueError", evalue: "", traceback: null } } as const;

const connecting: ConnectionState = { kind: "connecting", failures: 2, full: false };
const open: ConnectionState = { kind: "open", page: OK };
const reconnecting: ConnectionState = { kind: "reconnecting", failures: 3, full: false };
const ended: ConnectionState = { kind: "ended", reason: "culled" };

const caughtUp: ConnectionEvent = { type: "caught-up", page: OK };
const failed: ConnectionEvent = { type: "caught-up", page: FAILED };
const lost: ConnectionEvent = { type: "lost" };
const full: ConnectionEvent = { type: "waiting", full: true };
const notFull: ConnectionEvent = { type: "waiting", full: false };
const end: ConnectionEvent = { type: "ended", reason: "closed" };

test.each<[ConnectionState, ConnectionEvent, ConnectionState]>([
  [connecting, caughtUp, open],
  [connecting, failed, { kind: "open", page: FAILED }],
  [connecting, lost, { kind: "connecting", failures: 3, full: false }],
  [connecting, full, { kind: "connecting", failures: 2, full: true }],
  [connecting, notFull, connecting],
  [connecting, end, { kind: "ended", reason: "closed" }],
  [open, caughtUp, open],
  [open, failed, { kind: "open", page: FAILED }],
  [open, lost, { kind: "reconnecting", failures: 0, full: false }],
  [open, full, open],
  [open, end, { kind: "ended", reason: "closed" }],
  [reconnecting, caughtUp, open],
  [reconnecting, failed, { kind: "open", page: FAILED }],
  [reconnecting, lost, { kind: "reconnecting", failures: 4, full: false }],
  [reconnecting, full, { kind: "reconnecting", failures: 3, full: true }],
  [reconnecting, notFull, reconnecting],
  [reconnecting, end, { kind: "ended", reason: "closed" }],
  [ended, caughtUp, ended],
  [ended, failed, ended],
  [ended, lost, ended],
  [ended, full, ended],
  [ended, end, ended],
])("%o, %o -> %o", (state, event, expected) => {
  expect(next(state, event)).toEqual(expected);
});

test("the store tells of the first state at once, of each new one, and of no change twice", () => {
  const changed = vi.fn();
  const store = new ConnectionStore(changed);
  expect(changed.mock.lastCall).toEqual([INITIAL]);
  store.fire(end);
  store.fire(lost);
  store.fire(caughtUp);
  expect(changed).toHaveBeenCalledTimes(2);
  expect(store.state).toEqual({ kind: "ended", reason: "closed" });
});
