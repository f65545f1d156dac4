/** Our modules that stand in, in the bundle and in the tests, for packages that bring far more than is used of them. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

/** What is imported, by which package, and what it gets instead. */
const STAND_INS = [
  [/^\.\.$/, /@jupyterlab.services/, "services.ts"],
  [/^@jupyterlab\/services$/, /@jupyterlab.(outputarea|rendermime|apputils)/, "services.ts"],
  [/^@jupyterlab\/apputils$/, /@jupyterlab.(outputarea|rendermime)/, "apputils.ts"],
  [/^sanitize-html$/, /@jupyter-widgets.base-manager/, "sanitize.ts"],
];

/**
 * The path of our module; undefined where the import is what it says.
 *
 * @param {string} name
 * @param {string | undefined} importer
 * @returns {string | undefined}
 */
export function standIn(name, importer) {
  for (const [names, packages, file] of STAND_INS) {
    const within = new RegExp(`[\\\\/]node_modules[\\\\/]${packages.source}[\\\\/]lib[\\\\/]`);
    if (importer && names.test(name) && within.test(importer)) return join(here, "src/page", file);
  }
  return undefined;
}
