import { expect, test } from "vitest";
import { type Answer, interpretAnswer, interpretEnding, isFaultless } from "../../src/connection/verdict";

test.each([
  ["culled", "culled"],
  ["page-closed", "page-closed"],
  ["", "closed"],
])("1000 %o ends the session, with the server's reason", (reason, shown) => {
  expect(interpretEnding({ opened: true, code: 1000, reason })).toEqual({ kind: "ended", reason: shown });
});

test("4410 ends the session", () => {
  expect(interpretEnding({ opened: true, code: 4410, reason: "gone" })).toEqual({ kind: "ended", reason: "gone" });
});

test("1012 connects again at once", () => {
  expect(interpretEnding({ opened: true, code: 1012, reason: "restart" })).toEqual({ kind: "now" });
});

test.each([1001, 1005, 1006, 1007, 1008, 1009, 1011])("%i connects again after a wait", (code) => {
  expect(interpretEnding({ opened: true, code, reason: "whatever" })).toEqual({ kind: "later", full: false });
});

test("1013 connects again after a wait, and says why", () => {
  expect(interpretEnding({ opened: true, code: 1013, reason: "kernel-limit" })).toEqual({ kind: "later", full: true });
  expect(interpretEnding({ opened: true, code: 1013, reason: "overloaded" })).toEqual({ kind: "later", full: false });
});

test.each([1001, 1006, 1013, 1015])("%i of a socket that never opened has to be asked about", (code) => {
  expect(interpretEnding({ opened: false, code, reason: "" })).toEqual({ kind: "ask" });
});

test("a private code of a newer server has to be asked about", () => {
  expect(interpretEnding({ opened: true, code: 4999, reason: "new-idea" })).toEqual({ kind: "ask" });
});

test.each([1001, 1006, 1012])("%i is no fault of the connection", (code) => {
  expect(isFaultless(code)).toBe(true);
});

test.each([1007, 1008, 1009, 1011, 1013, 4409])("%i ends a connection for what it did", (code) => {
  expect(isFaultless(code)).toBe(false);
});

function answer(status: number, body?: unknown, type = "basic"): Answer {
  const json = body === undefined ? Promise.reject(new SyntaxError("<html>")) : Promise.resolve(body);
  json.catch(() => {});
  return { status, type, json: () => json };
}

test.each([403, 404])("a %i in the server's words ends the session, with its reason", async (status) => {
  expect(await interpretAnswer(answer(status, { message: "…", reason: "culled" }))).toEqual({
    kind: "ended",
    reason: "culled",
  });
});

test.each([{}, { reason: 7 }, { reason: "" }, null, "gone"])("without a reason it is unknown: %o", async (body) => {
  expect(await interpretAnswer(answer(404, body))).toEqual({ kind: "ended", reason: "unknown" });
});

test("a proxy's own 404 page ends nothing", async () => {
  expect(await interpretAnswer(answer(404))).toEqual({ kind: "later", full: false });
});

test.each([200, 429, 500, 502, 503, 504])("after a %i the page tries again", async (status) => {
  expect(await interpretAnswer(answer(status, { reason: "culled" }))).toEqual({ kind: "later", full: false });
});

test("a full server is told from one that stops", async () => {
  expect(await interpretAnswer(answer(503, { reason: "kernel-limit" }))).toEqual({ kind: "later", full: true });
  expect(await interpretAnswer(answer(503, { reason: "server-shutdown" }))).toEqual({ kind: "later", full: false });
});

test("a sign-in page in between ends the session", async () => {
  expect(await interpretAnswer(answer(401, {}))).toEqual({ kind: "ended", reason: "signed-out" });
  expect(await interpretAnswer(answer(0, {}, "opaqueredirect"))).toEqual({ kind: "ended", reason: "signed-out" });
});
