"""A page that was used and left is gone: its objects die by reference counting, with nobody's help."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import ipywidgets as widgets
import pytest
from IPython.display import display
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.routing import Mount

from integration.support.threaded import ServerThread
from integration.support.waiting import wait_until
from integration.support.watch import Watch
from solara_ctx import CloseReason, KernelApp, Settings, get_current_context

GONE_S = 5.0

References = dict[str, "weakref.ref[Any]"]


def used_page() -> widgets.Widget:
    """Widgets that hold each other by links, observers and bound methods, as real pages do."""
    slider, progress, label = widgets.IntSlider(), widgets.IntProgress(), widgets.Label("untouched")
    button, out = widgets.Button(description="Click"), widgets.Output()
    widgets.link((slider, "value"), (progress, "value"))
    widgets.jslink((slider, "max"), (progress, "max"))

    def clicked(_button: widgets.Button) -> None:
        with out:
            print("printed")
            display("displayed by the shell")
        get_current_context().create_task(answer())

    async def answer() -> None:
        label.value = f"answered at {slider.value}"

    button.on_click(clicked)
    slider.observe(lambda change: None, "value")
    return widgets.VBox([button, label, widgets.Tab(children=[slider, progress, out], titles=["a", "b", "c"])])


def observe(app: KernelApp) -> tuple[References, Any]:
    """Weak references to everything that a page has made, and the event that says it is closed.

    Not a coroutine: Playwright keeps the frames of coroutines that wait for it, and all that is in them.
    """
    (context,) = app.registry.values()
    kernel: Any = context.kernel
    references = {
        "context": weakref.ref(context),
        "kernel": weakref.ref(kernel),
        "session": weakref.ref(kernel.session),
        "shell": weakref.ref(kernel.shell),
        "comm manager": weakref.ref(kernel.comm_manager),
        "host": weakref.ref(context.host),
    }
    for number, widget in enumerate(context.widgets.values()):
        references[f"widget {number} ({type(widget).__name__})"] = weakref.ref(widget)
    for number, outbox in enumerate(app._channels._open):
        references[f"websocket {number}"] = weakref.ref(outbox)
    return references, context.closed_event


async def use(page: Page, server: ServerThread, app: KernelApp) -> tuple[References, Any]:
    """Open the page, click, wait for the answer; what is alive then, and the event that says it is closed."""
    await page.goto(server.url)
    await page.get_by_role("button", name="Click").click()
    await expect(page.get_by_text("answered at 0")).to_be_visible()

    return observe(app)


def cut_connections(server: ServerThread) -> None:
    """End every TCP connection of the server without a word, as a broken network does."""
    for connection in list(server.connections):
        connection.transport.abort()


async def everything_dies(references: References) -> None:
    def alive() -> list[str]:
        return [name for name, reference in references.items() if reference() is not None]

    try:
        await wait_until(lambda: not alive(), GONE_S)
    except AssertionError:
        pytest.fail(f"still alive: {alive()}")


async def serve_page(
    serve_here: Callable[..., Awaitable[ServerThread]], **settings: Any
) -> tuple[ServerThread, KernelApp]:
    # In a thread, because it reads the frontend's manifest, which nobody should do on an event loop.
    app = await asyncio.to_thread(KernelApp, used_page, settings=Settings(**settings))
    host = Starlette(routes=[Mount("/", app)], lifespan=app.lifespan)
    return await serve_here(host, ws="websockets-sansio"), app


@pytest.mark.usefixtures("without_gc")
async def test_a_page_that_is_left_is_gone(page: Page, serve_here: Callable[..., Awaitable[ServerThread]]) -> None:
    """Navigate away: the beacon closes the kernel, and every object of the page dies."""
    server, app = await serve_page(serve_here)
    references, closed = await use(page, server, app)
    await page.goto("about:blank")
    await wait_until(closed.is_set)
    await everything_dies(references)
    assert len(app.registry) == 0
    assert app.registry.stats().closed_total == {CloseReason.PAGE_CLOSED: 1}


@pytest.mark.usefixtures("without_gc")
async def test_a_page_whose_connection_dies_is_gone_after_the_cull(
    page: Page, watch: Watch, serve_here: Callable[..., Awaitable[ServerThread]]
) -> None:
    """No beacon, only a dead socket: the kernel is culled, and every object of the page dies."""
    server, app = await serve_page(serve_here, kernel_cull_timeout="10ms")
    references, closed = await use(page, server, app)
    watch.allow("WebSocket|ERR_")
    # The machine vanishes: neither a beacon nor a close frame leaves it, the server sees the socket end.
    await page.context.set_offline(offline=True)
    await server.call(lambda: cut_connections(server))
    await wait_until(closed.is_set)
    await everything_dies(references)
    assert app.registry.stats().closed_total == {CloseReason.CULLED: 1}


@pytest.mark.usefixtures("without_gc")
async def test_after_the_servers_stop_nothing_is_left(
    page: Page, watch: Watch, serve_here: Callable[..., Awaitable[ServerThread]]
) -> None:
    """The server ends under a connected page: the kernel closes, and every object of the page dies."""
    server, app = await serve_page(serve_here)
    references, closed = await use(page, server, app)
    watch.allow("WebSocket|ERR_CONNECTION")
    await server.stop()
    assert closed.is_set()
    await everything_dies(references)
    assert app.registry.stats().closed_total == {CloseReason.SERVER_SHUTDOWN: 1}
