/** What the page looks like around its widgets: its title, its icon, its theme. The server says it, and may say more later. */

const THEMES = ["auto", "light", "dark"] as const;

export interface Look {
  readonly title: string;
  readonly theme: (typeof THEMES)[number];
  /** A URL; "" for none. */
  readonly favicon: string;
}

/** The medium of a browser whose user prefers dark pages. */
export const PREFERS_DARK = "(prefers-color-scheme: dark)";
/** As the server writes them into the page, so that the first frame has the right theme. */
const DARK_MEDIA = { auto: PREFERS_DARK, light: "not all", dark: "all" };
const COLOR_SCHEMES = { auto: "light dark", light: "light", dark: "dark" };

/** The parts of a look that a message has. */
export function readLook(data: unknown): Partial<Look> {
  if (typeof data !== "object" || data === null) return {};
  const { title, theme, favicon } = data as Record<string, unknown>;
  return {
    ...(typeof title === "string" ? { title } : {}),
    ...(THEMES.includes(theme as never) ? { theme: theme as Look["theme"] } : {}),
    ...(typeof favicon === "string" ? { favicon } : {}),
  };
}

type Preference = Pick<MediaQueryList, "matches" | "addEventListener">;

export class PageLook {
  readonly #document: Document;
  readonly #prefersDark: Preference;
  #look: Partial<Look>;

  /** @param look What the page was sent with. A template may have made more of the title: it stays until another comes. */
  constructor(document: Document, prefersDark: Preference, look: Partial<Look>, signal: AbortSignal) {
    this.#document = document;
    this.#look = look;
    this.#prefersDark = prefersDark;
    this.#prefersDark.addEventListener("change", () => this.#tell(), { signal });
    this.#tell();
  }

  /** Change what is new. */
  change(look: Partial<Look>): void {
    const { title, theme, favicon } = look;
    const before = this.#look;
    this.#look = { ...before, ...look };
    if (title !== undefined && title !== before.title) this.#document.title = title;
    if (favicon !== undefined && favicon !== before.favicon) this.#showIcon(favicon);
    if (theme !== undefined && theme !== before.theme) this.#showTheme(theme);
  }

  #showIcon(url: string): void {
    // A new element: browsers do not look again at an old one.
    const link = this.#document.createElement("link");
    link.rel = "icon";
    link.href = url || "data:,";
    for (const old of this.#document.querySelectorAll("link[rel~=icon]")) old.remove();
    this.#document.head.append(link);
  }

  #showTheme(theme: Look["theme"]): void {
    this.#document.getElementById("solara-dark")?.setAttribute("media", DARK_MEDIA[theme]);
    this.#document.querySelector("meta[name=color-scheme]")?.setAttribute("content", COLOR_SCHEMES[theme]);
    this.#tell();
  }

  /** Say which theme holds where widgets look for it that were written for JupyterLab. */
  #tell(): void {
    const { theme } = this.#look;
    const dark = theme === "dark" || (theme !== "light" && this.#prefersDark.matches);
    const { dataset } = this.#document.body;
    dataset.jpThemeLight = String(!dark);
    dataset.jpThemeName = dark ? "JupyterLab Dark" : "JupyterLab Light";
  }
}
