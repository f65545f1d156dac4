"""Files that page code offers, in a real browser."""

import asyncio
from collections.abc import Awaitable, Callable

import ipywidgets as widgets
from playwright.async_api import Page, expect

from integration.support.threaded import ServerThread
from integration.support.watch import Watch
from solara_ctx import KernelApp, get_current_context

ServeHere = Callable[..., Awaitable[ServerThread]]
SCRIPT = "<script>document.title = 'ran'</script>"


def offering() -> widgets.Widget:
    """Files that would be pages."""
    files = get_current_context().files
    html = files.add(f"<title>a file</title><h1>Shown</h1>{SCRIPT}", "a.html", inline=True)
    svg = files.add(f"<svg xmlns='http://www.w3.org/2000/svg'><text>{SCRIPT}</text></svg>", "a.svg", inline=True)
    text = files.add(f"<title>a file</title>{SCRIPT}", "a.txt", inline=True)
    return widgets.HTML(f"<a href='{html}'>html</a> <a href='{svg}'>svg</a> <a href='{text}'>text</a>")


async def test_a_file_that_is_shown_runs_nothing(page: Page, watch: Watch, serve_here: ServeHere) -> None:
    """Neither HTML nor a picture, nor what only looks like a page: else whoever makes a file is whoever looks at it."""
    watch.allow("sandboxed")
    server = await serve_here(await asyncio.to_thread(KernelApp, offering))
    await page.goto(server.url)
    for name in ("html", "svg", "text"):
        href = await page.get_by_role("link", name=name).get_attribute("href")
        shown = await page.context.new_page()
        await shown.goto(f"{server.url}{href}")
        assert await shown.title() != "ran"
        assert await shown.evaluate("() => window.origin") == "null"
        if name == "html":
            await expect(shown.get_by_role("heading", name="Shown")).to_be_visible()
        await shown.close()
