import { defineConfig } from "vitest/config";
import { standIn } from "./standins.mjs";

export default defineConfig({
  define: {
    LAZY_STYLES: JSON.stringify({ icons: "icons.css", output: "output.css", math: "math.css", console: "console.css" }),
  },
  plugins: [{ name: "stand-ins", enforce: "pre", resolveId: standIn }],
  test: {
    include: ["test/**/*.test.ts"],
    environment: "jsdom",
    environmentOptions: { jsdom: { url: "https://app.test/sub/report?x=1" } },
    setupFiles: ["test/setup.ts"],
    // Jupyter's packages are written for bundlers: they import without extensions.
    server: { deps: { inline: [/@jupyter-widgets/, /@lumino/, /@jupyterlab\/(apputils|outputarea|rendermime)/] } },
    restoreMocks: true,
    silent: "passed-only", // KernelConnection talks while it connects
    css: false,
  },
});
