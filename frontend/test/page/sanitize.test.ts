import { expect, test } from "vitest";
import sanitize from "../../src/page/sanitize";

/** What Jupyter's widget manager allows in a description. */
const allowed = {
  allowedTags: ["a", "abbr", "b", "code", "em", "i", "img", "li", "ol", "span", "strong", "ul"],
  allowedAttributes: { "*": ["aria-*", "class", "style", "title"], a: ["href"], img: ["src"] },
};

test.each([
  ["plain & <simple>", "plain &amp; "],
  ["<b>bold</b> <i class='x'>it</i>", '<b>bold</b> <i class="x">it</i>'],
  ['<a href="/x" aria-label="y" id="z">l</a>', '<a href="/x" aria-label="y">l</a>'],
  ['<span style="color: red">r</span>', '<span style="color: red">r</span>'],
  ["<div><p>the text of <b>what</b> goes</p> stays</div>", "the text of <b>what</b> goes stays"],
  ['<svg><a href="/x">foreign</a></svg>html', "html"],
  ["<ul><li>1<li>2</ul>", "<ul><li>1</li><li>2</li></ul>"],
])("%s becomes %s", (html, expected) => {
  expect(sanitize(html, allowed)).toBe(expected);
});

test.each([
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<b onclick=alert(1)>x</b>",
  '<a href="javascript:alert(1)">x</a>',
  '<a href=" &#9;jAvA&#10;script:alert(1)">x</a>',
  '<a href="data:text/html,<script>alert(1)</script>">x</a>',
  '<img src="data:image/svg+xml,<svg onload=alert(1)>">',
  '<a href="vbscript:x">x</a>',
  "<svg><b><a xlink:href='javascript:alert(1)'>x</a></b><script>alert(1)</script></svg>",
  "<math><mi><b onclick=alert(1)>x</b></mi></math>",
  "<svg></p><style><a title='</style><img src=x onerror=alert(1)>'>",
  "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
  "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
  "<template><script>alert(1)</script></template>",
  "<style>*{background:url(//x.test)}</style>",
  "<form action='javascript:alert(1)'><button formaction='javascript:alert(1)'>x</button></form>",
  "<b style=x srcdoc=y>ok</b><object data=x><embed src=y>",
])("nothing that runs gets through: %s", (html) => {
  const result = sanitize(html, allowed);
  const parsed = new DOMParser().parseFromString(result, "text/html");
  for (const element of parsed.body.querySelectorAll("*")) {
    expect(allowed.allowedTags).toContain(element.localName);
    for (const { name, value } of element.attributes) {
      expect(name).toMatch(/^(aria-.*|class|style|title|href|src)$/);
      if (name === "href" || name === "src") expect(value).not.toMatch(/script|data:/i);
    }
  }
  // What comes out means the same when it is cleaned again.
  expect(sanitize(result, allowed)).toBe(result);
});
