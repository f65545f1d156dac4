"""Two people at once on every page of the gallery: one does all that can be done there, and nobody else sees a thing.

The pages are those that the gallery's own list leads to, so that a new one is tried by itself.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from integration.gallery.conftest import Provokes
from integration.gallery.test_third_party import PAGES
from integration.support.protocol import JupyterClient, states_of
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until
from integration.support.watch import Watch
from solara_ctx.leakcheck.pagestate import ANSWERED, SHOWN
from solara_ctx.leakcheck.use import use_everything

WITHIN_S = 60.0
# A page that waits for its server, or for what may come, leaves time to others.
AT_ONCE = 6
# So many times the same, one look after the other, is a page that has come to rest.
LOOKS = 8
RAISED = ("ZeroDivisionError", "LookupError", "TimeoutError", "KeyError", "json.decoder.JSONDecodeError")
COMPLAINTS = ('no element with data-solara-root="nowhere"',)

# What is not the same for everybody, or does not stay as it is, and why that is right.
DIFFERS = {
    "/reacton": (r"open for \d+ s", "a thread of the page's counts the seconds"),
    "/isolation/shared": (
        r"opened \D*\d+\D* times",
        "a global variable, which docs/isolation.md says is shared",
    ),
    "/development/reload": (r"has run \D*\d+\D* times", "a global variable, too"),
    "/development/alive": (r"\w{6}…", "the id of the page's own kernel"),
    "/tour/checkout": (r"kernel: [\w-]{4}", "the id of the page's own kernel"),
}
# Nothing is there that could be clicked, moved or typed in.
ONLY_SHOWS = {
    "/": "links",
    "/asked": "what the address says",
    "/awaits": "labels",
    "/development/broken": "an error",
    "/isolation/shared": "a number",
    "/lost": "an error",
    "/output/fails": "an error",
    "/several": "things",
    "/tour/checkout": "labels and links",
}

SEEN = """
() => ({
  title: document.title,
  light: document.body.dataset.jpThemeLight,
  text: document.body.innerText,
  values: [...document.querySelectorAll("input, select, textarea")].map((it) => [it.value, it.checked ?? null]),
  numbers: [...document.querySelectorAll("[aria-valuenow]")].map((it) => it.getAttribute("aria-valuenow")),
  chosen: [...document.querySelectorAll(".mod-active, .lm-mod-current")].map((it) => it.textContent),
  pictures: [...document.querySelectorAll("img")].map((it) => [it.naturalWidth, it.naturalHeight]),
})
"""
# All of it, with ids that are of one page only.
MARKUP = """
() => [document.head.querySelector("link[rel=icon]")?.href, document.body.outerHTML,
       ...[...document.querySelectorAll("canvas")].map((it) => it.toDataURL())]
"""
Use = Callable[[Page], Awaitable[object]]


async def compute_and_stop(page: Page) -> None:
    """It would compute for ever."""
    await page.get_by_role("button", name="Compute").click()
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_text("stopped at")).to_be_visible()


async def slide(page: Page) -> None:
    """The slider is in another place than the page's main one."""
    await page.get_by_role("slider").press("ArrowRight")


USES: dict[str, Use] = {"/long-work": compute_and_stop, "/places": slide}


@dataclass
class Visitors:
    """Three people with a browser each."""

    url: str
    one: BrowserContext
    other: BrowserContext
    third: BrowserContext
    failed: dict[str, BaseException] = field(default_factory=dict)

    async def visit(self, path: str) -> None:
        """Try one page."""
        mask = re.compile(DIFFERS[path][0]) if path in DIFFERS else None
        mine, theirs = await asyncio.gather(self._opened(self.one, path), self._opened(self.other, path))
        first, before = await seen(mine, mask), await self._all_of(theirs, mask)
        markup = await mine.evaluate(MARKUP)
        await USES.get(path, use_everything)(mine)
        await mine.wait_for_function(ANSWERED)
        late = await self._opened(self.third, path)

        async def sees_the_same() -> bool:
            return await seen(late, mask) == first

        await wait_until(sees_the_same, WITHIN_S, f"a third visitor who sees what the first one saw: {first}")
        assert await self._all_of(theirs, mask) == before
        if path not in ONLY_SHOWS:
            assert await mine.evaluate(MARKUP) != markup, "nothing that was done has changed anything"
        for page in (mine, theirs, late):
            await page.close()

    async def _opened(self, person: BrowserContext, path: str) -> Page:
        page = await person.new_page()
        # Widgets of other people load what they need once they are there.
        await page.goto(f"{self.url}{path}", wait_until="networkidle")
        await page.wait_for_function(SHOWN)
        await page.wait_for_function(ANSWERED)
        if path not in DIFFERS:
            await self._still(page)
        return page

    async def _still(self, page: Page) -> None:
        """Wait until nothing appears or moves any more by itself."""
        looks: list[object] = []

        async def is_still() -> bool:
            looks.append(await page.evaluate(MARKUP))
            return looks[-LOOKS:] == [looks[-1]] * LOOKS

        await wait_until(is_still, WITHIN_S, "a page that stays as it is")

    async def _all_of(self, page: Page, mask: re.Pattern[str] | None) -> tuple[str, str, str]:
        """What a page shows, how it is made, and what its kernel says of its widgets."""
        return await seen(page, mask), masked(await page.evaluate(MARKUP), mask), masked(await self._models(page), mask)

    async def _models(self, page: Page) -> object:
        """Asked by a second page of the same session, of which the kernel is rid again afterwards."""
        kernel = await page.evaluate("() => JSON.parse(document.getElementById('solara-config').textContent).kernelId")
        client = JupyterClient(self.url)
        async with client.http:
            for cookie in await page.context.cookies(self.url):
                client.http.cookies.set(cookie["name"], cookie["value"])
            client.kernel_id, client.page_id = kernel, "onlooker"
            async with client.websocket() as socket:
                states = await states_of(socket)
            left = await client.http.post(f"{client.kernel_path()}/pages/onlooker/close")
            assert left.is_success
        return states


async def seen(page: Page, mask: re.Pattern[str] | None) -> str:
    return masked(await page.evaluate(SEEN), mask)


def masked(what: object, mask: re.Pattern[str] | None) -> str:
    text = json.dumps(what, ensure_ascii=False, indent=1)
    return text if mask is None else mask.sub("…", text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "which",
    ["every fifth", *(pytest.param(each, marks=pytest.mark.thorough) for each in ("the rest", "others' widgets"))],
)
async def test_nobody_sees_what_another_one_does(
    gallery: ServerProcess,
    chromium: Browser,
    watch: Watch,
    provokes: Provokes,
    subtests: pytest.Subtests,
    which: str,
) -> None:
    """What is shown, and the state of each widget, stay as they were; who comes later finds everything new.

    Every fifth page each time, and all of them when asked for. Those with other people's widgets take as long as all
    the rest together, and test_third_party.py has two users on each of them, too.
    """
    for name in RAISED:
        provokes(name)
    for pattern in COMPLAINTS:
        watch.allow(pattern)
    people = one, other, third = [await chromium.new_context() for _ in range(3)]
    for person in people:
        watch.follow(person)
    visitors = Visitors(gallery.url, one, other, third)
    # Everybody has a session then: of two pages that are a browser's first, at the same moment, each would begin one.
    paths, *_ = [await pages_of(person, gallery.url) for person in people]
    assert set(paths) >= {*DIFFERS, *ONLY_SHOWS, *USES}, "no page is named that is not there"
    ours = [path for path in paths if path not in PAGES]
    parts = {"every fifth": ours[::5], "the rest": [path for path in ours if path not in ours[::5]]}
    paths = parts.get(which, [path for path in paths if path in PAGES])
    turns = asyncio.Semaphore(AT_ONCE)

    async def try_out(path: str) -> None:
        async with turns:
            try:
                await visitors.visit(path)
            except Exception as error:  # noqa: BLE001 - told below, with its page
                visitors.failed[path] = error

    try:
        await asyncio.gather(*(try_out(path) for path in paths))
    finally:
        for person in people:
            await person.close()
    for path in paths:
        with subtests.test(path):
            if path in visitors.failed:
                raise visitors.failed[path]


async def pages_of(person: BrowserContext, url: str) -> list[str]:
    """As the gallery's list has them."""
    page = await person.new_page()
    await page.goto(url)
    links = page.locator("#solara-app a")
    await expect(links.first).to_be_visible()
    found: list[str] = await links.evaluate_all("links => links.map((it) => new URL(it.href).pathname)")
    await page.close()
    return ["/", *found]
