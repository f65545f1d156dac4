import { expect, test, vi } from "vitest";
import { AmdLoader, type Definition, loadScript, type Script } from "../../src/page/amd";

type Files = Record<string, readonly (readonly [string | null, readonly string[], unknown])[] | Error>;

/** A loader of modules whose scripts are these, by name; "page" is the page's own. */
function loaderOf(files: Files) {
  const fetched: string[] = [];
  const loadScript = async (url: string): Promise<Script> => {
    fetched.push(new URL(url).pathname);
    const name = new URL(url).pathname.slice(1).replace(/\.js$/, "");
    const file = files[name] ?? new Error(`no ${name}`);
    if (file instanceof Error) throw file;
    const definitions = file.map(([id, dependencies, factory]): Definition => ({ id, dependencies, factory }));
    return { definitions, call: (factory) => factory() };
  };
  const loader = new AmdLoader({
    urlOf: (id) => `https://app.test/${id}.js`,
    ownModule: (id) => (id === "page" ? Promise.resolve({ own: true }) : undefined),
    loadScript,
  });
  return { loader, fetched };
}

test("a module is given what it depends on, the page's own modules too", async () => {
  const { loader, fetched } = loaderOf({
    grid: [[null, ["page", "table"], (page: object, table: object) => ({ page, table })]],
    table: [[null, [], () => ({ rows: 3 })]],
  });
  expect(await loader.load("grid")).toEqual({ page: { own: true }, table: { rows: 3 } });
  expect(fetched).toEqual(["/grid.js", "/table.js"]);
});

test("a script runs once, whoever asks for it, at once or later", async () => {
  const made = vi.fn(() => ({}));
  const { loader, fetched } = loaderOf({
    a: [[null, ["shared"], (it: unknown) => ({ it })]],
    b: [[null, ["shared"], (it: unknown) => ({ it })]],
    shared: [[null, [], made]],
  });
  const [a, b] = (await Promise.all([loader.load("a"), loader.load("b")])) as { it: unknown }[];
  expect(a?.it).toBe(b?.it);
  expect(await loader.load("shared")).toBe(a?.it);
  expect(made).toHaveBeenCalledOnce();
  expect(fetched.filter((it) => it === "/shared.js")).toHaveLength(1);
});

test("a script may name its modules: the one that is asked for counts, the others are there for whoever wants them", async () => {
  const { loader, fetched } = loaderOf({
    plot: [
      ["core", [], () => "the core"],
      ["plot", ["core"], (core: string) => `a plot with ${core}`],
    ],
  });
  expect(await loader.load("plot")).toBe("a plot with the core");
  expect(await loader.load("core")).toBe("the core");
  expect(fetched).toEqual(["/plot.js"]);
});

test("a module without a factory is what it is given", async () => {
  const { loader } = loaderOf({ words: [[null, [], { hello: "hallo" }]], named: [["other", [], "its only one"]] });
  expect(await loader.load("words")).toEqual({ hello: "hallo" });
  expect(await loader.load("named")).toBe("its only one");
});

test("exports, module and require are those of the module", async () => {
  const { loader } = loaderOf({
    "lib/main": [
      [
        null,
        ["exports", "module", "require", "./part"],
        (
          exports: Record<string, unknown>,
          module: { id: string; uri: string; config(): object },
          require: ((id: string) => unknown) & { toUrl(path: string): string },
          part: string,
        ) => {
          Object.assign(exports, { id: module.id, uri: module.uri, config: module.config(), part });
          exports.again = require("./part");
          exports.font = require.toUrl("./font.woff2");
        },
      ],
    ],
    "lib/part": [[null, [], () => "a part"]],
  });
  expect(await loader.load("lib/main")).toEqual({
    id: "lib/main",
    uri: "https://app.test/lib/main.js",
    config: {},
    part: "a part",
    again: "a part",
    font: "https://app.test/lib/font.woff2",
  });
});

test("a module may load others later, and hears of those that are not there", async () => {
  type Require = (ids: unknown, done?: (...modules: unknown[]) => void, failed?: (error: Error) => void) => unknown;
  const { loader } = loaderOf({
    main: [[null, ["require"], (require: Require) => ({ require })]],
    later: [[null, [], () => "later"]],
  });
  const { require } = (await loader.load("main")) as { require: Require };
  expect(() => require("later")).toThrow("later is not loaded yet");
  expect(await new Promise((done) => require(["later"], done))).toBe("later");
  expect(require("later")).toBe("later");
  expect(await new Promise<Error>((failed) => require(["none"], undefined, failed))).toMatchObject({
    message: "no none",
  });
  const logged = vi.spyOn(console, "error").mockImplementation(() => {});
  require(["none"]);
  await vi.waitFor(() => expect(logged).toHaveBeenCalledOnce());
});

test("what cannot be loaded, throws, or defines nothing is an error, for all that depend on it", async () => {
  const { loader, fetched } = loaderOf({
    user: [[null, ["broken"], () => ({})]],
    broken: [
      [
        null,
        [],
        () => {
          throw new Error("it is broken");
        },
      ],
    ],
    empty: [],
    gone: new Error("gone"),
  });
  await expect(loader.load("user")).rejects.toThrow("it is broken");
  await expect(loader.load("broken")).rejects.toThrow("it is broken");
  await expect(loader.load("empty")).rejects.toThrow("https://app.test/empty.js defines no module");
  await expect(loader.load("gone")).rejects.toThrow("gone");
  expect(fetched.filter((it) => it === "/broken.js")).toHaveLength(1);
});

test.each([{ a: ["b"], b: ["a"] }, { a: ["b"], b: ["c"], c: ["a"] }, { a: ["a"] }])(
  "modules that wait for each other are an error, and nobody waits for ever: %o",
  async (needs) => {
    const files = Object.fromEntries(
      Object.entries(needs).map(([name, ids]) => [name, [[null, ids, () => name]] as const]),
    );
    const { loader } = loaderOf(files);
    const all = await Promise.allSettled(Object.keys(needs).map((name) => loader.load(name)));
    expect(all.every((it) => it.status === "rejected" && /wait for each other/.test(it.reason.message))).toBe(true);
  },
);

// The browser's half: jsdom runs no scripts from elsewhere, so the test does what a script would.

type Define = ((...values: unknown[]) => void) & { amd?: object };
const global = window as unknown as { define?: Define };

/** Load a script; while it "runs", `body` is called. */
async function run(url: string, body: () => void, event: "load" | "error" = "load"): Promise<Script> {
  const loading = loadScript(url);
  const script = document.head.querySelector(`script[src="${url}"]`) as HTMLScriptElement;
  const current = vi.spyOn(document, "currentScript", "get").mockReturnValue(script);
  body();
  current.mockRestore();
  script.dispatchEvent(new Event(event));
  return loading;
}

test("there is a define only while a script of ours runs", async () => {
  let seen: unknown;
  const { definitions } = await run("/a.js", () => {
    seen = global.define?.amd;
    global.define?.("name", ["x"], () => 1);
    global.define?.(["y"], () => 2);
    global.define?.({ z: 3 });
  });
  expect(seen).toBeTruthy();
  expect(global.define).toBeUndefined();
  expect(definitions.map(({ id, dependencies }) => [id, dependencies])).toEqual([
    ["name", ["x"]],
    [null, ["y"]],
    [null, []],
  ]);
  expect(document.querySelector("script")).toBeNull();
});

test("a define of somebody else's is left to them", async () => {
  const theirs = vi.fn();
  global.define = theirs;
  const { definitions } = await run("/b.js", () => global.define?.([], () => 1));
  expect(definitions).toHaveLength(1);
  global.define([], () => 2);
  expect(theirs).toHaveBeenCalledOnce();
  Object.assign(global, { define: undefined });
});

test("a factory without a list is given what it requires", async () => {
  const { definitions } = await run("/c.js", () => {
    global.define?.((require: (id: string) => unknown) => [require("one"), require("two")]);
    global.define?.(() => 1);
  });
  expect(definitions.map((it) => it.dependencies)).toEqual([["require", "exports", "module", "one", "two"], []]);
});

test("while a factory is called, its script is the last of the document", async () => {
  const { call } = await run("/d.js", () => {});
  document.body.append(document.createElement("script"));
  expect(call(() => [...document.scripts].at(-1)?.getAttribute("src"))).toBe("/d.js");
  expect(() => call(() => JSON.parse("{"))).toThrow();
  expect(document.querySelectorAll("script[src]")).toHaveLength(0);
});

test("what a script throws is told, and what another throws meanwhile is not its fault", async () => {
  const failing = run("/e.js", () => {
    window.dispatchEvent(new ErrorEvent("error", { error: new Error("at line 1"), message: "Error: at line 1" }));
  });
  await expect(failing).rejects.toThrow("at line 1");
  const foreign = run("https://cdn.test/e.js", () => {
    window.dispatchEvent(new ErrorEvent("error", { message: "Script error." }));
  });
  await expect(foreign).rejects.toThrow("Script error.");
  const fine = run("/f.js", () => {
    vi.spyOn(document, "currentScript", "get").mockReturnValue(null);
    window.dispatchEvent(new ErrorEvent("error", { error: new Error("somebody else's") }));
  });
  await expect(fine).resolves.toBeDefined();
});

test("a script that does not come is an error, and one from elsewhere comes so that its errors can be read", async () => {
  await expect(run("/g.js", () => {}, "error")).rejects.toThrow("/g.js could not be loaded");
  const loading = loadScript("https://cdn.test/h.js");
  const script = document.head.querySelector("script") as HTMLScriptElement;
  expect(script.crossOrigin).toBe("anonymous");
  script.dispatchEvent(new Event("load"));
  await loading;
});
