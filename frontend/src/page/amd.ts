/**
 * Loads AMD modules, which is how widgets are packaged for pages that have no bundler: `define(["dependency", …], factory)`.
 *
 * There is a `define` only for the scripts that are loaded here, and only while they run: a library that looks whether
 * there is one, inside a module of another kind, must not find it and hand itself over to nobody. The browser says which
 * script runs, so it is never guessed whose definition one is.
 */

import { nonceOfPage } from "./styles";

export interface AmdOptions {
  /** The script of a module; throws where there is none. */
  urlOf(id: string): Promise<string> | string;
  /** A module that the page itself has; undefined where it has not. */
  ownModule(id: string): Promise<unknown> | undefined;
  loadScript(url: string): Promise<Script>;
}

/** A script that has run. */
export interface Script {
  readonly definitions: readonly Definition[];
  /** Call what it has defined; some look meanwhile which script of the document is the last, and take it for theirs. */
  call<T>(factory: () => T): T;
}

/** One call of `define`. */
export interface Definition {
  readonly id: string | null;
  readonly dependencies: readonly string[];
  readonly factory: unknown;
}

interface Module {
  readonly id: string;
  readonly uri: string;
  exports: unknown;
  config(): object;
}

export class AmdLoader {
  readonly #options: AmdOptions;
  /** By address. What has failed stays so: a page is loaded anew to try again, as with all of its program. */
  readonly #modules = new Map<string, Promise<unknown>>();
  /** What a script has defined beside its module. */
  readonly #named = new Map<string, readonly [Definition, Script, string]>();
  /** Which modules wait for which. */
  readonly #waiting = new Map<string, Set<string>>();
  /** What is there already, for `require("…")` without waiting. */
  readonly #values = new Map<string, unknown>();

  constructor(options: AmdOptions) {
    this.#options = options;
  }

  /** The module of that name. Rejects where it, or what it depends on, cannot be had. */
  load(id: string): Promise<unknown> {
    return this.#require(id, null);
  }

  async #require(id: string, from: string | null): Promise<unknown> {
    const own = this.#options.ownModule(id);
    const value = own ? await own : await this.#foreign(id, from);
    this.#values.set(id, value);
    return value;
  }

  async #foreign(id: string, from: string | null): Promise<unknown> {
    const named = this.#named.get(id);
    const address = named ? `${named[2]}#${id}` : await this.#addressOf(id, from);
    if (from !== null) {
      if (this.#waits(address, from)) throw new Error(`${id} and ${from} wait for each other`);
      const waiting = this.#waiting.get(from) ?? new Set();
      this.#waiting.set(from, waiting.add(address));
    }
    let module = this.#modules.get(address);
    if (!module) {
      module = named ? this.#evaluate(named[0], named[1], id, address) : this.#fetch(id, address);
      this.#modules.set(address, module);
    }
    return module;
  }

  async #addressOf(id: string, from: string | null): Promise<string> {
    return from !== null && /^\.\.?\//.test(id) ? new URL(`${id}.js`, from).href : this.#options.urlOf(id);
  }

  #waits(address: string, from: string): boolean {
    return address === from || [...(this.#waiting.get(address) ?? [])].some((next) => this.#waits(next, from));
  }

  async #fetch(id: string, address: string): Promise<unknown> {
    const script = await this.#options.loadScript(address);
    const { definitions } = script;
    const main = definitions.find((it) => it.id === null) ?? definitions.find((it) => it.id === id) ?? definitions[0];
    if (!main) throw new Error(`${address} defines no module`);
    for (const it of definitions) if (it !== main && it.id !== null) this.#named.set(it.id, [it, script, address]);
    return this.#evaluate(main, script, id, address);
  }

  async #evaluate(definition: Definition, script: Script, id: string, address: string): Promise<unknown> {
    const module: Module = { id, uri: address, exports: {}, config: () => ({}) };
    const special: Readonly<Record<string, unknown>> = {
      module,
      exports: module.exports,
      require: this.#requireFor(address),
    };
    const { dependencies, factory } = definition;
    const given = await Promise.all(
      dependencies.map((name) => (Object.hasOwn(special, name) ? special[name] : this.#require(name, address))),
    );
    this.#waiting.delete(address);
    return typeof factory === "function" ? (script.call(() => factory(...given)) ?? module.exports) : factory;
  }

  /** The `require` that a module is given. */
  #requireFor(address: string): unknown {
    const require = (ids: unknown, done?: (...modules: unknown[]) => unknown, failed?: (error: unknown) => unknown) => {
      if (typeof ids === "string") {
        if (!this.#values.has(ids)) throw new Error(`${ids} is not loaded yet`);
        return this.#values.get(ids);
      }
      const modules = (ids as readonly string[]).map((id) => this.#require(id, address));
      Promise.all(modules).then((loaded) => done?.(...loaded), failed ?? ((error) => console.error(error)));
      return undefined;
    };
    return Object.assign(require, { toUrl: (path: string) => new URL(path, address).href });
  }
}

type Window_ = Window & { define?: unknown };

/** What the scripts that are being loaded have defined so far. */
const running = new WeakMap<object, Definition[]>();

/** As in AMD's specification: `define(id?, dependencies?, factory)`. */
function define(...values: unknown[]): void {
  const definitions = running.get(document.currentScript ?? {});
  const id = typeof values[0] === "string" ? (values.shift() as string) : null;
  const named = values.length > 1 && Array.isArray(values[0]) ? (values.shift() as readonly string[]) : null;
  const factory = values[0];
  definitions?.push({ id, dependencies: named ?? impliedBy(factory), factory });
}
define.amd = {};

/** A factory for which nothing is listed is given `require`, `exports` and `module`, and what it requires is there. */
function impliedBy(factory: unknown): string[] {
  if (typeof factory !== "function" || factory.length === 0) return [];
  const required = String(factory).matchAll(/\brequire\(\s*["']([^"']+)["']\s*\)/g);
  return ["require", "exports", "module", ...[...required].map((found) => found[1] ?? "")];
}

function offerDefine(window: Window_): void {
  // Somebody else's is theirs still.
  let other = window.define;
  Object.defineProperty(window, "define", {
    configurable: true,
    get: () => (running.has(document.currentScript ?? {}) ? define : other),
    set: (value: unknown) => {
      other = value;
    },
  });
}

let offered = false;

/** Run a script of this or another origin. Rejects with what it throws. */
export function loadScript(url: string): Promise<Script> {
  if (!offered) offerDefine(window);
  offered = true;
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const definitions: Definition[] = [];
    let thrown: Error | null = null;
    const listen = ({ error, message }: ErrorEvent) => {
      if (document.currentScript === script) thrown = error instanceof Error ? error : new Error(message);
    };
    const end = (settle: () => void) => () => {
      window.removeEventListener("error", listen);
      running.delete(script);
      script.remove();
      settle();
    };
    window.addEventListener("error", listen);
    running.set(script, definitions);
    const call = <T>(factory: () => T): T => {
      document.body.append(script); // it does not run again
      try {
        return factory();
      } finally {
        script.remove();
      }
    };
    script.addEventListener(
      "load",
      end(() => (thrown ? reject(thrown) : resolve({ definitions, call }))),
    );
    script.addEventListener(
      "error",
      end(() => reject(new Error(`${url} could not be loaded`))),
    );
    if (new URL(url, location.href).origin !== location.origin) script.crossOrigin = "anonymous"; // else errors say nothing
    script.nonce = nonceOfPage();
    script.src = url;
    document.head.append(script);
  });
}
