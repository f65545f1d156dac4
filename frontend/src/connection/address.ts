/** Where the page's kernel is to be found, relative to the mount. */
import type { PageConfig } from "../config";

/** The kernel's REST resource: an absolute path on this origin. */
export function kernelPath(config: PageConfig): string {
  return `${config.baseUrl}api/kernels/${encodeURIComponent(config.kernelId)}`;
}

/** The path that the close beacon is sent to. */
export function closePath(config: PageConfig): string {
  return `${kernelPath(config)}/pages/${encodeURIComponent(config.pageId)}/close`;
}

/** Path and query of the page below the mount, which tell the server which page function to run. */
export function locationBelow(baseUrl: string, location: Pick<Location, "pathname" | "search">): string {
  const { pathname, search } = location;
  // "/sub" and "/sub/" are the same page to a server that redirects neither to the other.
  const path = pathname.startsWith(baseUrl) ? pathname.slice(baseUrl.length - 1) : "/";
  return path + search;
}

/**
 * Absolute URL of the kernel's websocket.
 *
 * @param shown Whether the page shows anything yet. If not, it will ask for the state of all widgets, and need not hear
 *   of each before.
 */
export function channelsUrl(
  config: PageConfig,
  location: Pick<Location, "protocol" | "host" | "pathname" | "search">,
  shown: boolean,
): string {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const query = new URLSearchParams({
    session_id: config.pageId,
    location: locationBelow(config.baseUrl, location),
    ...(shown ? {} : { widgets: "later" }),
  });
  return `${scheme}//${location.host}${kernelPath(config)}/channels?${query}`;
}
