import { expect, test } from "vitest";
import { channelsUrl, closePath, locationBelow } from "../../src/connection/address";

const config = { baseUrl: "/sub/", kernelId: "a b", pageId: "p/1", debug: false };

test.each([
  ["/", "/", "", "/"],
  ["/", "/report", "?x=1", "/report?x=1"],
  ["/sub/", "/sub/", "", "/"],
  ["/sub/", "/sub/report/", "?x=1&y=%20", "/report/?x=1&y=%20"],
  ["/sub/", "/sub", "?x", "/?x"],
])("below %s, %s%s is %s", (base, pathname, search, expected) => {
  expect(locationBelow(base, { pathname, search })).toBe(expected);
});

test("the websocket's address names page and location, encoded", () => {
  const location = { protocol: "https:", host: "app.test:8443", pathname: "/sub/report", search: "?a=1&b=ü" };
  const url = new URL(channelsUrl(config, location, true));
  expect(url.origin).toBe("wss://app.test:8443");
  expect(url.pathname).toBe("/sub/api/kernels/a%20b/channels");
  expect([...url.searchParams]).toEqual([
    ["session_id", "p/1"],
    ["location", "/report?a=1&b=ü"],
  ]);
});

test("a page that shows nothing yet hears of widgets once it has asked for them", () => {
  const location = { protocol: "https:", host: "app.test", pathname: "/", search: "" };
  const asked = (shown: boolean) => new URL(channelsUrl(config, location, shown)).searchParams.get("widgets");
  expect([asked(false), asked(true)]).toEqual(["later", null]);
});

test("plain pages have plain websockets", () => {
  const location = { protocol: "http:", host: "localhost:8000", pathname: "/sub/", search: "" };
  expect(channelsUrl(config, location, true)).toMatch(/^ws:\/\/localhost:8000\//);
});

test("the beacon's path names kernel and page", () => {
  expect(closePath(config)).toBe("/sub/api/kernels/a%20b/pages/p%2F1/close");
});
