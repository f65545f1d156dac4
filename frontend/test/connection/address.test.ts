import { expect, test } from "vitest";
import { channelsUrl, closePath, locationBelow } from "../../src/connection/address";

const config = {
  baseUrl: "/sub/",
  kernelId: "a b",
  pageId: "p/1",
  debug: false,
  widgetsCdn: null,
  look: {},
  pages: [],
};

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
  const url = new URL(channelsUrl(config, location));
  expect(url.origin).toBe("wss://app.test:8443");
  expect(url.pathname).toBe("/sub/api/kernels/a%20b/channels");
  expect([...url.searchParams]).toEqual([
    ["session_id", "p/1"],
    ["location", "/report?a=1&b=ü"],
  ]);
});

test("the protocol is named in the address where the header cannot do it", () => {
  const location = { protocol: "https:", host: "app.test", pathname: "/", search: "" };
  expect(new URL(channelsUrl(config, location, { protocol: "some.v1" })).searchParams.get("protocol")).toBe("some.v1");
});

test("a page that has been connected before says so", () => {
  const location = { protocol: "https:", host: "app.test", pathname: "/", search: "" };
  const says = (returns: boolean) => new URL(channelsUrl(config, location, { returns })).searchParams.has("returns");
  expect([says(true), says(false)]).toEqual([true, false]);
});

test("plain pages have plain websockets", () => {
  const location = { protocol: "http:", host: "localhost:8000", pathname: "/sub/", search: "" };
  expect(channelsUrl(config, location)).toMatch(/^ws:\/\/localhost:8000\//);
});

test("the beacon's path names kernel and page", () => {
  expect(closePath(config)).toBe("/sub/api/kernels/a%20b/pages/p%2F1/close");
});
