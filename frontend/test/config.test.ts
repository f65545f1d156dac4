import { expect, test } from "vitest";
import { readConfig } from "../src/config";

function page(value: unknown): Document {
  const document = new DOMParser().parseFromString("", "text/html");
  const element = document.createElement("script");
  element.id = "solara-config";
  element.type = "application/json";
  element.textContent = typeof value === "string" ? value : JSON.stringify(value);
  document.body.append(element);
  return document;
}

const cdn = "https://cdn.test/npm/";
const pages = ["/"];
const look = { title: "t" };
const good = { baseUrl: "/sub/", kernelId: "k", pageId: "p", debug: true, widgetsCdn: cdn, look, pages };

test("what the server says is read", () => {
  expect(readConfig(page(good))).toEqual(good);
  expect(readConfig(page({ ...good, baseUrl: "/", debug: "yes" }))).toEqual({ ...good, baseUrl: "/", debug: false });
  expect(readConfig(page({ ...good, pages: undefined })).pages).toEqual([]);
  expect(readConfig(page({ ...good, pages: ["/", 7] })).pages).toEqual(["/"]);
});

test.each([
  { ...good, baseUrl: "https://elsewhere.test/" },
  { ...good, baseUrl: "//elsewhere.test/" },
  { ...good, baseUrl: "/sub" },
  { ...good, baseUrl: undefined },
  { ...good, kernelId: "" },
  { ...good, pageId: 7 },
  "",
  "no json",
])("what cannot be right is refused: %o", (value) => {
  expect(() => readConfig(page(value))).toThrow();
});
