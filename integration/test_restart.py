"""A page whose kernel restarts again and again comes back each time as fast as the first time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import ipywidgets as widgets
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.routing import Mount

from integration.support.threaded import ServerThread
from solara_ctx import KernelApp

RESTARTS = 10
BACK_WITHIN_S = 2.0
"""Measured from the end of the teardown.  The page needs a tenth of it; the back-off of a page that waits after each
restart was past it from the fifth on.
"""


async def test_ten_restarts_in_a_row(page: Page, serve_here: Callable[..., Awaitable[ServerThread]]) -> None:
    """Each restart shows the fresh page within two seconds, in the same document."""
    runs: list[None] = []

    def numbered() -> widgets.Widget:
        runs.append(None)
        return widgets.Label(f"run {len(runs)}")

    app = await asyncio.to_thread(KernelApp, numbered)
    host = Starlette(routes=[Mount("/", app)], lifespan=app.lifespan)
    server = await serve_here(host, ws="websockets-sansio")
    await page.goto(server.url)
    await expect(page.get_by_text("run 1", exact=True)).to_be_visible()
    await page.evaluate("window.sameDocument = true")
    (context,) = app.registry.values()
    waits: list[float] = []
    for number in range(2, RESTARTS + 2):
        report = await asyncio.wrap_future(context.restart())
        assert report.ok, report
        began = time.monotonic()
        await expect(page.get_by_text(f"run {number}", exact=True)).to_be_visible()
        waits.append(round(time.monotonic() - began, 3))
    assert max(waits) < BACK_WITHIN_S, waits
    assert await page.evaluate("window.sameDocument") is True
    assert len(runs) == RESTARTS + 1
