/** Jupyter's renderers, through the modules that stand in for parts of them. */
import { RenderMimeRegistry } from "@jupyterlab/rendermime";
import { beforeEach, expect, test, vi } from "vitest";
import { Sanitizer } from "../../src/page/apputils";
import type { WidgetManager } from "../../src/page/manager";
import { outputModule } from "../../src/page/output";

beforeEach(() => {
  // jsdom loads no style sheets: each arrives at once.
  vi.spyOn(document.head, "append").mockImplementation((link) => (link as Node).dispatchEvent(new Event("load")));
});

async function rendered(mimeType: string, data: string | Record<string, unknown>): Promise<HTMLElement> {
  const manager: { renderMime?: RenderMimeRegistry } = {};
  await outputModule(manager as unknown as WidgetManager);
  const registry = manager.renderMime;
  if (!registry) throw new Error("nothing renders");
  const renderer = registry.clone({ sanitizer: new Sanitizer() }).createRenderer(mimeType);
  await renderer.renderModel(registry.createModel({ data: { [mimeType]: data as string }, trusted: true }));
  return renderer.node;
}

test("ANSI colours become classes, and what looks like HTML stays text", async () => {
  const node = await rendered("application/vnd.jupyter.stdout", "\u001b[0;31mred <b>\u001b[0m & plain");
  expect(node.textContent).toBe("red <b> & plain");
  expect(node.querySelector(".ansi-red-fg")?.textContent).toBe("red <b>");
  expect(node.querySelector("b")).toBeNull();
});

test("text of 256 colours keeps its style", async () => {
  const node = await rendered("application/vnd.jupyter.stdout", "\u001b[38;5;208morange\u001b[0m");
  expect(node.querySelector("span")?.style.color).toBe("rgb(255, 135, 0)");
});

test("HTML of the page's own kernel is shown as it is", async () => {
  const node = await rendered("text/html", "<table><tr><td>1</td></tr></table>");
  expect(node.querySelector("td")?.textContent).toBe("1");
});

test("Markdown is rendered", async () => {
  const node = await rendered("text/markdown", "# head\n*em*");
  expect(node.querySelector("h1")?.textContent).toContain("head");
  expect(node.querySelector("em")?.textContent).toBe("em");
});

test("what nobody trusted is bare text", () => {
  expect(new Sanitizer().sanitize("<b onclick=x>bold</b><script>alert(1)</script>")).toBe("bold");
});

test("the registry is made once", async () => {
  const manager = {} as WidgetManager & { renderMime?: RenderMimeRegistry };
  await outputModule(manager);
  const registry = manager.renderMime;
  expect(registry).toBeInstanceOf(RenderMimeRegistry);
  await outputModule(manager);
  expect(manager.renderMime).toBe(registry);
});

test("JSON is text, and a script is a word about it", async () => {
  expect((await rendered("application/json", { a: 1 })).textContent).toBe('{\n  "a": 1\n}');
  expect((await rendered("application/javascript", "document.title = 'ran'")).textContent).toContain("do not run");
  expect(document.title).toBe("");
});
