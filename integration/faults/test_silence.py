"""Connections that die without a word: nobody is told, and both sides find out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from playwright.async_api import Page, expect

from integration.conftest import Serve
from integration.support.network import BadNetwork
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until
from integration.support.watch import Watch
from solara_ctx.leakcheck.pagestate import ANSWERED

LOST = "WebSocket|ERR_"
HASTY = {"SOLARA_WEBSOCKET_PING_INTERVAL": "300ms", "SOLARA_WEBSOCKET_PING_TIMEOUT": "500ms"}
OURS = ("--ws", "solara_ctx.web.uvicorn_ws:PageWebSocket")
OPEN = "#solara-app[data-solara-state=open]"


@asynccontextmanager
async def opened(page: Page, server: ServerProcess) -> AsyncIterator[BadNetwork]:
    """The page behind a bad network, open and with nothing on its way."""
    async with BadNetwork(server.url) as network:
        await page.goto(network.url)
        await expect(page.get_by_role("button", name="Click")).to_be_visible()
        await page.wait_for_function(ANSWERED)
        yield network


async def websockets_open(server: ServerProcess) -> int:
    async with httpx2.AsyncClient(base_url=server.url) as http:
        return int((await http.get("/resourcez")).json()["websocket"]["open"])


async def test_both_sides_notice_a_connection_that_is_dead(page: Page, watch: Watch, serve: Serve) -> None:
    """Nothing passes any more, and nobody says so: the server lets go, the page comes back, the click counts once."""
    watch.allow(LOST)
    server = await serve("integration.support.apps.counter:app", *OURS, env=HASTY)
    async with opened(page, server) as network:
        (dead,) = network.websockets
        dead.is_swallowed = True
        await page.get_by_role("button", name="Click").click()
        await expect(page.get_by_text("1 clicks")).to_be_visible()
        await wait_until(lambda: len(network.websockets) == 2 or dead not in network.websockets)
        await wait_until(lambda: only_one(server), what="a server that has let go of the dead connection")
        await page.wait_for_function(ANSWERED)
        assert await page.get_by_text("1 clicks").is_visible()


async def only_one(server: ServerProcess) -> bool:
    return await websockets_open(server) == 1


async def test_a_page_that_is_asked_in_time_keeps_its_connection(page: Page, watch: Watch, serve: Serve) -> None:
    """Silence that is broken by pings is none, for either side."""
    server = await serve("integration.support.apps.counter:app", *OURS, env=HASTY)
    async with opened(page, server) as network:
        (wire,) = network.websockets
        words: list[str] = []
        page.on("websocket", lambda _: words.append("another connection"))
        # Four times as long as a silence may last.
        await page.evaluate("new Promise(resolve => setTimeout(resolve, 3200))")
        assert network.websockets == [wire]
        assert words == []
        await page.get_by_role("button", name="Click").click()
        await expect(page.get_by_text("1 clicks")).to_be_visible()


@pytest.mark.parametrize("quietly", [True, False], ids=["without a word", "reset"])
async def test_a_page_that_was_frozen_comes_back_when_it_is_looked_at(
    page: Page, watch: Watch, serve: Serve, *, quietly: bool
) -> None:
    """A browser stops what is in the background, and its connection dies meanwhile."""
    watch.allow(LOST)
    server = await serve("integration.support.apps.counter:app", *OURS, env=HASTY)
    async with opened(page, server) as network:
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
        (wire,) = network.websockets
        if quietly:
            wire.is_swallowed = True
        else:
            wire.reset()

        async def let_go() -> bool:
            return await websockets_open(server) == 0

        await wait_until(let_go, what="a server that has let go of the frozen page")
        begun = asyncio.get_running_loop().time()
        await devtools.send("Page.setWebLifecycleState", {"state": "active"})
        await wait_until(lambda: only_one(server), what="a page that has come back")
        print(f"back after {asyncio.get_running_loop().time() - begun:.2f} s")
        await page.get_by_role("button", name="Click").click()
        await expect(page.get_by_text("1 clicks")).to_be_visible()
        await expect(page.locator(OPEN)).to_be_visible()
