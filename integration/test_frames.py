"""A page inside a frame of another site, in a real browser."""

import asyncio
from collections.abc import Awaitable, Callable

import ipywidgets as widgets
import pytest
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from integration.support.threaded import ServerThread
from integration.support.watch import Watch
from solara_ctx import KernelApp, Settings

ServeHere = Callable[..., Awaitable[ServerThread]]


def framed_page() -> widgets.Widget:
    """A button, and a label that the server answers with."""
    button, label = widgets.Button(description="Go"), widgets.Label("before")
    button.on_click(lambda _: setattr(label, "value", "answered"))
    return widgets.VBox([button, label])


@pytest.mark.parametrize("in_frames", [True, False])
async def test_a_page_works_in_a_frame_of_another_site_where_it_may(
    page: Page, watch: Watch, serve_here: ServeHere, *, in_frames: bool
) -> None:
    """With the cookie for frames; without it the page says that cookies are missing."""
    watch.allow("WebSocket|403")
    app = await asyncio.to_thread(KernelApp, framed_page, settings=Settings(cookie_in_frames=in_frames))
    server = await serve_here(Starlette(routes=[Mount("/", app)], lifespan=app.lifespan), ws="websockets-sansio")
    # Another site than 127.0.0.1, and one to which browsers send Secure cookies without https.
    inner = server.url.replace("127.0.0.1", "localhost")

    async def frame(_request: object) -> HTMLResponse:
        return HTMLResponse(f'<!doctype html><title>Around it</title><iframe src="{inner}/"></iframe>')

    around = await serve_here(Starlette(routes=[Route("/", frame)]))
    await page.goto(around.url)
    inside = page.frame_locator("iframe")
    if not in_frames:
        await expect(inside.get_by_text("accepts cookies from this site")).to_be_visible()
        return
    await inside.get_by_role("button", name="Go").click()
    await expect(inside.get_by_text("answered")).to_be_visible()
