"""Two people at once: neither ever sees what is the other's."""

import asyncio
from collections.abc import Awaitable, Callable

from playwright.async_api import Page, Route, expect

from integration.conftest import Serve
from integration.support.watch import Watch

CLICKS = 100


async def test_two_browsers_never_see_each_others_values(browse: Callable[[], Awaitable[Page]], serve: Serve) -> None:
    """100 clicks each, interleaved: each page counts its own clicks, one by one, and nothing else."""
    server = await serve("integration.support.apps.counter:app")
    pages = [await browse(), await browse()]
    for page in pages:
        await page.goto(server.url)
    first, second = (click_and_read(page) for page in pages)
    for seen in await asyncio.gather(first, second):
        assert seen == [f"{number} clicks" for number in range(CLICKS + 1)]


async def test_tabs_that_are_a_browsers_first(
    browse: Callable[[], Awaitable[Page]], serve: Serve, watch: Watch
) -> None:
    """Both ask without a cookie and get one each, of which the browser keeps the second: the first tab loads anew."""
    server = await serve("integration.support.apps.counter:app")
    watch.allow("403")
    first, both_are_there = await browse(), asyncio.Event()

    async def later(route: Route) -> None:
        await both_are_there.wait()
        await route.continue_()

    await first.route("**/static/main-*.js", later)
    await first.goto(server.url, wait_until="commit")
    await first.context.clear_cookies()  # as if it had not been there when the second one asked
    second = await first.context.new_page()
    await second.goto(server.url)
    await expect(second.get_by_text("0 clicks")).to_be_visible()
    both_are_there.set()
    await expect(first.get_by_text("0 clicks")).to_be_visible()
    assert await first.evaluate("history.state?.solaraTries") is None


async def click_and_read(page: Page) -> list[str]:
    """Click CLICKS times; every text that the label ever showed."""
    label = page.get_by_text("clicks", exact=False)
    await expect(label).to_have_text("0 clicks")
    await label.evaluate(
        """label => {
            window.seen = [label.textContent];
            new MutationObserver(() => {
                if (label.textContent !== window.seen.at(-1)) window.seen.push(label.textContent);
            }).observe(label, {childList: true, characterData: true, subtree: true});
        }"""
    )
    button = page.get_by_role("button", name="Click")
    for number in range(1, CLICKS + 1):
        await button.click()
        await expect(label).to_have_text(f"{number} clicks")
    seen: list[str] = await page.evaluate("window.seen")
    return seen
