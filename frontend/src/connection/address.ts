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
 * @param options.protocol Is named in the address too, if given: the server knows then what is spoken though a proxy
 *   drops the header.
 * @param options.returns Whether the page has been connected before: it is not to be given a kernel that knows nothing of
 *   what was done in it.
 */
export function channelsUrl(
  config: PageConfig,
  location: Pick<Location, "protocol" | "host" | "pathname" | "search">,
  options: { readonly protocol?: string; readonly returns?: boolean } = {},
): string {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const query = new URLSearchParams({
    session_id: config.pageId,
    location: locationBelow(config.baseUrl, location),
    ...(options.protocol === undefined ? {} : { protocol: options.protocol }),
    ...(options.returns ? { returns: "" } : {}),
  });
  return `${scheme}//${location.host}${kernelPath(config)}/channels?${query}`;
}
