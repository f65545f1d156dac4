/** Other people's widgets: their modules, from the server's environment, or from a CDN where the server allows one. */
import * as base from "@jupyter-widgets/base";
import satisfies from "semver/functions/satisfies";
import type { PageConfig } from "../config";
import { AmdLoader, loadScript } from "./amd";
import type { WidgetManager } from "./manager";

/** A module that the server has, or of which it has only what JupyterLab can load. */
interface Installed {
  /** Below the folder that is served. */
  readonly path: string | null;
  readonly version: string | null;
}

type Index = ReadonlyMap<string, Installed>;

/** The module is not where the server looks. */
export class NotInstalled extends Error {
  /** @param forLab Whether there is an extension of JupyterLab of that name. */
  constructor(
    readonly module: string,
    readonly forLab: boolean,
  ) {
    super(`the module ${module} is not installed where the server runs`);
  }
}

export class ThirdParty {
  readonly #baseUrl: string;
  readonly #cdn: string | null;
  readonly #loader: AmdLoader;
  readonly #checked = new Set<string>();
  /** The versions that widgets ask for, which a CDN wants to know. */
  readonly #wanted = new Map<string, string>();
  #index: Promise<Index> | undefined;

  constructor(config: Pick<PageConfig, "baseUrl" | "widgetsCdn">, manager: WidgetManager) {
    this.#baseUrl = new URL(config.baseUrl, location.href).href;
    this.#cdn = config.widgetsCdn;
    // Where some of them look for their other files.
    document.body.dataset.baseUrl = config.baseUrl;
    this.#loader = new AmdLoader({
      urlOf: (id) => this.#urlOf(id),
      ownModule: (id) => ownModule(id, manager),
      loadScript,
    });
  }

  /**
   * The module that has a widget's classes.
   *
   * Throws NotInstalled, or what has gone wrong.
   */
  async load(name: string, version: string): Promise<Readonly<Record<string, unknown>>> {
    this.#wanted.set(name, version);
    const module = await this.#loader.load(name);
    await this.#check(name, version);
    return (module ?? {}) as Readonly<Record<string, unknown>>;
  }

  async #urlOf(id: string): Promise<string> {
    if (/^nbextensions\/[\w@./+-]+$/.test(id)) return `${this.#baseUrl}${id}.js`;
    const installed = (await this.#installed()).get(id);
    if (installed?.path) return `${this.#baseUrl}nbextensions/${installed.path}`;
    // A script that names another host gets there only with the server's leave.
    if (this.#cdn === null || id.includes(":")) throw new NotInstalled(id, installed !== undefined);
    return cdnUrl(this.#cdn, id, this.#wanted.get(id));
  }

  #installed(): Promise<Index> {
    this.#index ??= readIndex(`${this.#baseUrl}nbextensions/`);
    return this.#index;
  }

  async #check(name: string, wanted: string): Promise<void> {
    const version = (await this.#installed()).get(name)?.version;
    if (!version || this.#checked.has(name) || satisfies(version, wanted, { includePrerelease: true })) return;
    this.#checked.add(name);
    console.warn(`${name} is installed as ${version}, and its widgets ask for ${wanted}; it may not work`);
  }
}

function ownModule(id: string, manager: WidgetManager): Promise<unknown> | undefined {
  if (id === "@jupyter-widgets/base") return Promise.resolve(base);
  if (id === "@jupyter-widgets/controls") return import("@jupyter-widgets/controls");
  if (id === "@jupyter-widgets/output") return import("./output").then((it) => it.outputModule(manager));
  return undefined;
}

async function readIndex(url: string): Promise<Index> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the server does not say which widgets it has (${response.status})`);
  const { modules } = (await response.json()) as { modules: Record<string, Installed> };
  return new Map(Object.entries(modules));
}

/** As Jupyter's own manager for static pages does: the package's `dist`, in it the file that the name has after the package's. */
export function cdnUrl(cdn: string, id: string, version: string | undefined): string {
  const [, name = id, file = "index"] = id.match(/^((?:@[^/]+\/)?[^/]+)(?:\/(.+))?$/) ?? [];
  return `${cdn}${name}${version ? `@${version}` : ""}/dist/${file}.js`;
}
