// @vitest-environment node
/** What the build makes: nothing more than a page needs, and nothing from elsewhere. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";

interface Manifest {
  entry: string;
  styles: string[];
  dark: string;
  preload: string[];
}

/** Bytes, gzipped, of all that a page names: script, modules and styles. Raise it on purpose only. */
const FIRST_LOAD_LIMIT = 146_000;

let directory: string;
/** What the build made, without the compressed twins. */
let files: string[];
let twins: string[];
let manifest: Manifest;

const read = (name: string) => readFileSync(join(directory, name), "utf8");
const of = (kind: string) => files.filter((name) => name.endsWith(kind));

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "solara-static-"));
  execFileSync(process.execPath, ["build.mjs", directory], { stdio: "pipe" });
  const made = readdirSync(directory);
  const isTwin = (name: string) => /\.(br|gz)$/.test(name);
  files = made.filter((name) => !isTwin(name));
  twins = made.filter(isTwin);
  manifest = JSON.parse(read("manifest.json"));
}, 60_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("the manifest names files that are there, each once", () => {
  const named = [manifest.entry, ...manifest.styles, manifest.dark, ...manifest.preload];
  expect(new Set(named).size).toBe(named.length);
  for (const name of named) expect(files).toContain(name);
});

test("every other name carries a hash of the content", () => {
  for (const name of files) if (name !== "manifest.json") expect(name).toMatch(/-[A-Z0-9]{8}\.(js|css|woff2)$/);
});

test("every compressed twin holds what its file holds, and is smaller", () => {
  expect(twins.length).toBeGreaterThan(0);
  for (const twin of twins) {
    const plain = readFileSync(join(directory, twin.replace(/\.(br|gz)$/, "")));
    const compressed = readFileSync(join(directory, twin));
    expect(compressed.length).toBeLessThan(plain.length);
    expect((twin.endsWith(".br") ? brotliDecompressSync : gunzipSync)(compressed).equals(plain)).toBe(true);
  }
});

test("fonts come in one format, and source maps not at all", () => {
  expect(of(".map")).toEqual([]);
  for (const name of of(".js")) expect(read(name)).not.toContain("sourceMappingURL");
  for (const name of of(".css")) expect(read(name)).not.toMatch(/\.(ttf|eot|woff)\b/);
});

test("what is loaded on demand finds its files, and no file is there for nothing", () => {
  const mentioned = files.filter((name) => of(".js").some((it) => it !== name && read(it).includes(name)));
  const urls = of(".css").flatMap((name) => [...read(name).matchAll(/url\(["']?\.\/([^"')]+)/g)].map((it) => it[1]));
  const reachable = new Set([
    "manifest.json",
    manifest.entry,
    ...manifest.styles,
    manifest.dark,
    ...mentioned,
    ...urls,
  ]);
  // esbuild writes the entry's style sheet once for each script that imports it.
  expect(files.filter((name) => !reachable.has(name))).toEqual([]);
  for (const url of urls) expect(files).toContain(url);
});

test("no style sheet and no script asks another host for anything", () => {
  for (const name of of(".css")) {
    expect(read(name)).not.toMatch(/url\(["']?(https?:)?\/\//);
    expect(read(name)).not.toContain("@import");
  }
  const hosts = /(jsdelivr|unpkg|cdnjs|googleapis|gstatic|esm\.sh|mathjax\.org|bootstrapcdn)/;
  for (const name of of(".js")) {
    expect(read(name).match(hosts)?.[0]).toBeUndefined();
    expect(read(name)).not.toMatch(/(import|importScripts)\(["'`]https?:/);
  }
});

test("every variable that the styles use is defined", () => {
  const css = of(".css").map(read).join("\n");
  const defined = new Set([...css.matchAll(/(--[\w-]+)\s*:/g)].map((it) => it[1]));
  const used = new Set([...css.matchAll(/var\(\s*(--[\w-]+)\s*\)/g)].map((it) => it[1]));
  expect([...used].filter((name) => !defined.has(name))).toEqual([]);
});

test("the first load stays small", () => {
  const named = [manifest.entry, ...manifest.styles, manifest.dark, ...manifest.preload];
  const sizes = named.map((name) => gzipSync(readFileSync(join(directory, name)), { level: 9 }).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(FIRST_LOAD_LIMIT);
});

test("the entry is tiny: it opens the websocket while the rest is on its way", () => {
  expect(gzipSync(read(manifest.entry)).length).toBeLessThan(6_000);
});

test("the same input gives the same files", () => {
  const again = mkdtempSync(join(tmpdir(), "solara-static-"));
  execFileSync(process.execPath, ["build.mjs", again], { stdio: "pipe" });
  expect(readdirSync(again).sort()).toEqual([...files, ...twins].sort());
  rmSync(again, { recursive: true });
}, 60_000);
