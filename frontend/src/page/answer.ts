/** What the server says on the page's comm once the page function has run. */
import type { PageError } from "../connection/state";

export type PageAnswer =
  | { readonly run: string; readonly status: "ok"; readonly roots: readonly string[] }
  | { readonly run: string; readonly status: "error"; readonly error: PageError };

export function isPageAnswer(data: unknown): data is PageAnswer {
  if (typeof data !== "object" || data === null) return false;
  const { run, status, roots, error } = data as Record<string, unknown>;
  if (typeof run !== "string") return false;
  if (status === "ok") return Array.isArray(roots) && roots.every((id) => typeof id === "string");
  return status === "error" && typeof error === "object" && error !== null && "ename" in error;
}
