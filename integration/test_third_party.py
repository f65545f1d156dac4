"""Modules of other people's widgets: found, missing, broken, at a CDN; programs that change; what a policy allows."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from integration.conftest import Serve
from integration.gallery.test_third_party import PAGES
from integration.support.waiting import wait_until
from integration.support.watch import Watch

APP = "integration.support.apps.third_party:app"
ROOT = Path(__file__).parents[1]
Browse = Callable[[], Awaitable[Page]]

GOOD = """
define(["@jupyter-widgets/base", "helper", "module"], (base, helper, module) => ({
  PlainModel: class extends base.DOMWidgetModel {},
  PlainView: class extends base.DOMWidgetView {
    render() {
      super.render();
      const { pathname } = new URL(module.uri);
      this.el.textContent = `${helper.greeting} from ${pathname} below ${document.body.dataset.baseUrl}`;
    }
  },
}));
"""


def module(place: Path, name: str, text: str) -> None:
    """Put a module where pip would have put it."""
    file = place / "nbextensions" / name / "index.js"
    file.parent.mkdir(parents=True)
    file.write_text(text)


async def test_modules_come_from_the_environment(serve: Serve, page: Page, watch: Watch, tmp_path: Path) -> None:
    """With what they depend on; those that fail say so where they should be, and the rest of the page is there."""
    module(tmp_path, "good", GOOD)
    module(tmp_path, "helper", 'define({ greeting: "Hello" });')
    module(tmp_path, "throwing", 'throw new Error("it is broken");')
    module(tmp_path, "silent", "window.silent = typeof define;")
    module(tmp_path, "needy", 'define(["nowhere"], () => ({}));')
    module(tmp_path, "other", "define(() => ({}));")
    names = "good throwing silent needy other absent"
    env = {"JUPYTER_PATH": str(tmp_path), "MODULES": names, "SOLARA_DEBUG": "1"}
    server = await serve(APP, env=env, ready="/below/readyz")
    watch.allow(r"it is broken")
    watch.allow(r"silent/index.js defines no module")
    await page.goto(f"{server.url}/below/modules")
    await expect(page.get_by_text("Hello from /below/nbextensions/good/index.js below /below/")).to_be_visible()
    boxes = page.get_by_role("note")
    await expect(boxes).to_have_count(5)
    for box, text in enumerate(
        [
            "its module throwing ^1.0.0 failed: it is broken.",
            "silent/index.js defines no module.",
            "the module nowhere, which it needs, is not installed where the server runs.",
            "its module other ^1.0.0 has no such widget.",
            "its module absent ^1.0.0 is not installed where the server runs.",
        ]
    ):
        await expect(boxes.nth(box)).to_contain_text(text)
    await expect(page.get_by_text("The end")).to_be_visible()
    # A script of ours has a define(); nobody else has.
    assert await page.evaluate("window.silent") == "function"
    assert await page.evaluate("typeof define") == "undefined"


async def test_what_is_not_installed_comes_from_a_cdn_that_is_allowed(
    serve: Serve, page: Page, watch: Watch, tmp_path: Path
) -> None:
    """In the version that its widgets want; what is installed is asked of nobody else."""
    watch.allow(r"foreign host: http://cdn\.test/npm/distant@%5E1\.0\.0/dist/index\.js$")
    module(tmp_path, "good", GOOD)
    module(tmp_path, "helper", 'define({ greeting: "Hello" });')
    env = {"JUPYTER_PATH": str(tmp_path), "MODULES": "good distant", "SOLARA_WIDGETS_CDN": "http://cdn.test/npm"}
    server = await serve(APP, env=env, ready="/below/readyz")

    async def cdn(route: object) -> None:
        await route.fulfill(  # type: ignore[attr-defined]
            body=GOOD, content_type="text/javascript", headers={"Access-Control-Allow-Origin": "*"}
        )

    await page.route("http://cdn.test/**", cdn)
    await page.goto(f"{server.url}/below/modules")
    await expect(page.get_by_text("Hello from /below/nbextensions/good/index.js")).to_be_visible()
    await expect(page.get_by_text("Hello from /npm/distant@%5E1.0.0/dist/index.js")).to_be_visible()


PROGRAM = """
function render({ model, el }) {
  const button = document.createElement("button");
  button.textContent = "add STEP";
  button.onclick = () => { model.set("count", model.get("count") + STEP); model.save_changes(); };
  el.append(button);
}
export default { render };
"""


async def test_a_program_that_changes_is_changed_in_the_page(serve: Serve, page: Page, tmp_path: Path) -> None:
    """Anywidget's hot reload: the page stays as it is, with its state; so do pages that come later."""
    program, style = tmp_path / "widget.js", tmp_path / "widget.css"
    program.write_text(PROGRAM.replace("STEP", "1"))
    style.write_text("")
    server = await serve(APP, env={"WIDGET": str(tmp_path), "ANYWIDGET_HMR": "1"}, ready="/below/readyz")
    await page.goto(f"{server.url}/below/hot")
    await page.get_by_role("button", name="add 1").click()
    await expect(page.locator(".widget-label")).to_have_text("1")
    program.write_text(PROGRAM.replace("STEP", "10"))
    await page.get_by_role("button", name="add 10").click()
    await expect(page.locator(".widget-label")).to_have_text("11")
    await expect(page.get_by_role("button")).to_have_count(1)
    style.write_text("button { font-size: 40px; }")
    await expect(page.get_by_role("button")).to_have_css("font-size", "40px")
    await page.reload()
    await page.get_by_role("button", name="add 10").click()
    await expect(page.locator(".widget-label")).to_have_text("10")


STRICT = re.search(r"^Content-Security-Policy: (.*)$", (ROOT / "docs/security.md").read_text(), re.MULTILINE)
ROW = re.compile(r"^\| `(?P<package>\w+)` \| [^|]+ \| [^|]+ \| (?P<needs>[^|]*) \|$", re.MULTILINE)
DOCS = (ROOT / "docs/widgets.md").read_text()
NEEDS = {row["package"]: re.findall(r"`([^`]+)`", row["needs"]) for row in ROW.finditer(DOCS)}


def policy(needs: list[str]) -> str:
    """The strict policy, with what is needed more: `style-src 'unsafe-inline'` and the like."""
    assert STRICT is not None
    sources = {name: rest for name, _, rest in (part.strip().partition(" ") for part in STRICT[1].split(";"))}
    for need in needs:
        name, _, more = need.partition(" ")
        sources[name] = f"{sources.get(name, sources['default-src'])} {more}"
    return "; ".join(f"{name} {rest}" for name, rest in sources.items())


def test_the_docs_have_a_row_for_each_package_of_the_gallery() -> None:
    """With what it needs."""
    assert {f"/{package}" for package in NEEDS} == set(PAGES) - {"/missing"}
    assert all(NEEDS.values())


@pytest.mark.parametrize(
    "package",
    # One that is a program itself, and one that comes with a loader; the others when asked for: seconds each.
    [pytest.param(each, marks=() if each in {"anywidget", "bqplot"} else pytest.mark.thorough) for each in NEEDS],
)
async def test_the_docs_say_what_a_policy_has_to_allow(
    serve: Serve, browse: Browse, watch: Watch, package: str
) -> None:
    """With what the table names nothing is refused; without any single one of it something is."""
    server = await serve(APP, ready="/below/readyz")
    watch.allow("")  # what is refused is told in as many ways as there are widgets

    async def refused(needs: list[str]) -> bool:
        page = await browse()
        await page.add_init_script(
            "document.addEventListener('securitypolicyviolation', () => { window.refused = true; })"
        )
        await page.goto(f"{server.url}/below/{package}?policy={quote(policy(needs))}")
        await expect(page.get_by_text("Nothing yet")).to_be_visible()

        async def is_shown() -> bool:
            return bool(await page.evaluate("window.refused === true")) or await has_drawn(page)

        await wait_until(is_shown, 30.0, f"a page of {package}")
        return bool(await page.evaluate("window.refused === true"))

    needs = NEEDS[package]
    assert not await refused(needs)
    for need in needs:
        assert await refused([other for other in needs if other != need]), need


async def has_drawn(page: Page) -> bool:
    """Whether the widget is there, whatever it is."""
    drawn: bool = await page.evaluate(
        """() => Boolean(document.querySelector(
          ".stars button, .scatterlayer .point, path.dot, img.leaflet-tile-loaded, .v-card-title, "
          + ".ipydatagrid-widget canvas, td, .jupyter-matplotlib canvas, .mark-symbol path"))"""
    )
    return drawn
