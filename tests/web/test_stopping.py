"""The server is asked to stop: who hears of it, and in which order."""

import asyncio
import importlib
import signal
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import Any

import ipywidgets as widgets
import pytest
from hypercorn.utils import ShutdownError

from tests.support.fakes import PATIENCE_S
from tests.support.visits import Visit, serving

hypercorn_server: Any = importlib.import_module("hypercorn.asyncio.run")  # as hypercorn does before it starts an app
AWAY = (1001, "server-shutdown")


def label() -> widgets.Label:
    """A page."""
    return widgets.Label()


class Server:
    """Handles SIGTERM as a server does.

    Attributes:
        told: What each page had been sent when the server heard of the signal; `None` before.
    """

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.told: list[tuple[int, str] | None] | None = None
        self.heard = asyncio.Event()

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """Note what the pages know."""
        self.told = [visit.closed for visit in self.visits]
        self.heard.set()

    async def stops(self) -> None:
        """Ask it to stop, and wait until it has heard of that."""
        signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            await self.heard.wait()


@pytest.fixture
def server() -> Iterator[Server]:
    """The process's own handler is put back afterwards."""
    server = Server()
    before = signal.signal(signal.SIGTERM, server.handle)
    yield server
    signal.signal(signal.SIGTERM, before)


async def test_the_server_hears_of_the_stop_after_the_last_page(server: Server) -> None:
    """Its own word for the pages would be another one."""
    async with serving(label) as site:
        for _ in range(15):  # more than are sent away in one turn of the loop
            server.visits.append(await site.visit())
        await server.stops()
    assert server.told == [AWAY] * 15


async def test_a_page_that_reads_nothing_does_not_keep_the_server_from_stopping(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would be told is lost."""
    monkeypatch.setattr("solara_ctx.web.app._TOLD_WITHIN_S", 0.0)
    async with serving(label) as site:
        stuck = await site.visit()
        server.visits.append(stuck)
        stuck.reading.clear()
        await server.stops()
        stuck.reading.set()
    assert server.told == [None]


async def test_a_server_that_waits_for_us_hears_after_the_last_page() -> None:
    """As Hypercorn's workers do, which get no signal."""
    asked = asyncio.Event()
    async with serving(label) as site:
        visit = await site.visit()
        stopping = asyncio.create_task(hypercorn_server.raise_shutdown(asked.wait))
        async with asyncio.timeout(PATIENCE_S):
            await visit.states()
            assert visit.closed is None
            asked.set()
            with pytest.raises(ShutdownError):
                await stopping
        assert visit.closed == AWAY


async def test_a_server_on_another_loop_is_none_of_ours() -> None:
    """It may stop, and the pages stay."""

    async def stop() -> None:
        with pytest.raises(ShutdownError):
            await hypercorn_server.raise_shutdown(partial(asyncio.sleep, 0))

    async with serving(label) as site:
        visit = await site.visit()
        await asyncio.to_thread(asyncio.run, stop())
        await visit.states()
        assert visit.closed is None
