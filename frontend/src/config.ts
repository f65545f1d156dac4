/** What the server says to the page: a JSON element in the HTML, read once. */
import { type Look, readLook } from "./look";

export interface PageConfig {
  /** Absolute path of the mount on this origin; begins and ends with "/". */
  readonly baseUrl: string;
  readonly kernelId: string;
  readonly pageId: string;
  /** Whether tracebacks may be shown. */
  readonly debug: boolean;
  /** Where modules of widgets are asked for that the server does not have; ends in "/". null: nowhere. */
  readonly widgetsCdn: string | null;
  /** What the page looks like as it was sent. */
  readonly look: Partial<Look>;
  /** Paths below the mount whose pages may take the place of this one in its document. */
  readonly pages: readonly string[];
}

/** Read the configuration from the page. Throws where the page is not one of ours. */
export function readConfig(document: Document): PageConfig {
  const text = document.getElementById("solara-config")?.textContent;
  if (!text) throw new Error("this page has no #solara-config element");
  const value = JSON.parse(text) as Partial<Record<keyof PageConfig, unknown>>;
  const { baseUrl, kernelId, pageId } = value;
  if (typeof baseUrl !== "string" || !/^\/(?:[^/].*\/)?$/.test(baseUrl)) {
    throw new Error(`baseUrl must be an absolute path that ends in "/", got ${JSON.stringify(baseUrl)}`);
  }
  if (typeof kernelId !== "string" || !kernelId) throw new Error("the page carries no kernel id");
  if (typeof pageId !== "string" || !pageId) throw new Error("the page carries no page id");
  const widgetsCdn = typeof value.widgetsCdn === "string" && value.widgetsCdn ? value.widgetsCdn : null;
  const look = readLook(value.look);
  const pages = Array.isArray(value.pages) ? value.pages.filter((path) => typeof path === "string") : [];
  return { baseUrl, kernelId, pageId, debug: value.debug === true, widgetsCdn, look, pages };
}
