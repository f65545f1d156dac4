"""A page that loses its connection, a kernel that ends: what the page shows."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import ipywidgets as widgets
import pytest
from playwright.async_api import Page, WebSocket, expect
from starlette.applications import Starlette
from starlette.routing import Mount

from integration.conftest import Serve
from integration.support.network import BadNetwork
from integration.support.threaded import ServerThread
from integration.support.waiting import wait_until
from integration.support.watch import Watch
from solara_ctx import KernelApp, PageStatus, Settings, VirtualKernelContext
from solara_ctx.leakcheck.pagestate import ANSWERED

pytestmark = pytest.mark.covered

LOST = "WebSocket|ERR_"
ServeHere = Callable[..., Awaitable[ServerThread]]
LayCable = Callable[[ServerThread], Awaitable[BadNetwork]]


def label_page() -> widgets.Widget:
    """A label, a text field, and a box that takes more children."""
    return widgets.VBox([widgets.Label("before"), widgets.Text(description="Field"), widgets.VBox([])])


async def serve_labels(serve_here: ServeHere, **settings: str) -> tuple[ServerThread, KernelApp]:
    app = await asyncio.to_thread(KernelApp, label_page, settings=Settings(**settings))
    host = Starlette(routes=[Mount("/", app)], lifespan=app.lifespan)
    return await serve_here(host, ws="websockets-sansio"), app


def find(context: VirtualKernelContext, kind: type) -> list[widgets.Widget]:
    return [widget for widget in context.widgets.values() if type(widget) is kind]


async def test_a_page_that_comes_back_catches_up(
    page: Page, watch: Watch, serve_here: ServeHere, lay_cable: LayCable
) -> None:
    """Cut off, changed meanwhile, back: same kernel, new values, new widgets, without a reload."""
    watch.allow(LOST)
    server, app = await serve_labels(serve_here)
    cable = await lay_cable(server)
    await page.goto(cable.url)
    await expect(page.get_by_text("before")).to_be_visible()
    await page.get_by_role("textbox").fill("typed by the user")
    await page.evaluate("window.sameDocument = true")
    (context,) = app.registry.values()
    cable.down()
    await wait_until(lambda: PageStatus.CONNECTED not in context.page_status.values())

    def change() -> None:
        with context:
            find(context, widgets.Label)[0].value = "after"
            inner = min(find(context, widgets.VBox), key=lambda box: len(box.children))
            inner.children = [widgets.Label("new while away")]

    change()
    cable.up()
    await expect(page.get_by_text("after")).to_be_visible()
    await expect(page.get_by_text("new while away")).to_be_visible()
    await expect(page.get_by_role("textbox")).to_have_value("typed by the user")
    assert await page.evaluate("window.sameDocument") is True
    assert list(app.registry.values()) == [context]


async def test_a_fresh_page_is_told_of_its_widgets_once(
    page: Page, watch: Watch, serve_here: ServeHere, lay_cable: LayCable
) -> None:
    """All states in one message, and nothing of each before; one that has come back hears of new widgets at once."""
    watch.allow(LOST)
    server, app = await serve_labels(serve_here)
    cable = await lay_cable(server)
    heard: list[bytes] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: heard.append(frame if isinstance(frame, bytes) else frame.encode()))

    page.on("websocket", listen)
    await page.goto(cable.url)
    await expect(page.get_by_text("before")).to_be_visible()
    assert [b"update_states" in frame for frame in heard].count(True) == 1
    assert not [frame for frame in heard if b"comm_open" in frame and b"jupyter.widget" in frame]
    (context,) = app.registry.values()
    cable.down()
    await wait_until(lambda: PageStatus.CONNECTED not in context.page_status.values())
    cable.up()
    await wait_until(lambda: PageStatus.CONNECTED in context.page_status.values())
    await expect(page.locator("#solara-app[data-solara-state=open]")).to_be_visible()
    await page.wait_for_function(ANSWERED)

    def add() -> None:
        with context:
            inner = min(find(context, widgets.VBox), key=lambda box: len(box.children))
            inner.children = [widgets.Label("added later")]

    add()
    await expect(page.get_by_text("added later")).to_be_visible()
    assert [frame for frame in heard if b"comm_open" in frame and b"LabelModel" in frame]


async def test_a_page_away_for_long_shows_it(
    page: Page, watch: Watch, serve_here: ServeHere, lay_cable: LayCable
) -> None:
    """While it is away the page says that it reconnects; when its kernel was culled, that the session has ended."""
    watch.allow(f"{LOST}|404|403")
    server, app = await serve_labels(serve_here, kernel_cull_timeout="50ms")
    cable = await lay_cable(server)
    await page.goto(cable.url)
    await expect(page.get_by_text("before")).to_be_visible()
    cable.down()
    await expect(page.get_by_role("status").get_by_text("econnect")).to_be_visible()
    await wait_until(lambda: len(app.registry) == 0)
    cable.up()
    await expect(page.get_by_role("button", name="Start afresh")).to_be_visible()
    await page.get_by_role("button", name="Start afresh").click()
    await expect(page.get_by_text("before")).to_be_visible()


async def test_a_page_says_while_it_waits_for_an_answer(page: Page, serve_here: ServeHere) -> None:
    """From the turn of the click on, so that whoever drives the page has an end to wait for."""
    gate = threading.Event()

    def gated_page() -> widgets.Widget:
        button, label = widgets.Button(description="Go"), widgets.Label("before")

        def go(_: object) -> None:
            gate.wait()
            label.value = "answered"

        button.on_click(go)
        return widgets.VBox([button, label])

    app = await asyncio.to_thread(KernelApp, gated_page)
    server = await serve_here(Starlette(routes=[Mount("/", app)], lifespan=app.lifespan), ws="websockets-sansio")
    try:
        await page.goto(server.url)
        await expect(page.get_by_text("before")).to_be_visible()
        await page.wait_for_function(ANSWERED)
        await page.get_by_role("button", name="Go").click()
        assert not await page.evaluate(ANSWERED)
    finally:
        gate.set()
    await page.wait_for_function(ANSWERED)
    assert await page.get_by_text("answered").is_visible()


async def test_a_kernel_that_is_closed_ends_the_session(page: Page, serve_here: ServeHere) -> None:
    """`close()` under a connected page: it is told, and offers to start afresh."""
    server, app = await serve_labels(serve_here)
    await page.goto(server.url)
    await expect(page.get_by_text("before")).to_be_visible()
    (context,) = app.registry.values()
    report = await server.run(context.aclose("logged-out"))
    assert report.ok, report
    await expect(page.get_by_role("button", name="Start afresh")).to_be_visible()


async def test_a_restart_shows_the_fresh_page(page: Page, watch: Watch, serve_here: ServeHere) -> None:
    """`restart()` under a connected page: it comes back by itself and shows the new run, in the same document."""
    watch.allow(LOST)
    server, app = await serve_labels(serve_here)
    await page.goto(server.url)
    await page.get_by_role("textbox").fill("old")
    await page.evaluate("window.sameDocument = true")
    (context,) = app.registry.values()
    old = context.kernel
    context.restart()
    await expect(page.get_by_role("textbox")).to_have_value("")
    await expect(page.get_by_text("before")).to_be_visible()
    assert await page.evaluate("window.sameDocument") is True
    assert list(app.registry.values()) == [context]
    assert context.kernel is not old


async def test_a_stopping_server_tells_its_pages(page: Page, watch: Watch, serve: Serve) -> None:
    """SIGTERM: the page learns of it by its close frame, and shows that it tries to come back."""
    watch.allow(LOST)
    server = await serve("integration.support.apps.counter:app")
    frames: list[str] = []
    await page.add_init_script(
        """const Native = WebSocket;
        window.closes = [];
        window.WebSocket = class extends Native {
            constructor(...parts) {
                super(...parts);
                this.addEventListener("close", event => window.closes.push(`${event.code} ${event.reason}`));
            }
        };"""
    )
    await page.goto(server.url)
    await expect(page.get_by_role("button", name="Click")).to_be_visible()
    await server.stop()
    await wait_until(lambda: page.evaluate("window.closes.length"))
    frames = await page.evaluate("window.closes")
    assert frames[0] == "1001 server-shutdown"
    await expect(page.get_by_role("status").get_by_text("econnect")).to_be_visible()
    assert "closed\n" in server.log_text()
