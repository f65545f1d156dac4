"""A server that dies, or stops to answer, under a page: what the person in front of it sees, and what is lost."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, WebSocket, expect

from integration.conftest import Serve
from integration.support.network import BadNetwork
from integration.support.server import ServerProcess
from integration.support.watch import Watch
from solara_ctx.leakcheck.pagestate import ANSWERED

APP = "integration.support.apps.counter:app"
# What Chromium says of connections that fail, and of ids that a new server does not know.
LOST = "WebSocket|ERR_|the server responded with a status of (404|403|50)"
KEY = "one key of the server"


@asynccontextmanager
async def clicked(page: Page, server: ServerProcess) -> AsyncIterator[BadNetwork]:
    """A page that was clicked twice, at an address that stays the same whatever happens to the server."""
    async with BadNetwork(server.url) as network:
        await page.goto(network.url)
        for number in (1, 2):
            await page.get_by_role("button", name="Click").click()
            await expect(page.get_by_text(f"{number} clicks", exact=True)).to_be_visible()
        await page.wait_for_function(ANSWERED)
        yield network


NEW_SERVERS = {
    "same key, some time later": {"SOLARA_SESSION_SECRET_KEY": KEY, "SOLARA_KERNEL_CONNECT_TIMEOUT": "10ms"},
    "same key": {"SOLARA_SESSION_SECRET_KEY": KEY},
    "other key": {"SOLARA_SESSION_SECRET_KEY": "another key of the server"},
}


@pytest.mark.parametrize(
    "which", [pytest.param(name, marks=() if name == "same key" else pytest.mark.thorough) for name in NEW_SERVERS]
)
async def test_a_new_server_in_the_place_of_one_that_was_killed(
    page: Page, watch: Watch, serve: Serve, which: str
) -> None:
    """The page says that it tries to come back, then that its session is no longer there; a new one is a click away."""
    watch.allow(LOST)
    server = await serve(APP, env={"SOLARA_SESSION_SECRET_KEY": KEY})
    async with clicked(page, server) as network:
        server.kill()
        await expect(page.get_by_role("status")).to_contain_text("Connection lost. Reconnecting…")
        await look(page, "lost")
        network.lead_to((await serve(APP, env=NEW_SERVERS[which])).url)
        await expect(page.get_by_role("alert").or_(page.get_by_text("0 clicks", exact=True))).to_be_visible()
        await look(page, f"ended, {which}")
        assert await page.get_by_role("alert").count()
        await expect(page.get_by_role("alert")).to_contain_text("This session is no longer there")
        await expect(page.get_by_role("alert")).to_contain_text("It may have been restarted")
        if "later" in which:  # a page of that server would have to come in no time itself
            network.down()
            network.lead_to((await serve(APP)).url)
            network.up()
        await page.get_by_role("button", name="Start afresh").click()
        await expect(page.get_by_text("0 clicks", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Click").click()
        await expect(page.get_by_text("1 clicks", exact=True)).to_be_visible()


async def test_no_new_server_for_a_while(page: Page, watch: Watch, serve: Serve) -> None:
    """The page goes on to say so; "Try now" is answered at once when there is one."""
    watch.allow(LOST)
    server = await serve(APP)
    async with clicked(page, server) as network:
        server.kill()
        await expect(page.get_by_role("status")).to_contain_text("Connection lost. Reconnecting…")
        await expect(page.get_by_role("status")).to_contain_text("Still no connection. Trying again…")
        await look(page, "still lost")
        await expect(page.get_by_text("2 clicks", exact=True)).to_be_visible()
        network.lead_to((await serve(APP)).url)
        await page.get_by_role("button", name="Try now").click()
        # Its own next attempt would come four seconds later at the least, and eight at the most.
        await expect(page.get_by_role("alert")).to_contain_text("This session is no longer there", timeout=3_000)
        await page.get_by_role("button", name="Start afresh").click()
        await expect(page.get_by_text("0 clicks", exact=True)).to_be_visible()


async def test_a_server_that_stops_to_answer_and_goes_on(page: Page, watch: Watch, serve: Serve) -> None:
    """The page notices the silence, says so, and is back by itself; what was clicked meanwhile counts once."""
    watch.allow(LOST)
    env = {"SOLARA_WEBSOCKET_PING_INTERVAL": "300ms", "SOLARA_WEBSOCKET_PING_TIMEOUT": "300ms"}
    server = await serve(APP, env=env)
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright wants a function of Python
    async with clicked(page, server):
        await page.evaluate("window.sameDocument = true")
        server.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(5):
                await page.get_by_role("button", name="Click").click()
            await expect(page.get_by_role("status")).to_contain_text("Connection lost. Reconnecting…")
            await look(page, "stopped")
            for _ in range(5):
                await page.get_by_role("button", name="Click").click()
        finally:
            server.process.send_signal(signal.SIGCONT)
        await expect(page.get_by_text("12 clicks", exact=True)).to_be_visible(timeout=60_000)
        await page.wait_for_function(ANSWERED)
        await expect(page.get_by_text("Reconnecting")).to_be_hidden()
        await page.get_by_role("button", name="Click").click()
        await expect(page.get_by_text("13 clicks", exact=True)).to_be_visible()
        assert await page.evaluate("window.sameDocument") is True
        assert len(sockets) >= 2
        assert server.log_text().count("taken down") == 0


async def look(page: Page, what: str) -> None:
    """Keep a picture of the page, for a person who wants to see it: in SOLARA_CTX_PICTURES, if that is set."""
    folder = os.environ.get("SOLARA_CTX_PICTURES")
    if folder:
        await page.screenshot(path=Path(folder, f"{what}.png"))
