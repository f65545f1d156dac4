"""A server that has had a thousand pages, and a page that has had fifty kernels, are as they were."""

import asyncio
import logging
import re
import uuid
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import linear_regression
from typing import Any, NamedTuple

import httpx2
import ipywidgets as widgets
import pytest
from IPython import get_ipython
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.asyncio.client import ClientConnection

from integration.conftest import Serve
from integration.support.protocol import JupyterClient, ask, click, message, root_of
from integration.support.server import ServerProcess
from integration.support.threaded import ServerThread
from integration.support.waiting import wait_until
from solara_ctx import CloseReport, KernelApp, get_current_context
from tests.support.everything import all_widgets

ROUNDS, AT_A_TIME, LOOKS = 1000, 8, 10
WARM_UP_LOOKS = 4
"""Until then modules are imported, caches fill, threads start, and the allocator finds the size that it needs."""
OBJECTS_PER_ROUND = 0.3
"""What a kernel leaves is one object per round at least.  Each hundred rounds come over nine connections for plain
HTTP, each of which leaves a transport of asyncio's in a cycle with a method of its own; of no type more than two.
"""
BYTES_PER_ROUND = 2500
"""A fifth of the smallest kernel that there is, one without a widget or shell.  Measured: 700, and 1,400 on a busy
machine, with objects of all types flat: the allocator still finds its size, and there are those transports.
"""
RESTARTS = 50
MEMORY = re.compile(r"kernel \S+: restarted, memory [\d.]+ MB before, [\d.]+ MB after, [+-][\d.]+ MB")
ROUNDS_APP = Path(__file__).parent / "support" / "apps" / "rounds.py"


class Look(NamedTuple):
    """What the server says of itself."""

    types: dict[str, int]
    rss: int
    uss: int


async def one_round(client: JupyterClient) -> None:
    """Open the page, click, leave; until the kernel has closed the connection."""
    await client.open_page()
    async with client.websocket() as socket:
        await ask(socket, click(await root_of(socket)))
        await client.http.post(f"{client.kernel_path()}/pages/{client.page_id}/close")
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (1000, "page-closed")


async def some_rounds(url: str, number: int) -> None:
    """So many, a few at a time."""
    left = iter(range(number))

    async def one_after_the_other() -> None:
        async with JupyterClient(url) as client:
            for _ in left:
                await one_round(client)

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_A_TIME)))


async def look(server: ServerProcess) -> Look:
    """Wait until no kernel is left, and look at the server."""
    async with httpx2.AsyncClient(base_url=server.url) as http:

        async def looked() -> dict[str, Any] | None:
            answer: dict[str, Any] = (await http.get("/look", timeout=30)).json()
            return answer if answer["kernels"] == 0 else None

        found = await wait_until(looked, 20)
    assert found is not None
    return Look(found["types"], found["rss"], found["uss"])


def growth_per_round(looks: list[int]) -> float:
    """The slope of a straight line through the sizes, by least squares."""
    rounds = range(0, len(looks) * ROUNDS // LOOKS, ROUNDS // LOOKS)
    return linear_regression(rounds, looks).slope


@pytest.mark.slow
@pytest.mark.thorough
async def test_a_thousand_pages_leave_nothing(serve: Serve) -> None:
    """With the collector off, neither objects of any type nor memory grow with the number of pages."""
    server = await serve(ROUNDS_APP, "--ws", "websockets-sansio", "--no-access-log")
    looks: list[Look] = []
    for _ in range(LOOKS):
        await some_rounds(server.url, ROUNDS // LOOKS)
        looks.append(await look(server))
    looks = looks[WARM_UP_LOOKS:]
    types = {name for one in looks for name in one.types}
    by_type = {name: growth_per_round([one.types.get(name, 0) for one in looks]) for name in types}
    assert {name: round(slope, 2) for name, slope in by_type.items() if slope > OBJECTS_PER_ROUND} == {}
    assert growth_per_round([one.uss for one in looks]) < BYTES_PER_ROUND
    assert growth_per_round([one.rss for one in looks]) < BYTES_PER_ROUND


class Kernels:
    """The kernels that a page has had, weakly; and how many of them were alive whenever one began."""

    def __init__(self) -> None:
        self._made: list[weakref.ref[object]] = []
        self.alive_at_starts: list[int] = []

    def began(self) -> None:
        """Called in each kernel before its page function."""
        kernel = get_current_context().kernel
        assert kernel is not None
        self._made.append(weakref.ref(kernel))
        self.alive_at_starts.append(self.alive)

    @property
    def alive(self) -> int:
        """How many there are just now."""
        return sum(reference() is not None for reference in self._made)


async def run_shown(socket: ClientConnection) -> str:
    """Which run of the page function the page is shown."""
    opening = {"comm_id": uuid.uuid4().hex, "target_name": "solara_ctx.page", "data": {}}
    said = await ask(socket, message("comm_open", opening))
    (answer,) = (heard["content"]["data"] for heard in said if heard["header"]["msg_type"] == "comm_msg")
    assert answer["status"] == "ok"
    return str(answer["run"])


@pytest.mark.usefixtures("without_gc")
async def test_fifty_restarts_under_one_page(
    serve_here: Callable[..., Awaitable[ServerThread]], caplog: pytest.LogCaptureFixture
) -> None:
    """Exactly one kernel is alive at any time, and the log says what each restart did to the memory.

    Without a browser, for speed.
    """
    caplog.set_level(logging.INFO, "solara_ctx")
    kernels = Kernels()

    def page() -> widgets.Widget:
        get_ipython().run_cell("1 + 1")
        return all_widgets()

    app = await asyncio.to_thread(KernelApp, page)
    app.on_kernel_start(kernels.began)
    server = await serve_here(Starlette(routes=[Mount("/", app)], lifespan=app.lifespan), ws="websockets-sansio")
    runs: set[str] = set()
    async with JupyterClient(server.url) as client:
        for _ in range(RESTARTS):
            async with client.websocket() as socket:
                runs.add(await run_shown(socket))
                assert kernels.alive == 1
                report = await server.run(restart(app))
                assert report.ok
                assert kernels.alive <= 1
                await socket.wait_closed()
                assert (socket.close_code, socket.close_reason) == (1012, "restart")
        async with client.websocket() as socket:
            runs.add(await run_shown(socket))
    assert len(runs) == RESTARTS + 1
    assert kernels.alive_at_starts == [1] * (RESTARTS + 1)
    lines = [record.getMessage() for record in caplog.records if MEMORY.fullmatch(record.getMessage())]
    assert len(lines) == RESTARTS


async def restart(app: KernelApp) -> CloseReport:
    (context,) = app.registry.values()
    restarting = context.restart()
    del context
    return await asyncio.wrap_future(restarting)
