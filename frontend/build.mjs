/**
 * Bundles the page's program and styles.
 *
 *   node build.mjs [directory]
 *
 * Writes files named by their content, and manifest.json, which says which of them a page has to name:
 * {"entry": script, "styles": [style sheet, …], "dark": style sheet, "preload": [script, …]}.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { standIn } from "./standins.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const outdir = resolve(process.argv[2] ?? join(here, "../solara_ctx/web/static"));
const LAZY_STYLES = ["icons", "output", "math", "console"];
/** In every page, for a medium of its own. */
const DARK_STYLE = "src/styles/dark.css";
const TARGETS = ["chrome116", "edge116", "firefox124", "safari17.4"]; // the first with AbortSignal.any and inert

/** Of each font only the format that every browser of today reads. */
const woff2Only = {
  name: "woff2-only",
  setup(build) {
    build.onLoad({ filter: /(fontawesome-free|katex).*\.css$/ }, async ({ path }) => {
      const css = await readFile(path, "utf8");
      const contents = css.replace(/@font-face\s*{[^}]*}/g, (face) => {
        const url = face.match(/url\(["']?[^)"']*\.woff2["']?\)/)?.[0];
        if (!url) throw new Error(`${path}: a font without a woff2 file`);
        const rest = face.replace(/\bsrc\s*:[^;}]*;?/g, "").replace(/;?\s*}$/, "");
        return `${rest}; src: ${url} format("woff2"); }`;
      });
      return { contents, loader: "css" };
    });
  },
};

/** Parts of packages that a page does not use, and that their packages offer no way to leave out. */
const leaner = {
  name: "leaner",
  setup(build) {
    build.onResolve({ filter: /^(\.\.|@jupyterlab\/.*|sanitize-html)$/ }, ({ path: name, importer }) => {
      const path = standIn(name, importer);
      return path ? { path } : undefined;
    });
    // The bundle that the package points to is one piece; of its sources, what nobody imports is left out.
    const lumino = join(here, "node_modules/@lumino/widgets/src");
    build.onResolve({ filter: /^@lumino\/widgets$/ }, () => ({ path: join(lumino, "index.ts"), sideEffects: false }));
    build.onResolve({ filter: /^\.\// }, ({ path, importer }) =>
      dirname(importer) === lumino ? { path: join(lumino, `${path}.ts`), sideEffects: false } : undefined,
    );
    // Without Ajax and effects: no widget uses either.
    build.onResolve({ filter: /^jquery$/ }, () => ({ path: join(here, "node_modules/jquery/dist/jquery.slim.js") }));
    // Backbone is written for sloppy mode, where `arguments` follows the parameters: there `options || (options = {})` gives
    // initialize() its options. A module is strict, and initialize() got undefined; models of errors have no options.
    build.onLoad({ filter: /[\\/]backbone\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const model =
        /(Backbone\.Model = function\(attributes, options\) {[\s\S]*?)this\.initialize\.apply\(this, arguments\);/;
      if (!model.test(source)) throw new Error(`${path}: Backbone's Model is not as it was`);
      return { contents: source.replace(model, "$1this.initialize(attributes, options);") };
    });
    // Styles are ours to arrange, in src/styles.
    build.onResolve({ filter: /\.css$/ }, ({ importer, kind }) =>
      kind === "import-statement" && importer.includes("node_modules")
        ? { path: "empty", namespace: "empty", sideEffects: false }
        : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "" }));
  },
};

/**
 * What is loaded on demand imports the session, which every page has anyway.
 *
 * esbuild makes a file for each set of entry points that share a module: nine for the first page, of which most are tiny.
 * Where all that is loaded on demand has all that is eager within reach, the eager modules are one set, and one file.
 */
const onDemand = {
  name: "on-demand",
  setup(build) {
    const session = join(here, "src/page/session.ts");
    build.onResolve({ filter: /./ }, async ({ path: name, kind, pluginData, ...from }) => {
      if (kind !== "dynamic-import" || pluginData === onDemand) return undefined;
      const found = await build.resolve(name, { kind, pluginData: onDemand, ...from });
      if (found.errors.length > 0) return { errors: found.errors };
      if (found.path === session) return undefined;
      return { path: found.path, namespace: "on-demand", pluginData: from.resolveDir };
    });
    build.onLoad({ filter: /./, namespace: "on-demand" }, ({ path }) => {
      const contents = `import ${JSON.stringify(session)}; export * from ${JSON.stringify(path)};`;
      return { contents, resolveDir: dirname(path) };
    });
  },
};

/** @type {esbuild.BuildOptions} */
const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  metafile: true,
  outdir,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  chunkNames: "chunk-[hash]",
  loader: { ".woff2": "file", ".svg": "dataurl" },
  target: TARGETS,
  legalComments: "none",
  logLevel: "warning",
};

await rm(outdir, { recursive: true, force: true });
await mkdir(outdir, { recursive: true });

/** As esbuild.build(), which has said all there is to say by the time it fails for what it was given. */
async function bundle(options) {
  try {
    return await esbuild.build(options);
  } catch (error) {
    if (error.errors) process.exit(1);
    throw error;
  }
}

const styles = await bundle({
  ...common,
  entryPoints: [...LAZY_STYLES.map((name) => `src/styles/${name}.css`), DARK_STYLE],
  plugins: [woff2Only],
});
const scripts = await bundle({
  ...common,
  entryPoints: { main: "src/main.ts" },
  format: "esm",
  platform: "browser",
  splitting: true,
  plugins: [onDemand, leaner],
  define: {
    "process.env.NODE_ENV": '"production"',
    global: "globalThis",
    LAZY_STYLES: JSON.stringify(
      Object.fromEntries(LAZY_STYLES.map((name) => [name, output(styles, `src/styles/${name}.css`)])),
    ),
  },
  pure: ["console.debug", "console.log"],
  // As the packages whose sources are compiled here compile them.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
});

/** The file that an entry point became. */
function output({ metafile }, entryPoint, extension = "") {
  const found = Object.entries(metafile.outputs).find(
    ([path, { entryPoint: from }]) => from === entryPoint && path.endsWith(extension),
  );
  if (!found) throw new Error(`${entryPoint} became no file`);
  return fileName(found[0]);
}

function fileName(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The files that a file imports, and those that these import, without what is loaded on demand. */
function eager(outputs, path, found = new Set()) {
  for (const { path: imported, kind } of outputs[path].imports) {
    if (kind !== "import-statement" || found.has(imported)) continue;
    found.add(imported);
    eager(outputs, imported, found);
  }
  return found;
}

const { outputs } = scripts.metafile;
const pathOf = (name) => Object.keys(outputs).find((path) => fileName(path) === name);
const entry = output(scripts, "src/main.ts", ".js");
// The session is loaded on demand only so that the entry can open the websocket before it: every page wants it.
const session = pathOf(output(scripts, "src/page/session.ts", ".js"));
const manifest = {
  entry,
  styles: [fileName(outputs[pathOf(entry)].cssBundle)],
  dark: output(styles, DARK_STYLE),
  preload: [...eager(outputs, pathOf(entry)), session, ...eager(outputs, session)]
    .filter((path, i, all) => all.indexOf(path) === i)
    .map(fileName),
};
// Compressed here, once and as hard as can be, and not by the server for every request.
const compressors = { br: (content) => brotliCompressSync(content), gz: (content) => gzipSync(content, { level: 9 }) };
for (const name of await readdir(outdir)) {
  if (!/\.(js|css)$/.test(name)) continue;
  const content = await readFile(join(outdir, name));
  for (const [suffix, compress] of Object.entries(compressors)) {
    const compressed = compress(content);
    if (compressed.length < content.length) await writeFile(join(outdir, `${name}.${suffix}`), compressed);
  }
}
await writeFile(join(outdir, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);

if (process.env.SOLARA_METAFILE) {
  await writeFile(process.env.SOLARA_METAFILE, JSON.stringify(scripts.metafile));
}
process.stdout.write(`${(await readdir(outdir)).length} files in ${outdir}\n`);
