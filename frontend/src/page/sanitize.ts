/**
 * Cleans the HTML of widget descriptions; stands in for `sanitize-html` beneath Jupyter's widget manager.
 *
 * That package brings a parser, a CSS parser and all of HTML's named entities, a third of what a page loads first, for a
 * dozen inline elements. Here the browser's own parser reads the text, in a document that runs nothing, and only what is
 * on the lists is copied over. Neither SVG nor MathML is: what the result is parsed to is what was checked.
 */

interface Allowed {
  readonly allowedTags: readonly string[];
  /** By element, or "*"; a name may end in "*". */
  readonly allowedAttributes: Readonly<Record<string, readonly string[]>>;
}

/** Elements whose text is not meant for people. */
const DROPPED_WITH_TEXT = new Set(["SCRIPT", "STYLE", "TEXTAREA", "OPTION", "NOSCRIPT", "TEMPLATE", "IFRAME", "XMP"]);
const ADDRESSES = new Set(["href", "src"]);
const SCHEMES = new Set(["http:", "https:", "ftp:", "mailto:", "tel:"]);
const HTML = "http://www.w3.org/1999/xhtml";

export default function sanitize(html: string, allowed: Allowed): string {
  const source = new DOMParser().parseFromString(html, "text/html");
  const result = source.createElement("div");
  copyChildren(source.body, result, allowed);
  return result.innerHTML;
}

function copyChildren(from: Element, to: Element, allowed: Allowed): void {
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) to.append(node.textContent ?? "");
    else if (node instanceof Element && node.namespaceURI === HTML && !DROPPED_WITH_TEXT.has(node.tagName)) {
      copyElement(node, to, allowed);
    }
  }
}

function copyElement(from: Element, parent: Element, allowed: Allowed): void {
  const name = from.localName;
  if (!allowed.allowedTags.includes(name)) {
    copyChildren(from, parent, allowed); // the text of an element that may not stay, may
    return;
  }
  const copy = parent.ownerDocument.createElement(name);
  const names = [...(allowed.allowedAttributes["*"] ?? []), ...(allowed.allowedAttributes[name] ?? [])];
  for (const attribute of from.attributes) {
    if (names.some((it) => matches(it, attribute.name)) && isHarmless(attribute)) {
      copy.setAttribute(attribute.name, attribute.value);
    }
  }
  parent.append(copy);
  copyChildren(from, copy, allowed);
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function isHarmless({ name, value }: Attr): boolean {
  if (!ADDRESSES.has(name)) return true;
  try {
    // Relative addresses take the scheme of the base; the browser's parser skips the same odd characters as its links do.
    return SCHEMES.has(new URL(value, "https://page.invalid/").protocol);
  } catch {
    return false;
  }
}
