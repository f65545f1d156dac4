/** Style sheets that not every page needs. The build names them, by content. */

/** File names beside this module. */
declare const LAZY_STYLES: Readonly<Record<"icons" | "output" | "math" | "console", string>>;

/** The nonce of the page's content security policy, by which it lets scripts and styles through; "" without one. */
export function nonceOfPage(): string {
  return document.getElementById("solara-dark")?.nonce ?? "";
}

const loading = new Map<string, Promise<void>>();

/** Add a style sheet to the page, once. Resolves when it holds; a sheet that does not arrive is reported, not fatal. */
export function loadStyle(name: keyof typeof LAZY_STYLES): Promise<void> {
  let loaded = loading.get(name);
  if (!loaded) {
    loaded = new Promise((resolve) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.nonce = nonceOfPage();
      link.href = new URL(LAZY_STYLES[name], import.meta.url).href;
      link.addEventListener("load", () => resolve());
      link.addEventListener("error", () => {
        console.error(`the style sheet of ${name} could not be loaded`);
        resolve();
      });
      document.head.append(link);
    });
    loading.set(name, loaded);
  }
  return loaded;
}

/** Load the icon font's style sheet as soon as something in the page wears an icon: 1,600 rules that most pages do not need. */
export function loadIconsWhenNeeded(root: HTMLElement, signal: AbortSignal): void {
  const observer = new MutationObserver(() => {
    if (!root.querySelector(".fa, .fas, .far, .fab")) return;
    observer.disconnect();
    void loadStyle("icons");
  });
  observer.observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: ["class"] });
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
}
