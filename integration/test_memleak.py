"""A page that was used and left is gone, everything of it within 50 ms of its end, by reference counting alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import ipywidgets as widgets
import pytest
from IPython.display import display
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.routing import Mount

from integration.support.apps.gallery import gallery
from integration.support.threaded import ServerThread
from integration.support.watch import Watch
from solara_ctx import CloseReason, KernelApp, Settings, get_current_context
from solara_ctx.web.uvicorn_ws import PageWebSocket
from tests.support.everything import Panel, use_shell
from tests.support.reclaim import Deaths

MANY = 400  # objects: some 200 widgets, their comms and handlers, the shell and its parts, the connection


def used_page() -> widgets.Widget:
    """Every core widget, tied to others by links, observers and bound methods, and a shell that was used."""
    use_shell()
    content, panel = gallery(), Panel()
    slider, progress, label = widgets.IntSlider(), widgets.IntProgress(), widgets.Label("untouched")
    button, out = widgets.Button(description="Click"), widgets.Output()
    widgets.link((slider, "value"), (progress, "value"))
    widgets.jslink((slider, "max"), (progress, "max"))

    def clicked(_button: widgets.Button) -> None:
        with out:
            print("printed")
            display("displayed by the shell")
        panel.button.click()
        context = get_current_context()
        context.create_task(answer())
        context.create_task(waits(content))
        context.on_close(lambda: context.widgets.get(label.model_id))

    async def answer() -> None:
        label.value = f"answered at {slider.value}"

    async def waits(box: widgets.Widget) -> None:
        await asyncio.sleep(3600)
        print(box)

    button.on_click(clicked)
    slider.observe(lambda change: (content, panel), "value")
    tab = widgets.Tab(children=[slider, progress, out], titles=["a", "b", "c"])
    return widgets.VBox([button, label, tab, panel, content])


def observe(deaths: Deaths, app: KernelApp) -> None:
    """Watch everything that a page has made, and its end.  On the server's loop.

    Not a coroutine: Playwright keeps the frames of coroutines that wait for it, and all that is in them.
    """
    (context,) = app.registry.values()
    deaths.watch_kernel(context)
    deaths.watch_connections(context.id)


async def use(page: Page, server: ServerThread, app: KernelApp) -> Deaths:
    """Open the page, click, wait for the answer; what has to die."""
    await page.goto(server.url)
    await page.get_by_role("button", name="Click").click()
    await expect(page.get_by_text("answered at 0")).to_be_visible()
    deaths = Deaths()
    await server.call(lambda: observe(deaths, app))
    assert len(deaths) > MANY
    return deaths


def cut_connections(server: ServerThread) -> None:
    """End every TCP connection of the server without a word, as a broken network does."""
    for connection in list(server.connections):
        connection.transport.abort()


async def serve_page(
    serve_here: Callable[..., Awaitable[ServerThread]], ws: Any = "websockets-sansio", **settings: Any
) -> tuple[ServerThread, KernelApp]:
    # In a thread, because it reads the frontend's manifest, which nobody should do on an event loop.
    app = await asyncio.to_thread(KernelApp, used_page, settings=Settings(**settings))
    host = Starlette(routes=[Mount("/", app)], lifespan=app.lifespan)
    return await serve_here(host, ws=ws), app


@pytest.mark.usefixtures("without_gc")
@pytest.mark.parametrize("ws", ["websockets-sansio", PageWebSocket])
async def test_a_page_that_is_left_is_gone(
    ws: Any, page: Page, serve_here: Callable[..., Awaitable[ServerThread]]
) -> None:
    """Navigate away: the beacon closes the kernel, and every object of the page dies; with our own websocket, too."""
    server, app = await serve_page(serve_here, ws)
    deaths = await use(page, server, app)
    await page.goto("about:blank")
    await deaths.at_once()
    assert len(app.registry) == 0
    assert app.registry.stats().closed_total == {CloseReason.PAGE_CLOSED: 1}


@pytest.mark.usefixtures("without_gc")
async def test_a_page_whose_connection_dies_is_gone_after_the_cull(
    page: Page, watch: Watch, serve_here: Callable[..., Awaitable[ServerThread]]
) -> None:
    """No beacon, only a dead socket: the kernel is culled, and every object of the page dies."""
    server, app = await serve_page(serve_here, kernel_cull_timeout="10ms")
    deaths = await use(page, server, app)
    watch.allow("WebSocket|ERR_")
    # The machine vanishes: neither a beacon nor a close frame leaves it, the server sees the socket end.
    await page.context.set_offline(offline=True)
    await server.call(lambda: cut_connections(server))
    await deaths.at_once()
    assert app.registry.stats().closed_total == {CloseReason.CULLED: 1}


@pytest.mark.usefixtures("without_gc")
async def test_after_the_servers_stop_nothing_is_left(
    page: Page, watch: Watch, serve_here: Callable[..., Awaitable[ServerThread]]
) -> None:
    """The server ends under a connected page: the kernel closes, and every object of the page dies."""
    server, app = await serve_page(serve_here)
    deaths = await use(page, server, app)
    watch.allow("WebSocket|ERR_CONNECTION")
    await server.stop()
    await deaths.at_once()
    assert app.registry.stats().closed_total == {CloseReason.SERVER_SHUTDOWN: 1}
