/** What the server says on the page's comm: once the page function has run, and when the app's code has changed. */
import type { PageError } from "../connection/state";

export type PageAnswer = ConsoleNews & { readonly page?: unknown } & (
    | {
        readonly status: "ok";
        /** What goes to the main place. */
        readonly roots: readonly string[];
        /** What goes to others, by their names. */
        readonly named_roots?: Readonly<Record<string, readonly string[]>>;
      }
    | { readonly status: "error"; readonly error: PageError }
  );

/** What the page looks like around its widgets has changed. */
export interface PageChange {
  readonly method: "page";
  readonly page: unknown;
}

/** The kernel is about to show another page of the app: the answer follows. */
export interface Navigated {
  readonly method: "navigated";
  /** Below the mount. */
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
}

export function isNavigated(data: unknown): data is Navigated {
  const { method, path, query } = (data ?? {}) as Record<string, unknown>;
  return method === "navigated" && typeof path === "string" && /^\/(?!\/)/.test(path) && typeof query === "string";
}

export function isPageChange(data: unknown): data is PageChange {
  return typeof data === "object" && data !== null && "method" in data && data.method === "page" && "page" in data;
}

/** Which widget shows what is printed, once there is one; said by itself where that is after the answer. */
export interface ConsoleNews {
  readonly run: string;
  readonly console?: string;
}

export function isConsoleNews(data: unknown): data is ConsoleNews {
  const { run, status, console } = (data ?? {}) as Record<string, unknown>;
  return typeof run === "string" && status === undefined && typeof console === "string";
}

export function isPageAnswer(data: unknown): data is PageAnswer {
  if (typeof data !== "object" || data === null) return false;
  const { run, status, roots, named_roots, error } = data as Record<string, unknown>;
  if (typeof run !== "string") return false;
  if (status === "ok") return isIds(roots) && Object.values(named_roots ?? {}).every(isIds);
  return status === "error" && typeof error === "object" && error !== null && "ename" in error;
}

function isIds(value: unknown): boolean {
  return Array.isArray(value) && value.every((id) => typeof id === "string");
}

/** Code that was to take the page's place could not be loaded, or can be again. */
export interface CodeError {
  readonly code_error: PageError | null;
}

export function isCodeError(data: unknown): data is CodeError {
  if (typeof data !== "object" || data === null || !("code_error" in data)) return false;
  const { code_error: error } = data;
  return error === null || (typeof error === "object" && "ename" in error);
}
