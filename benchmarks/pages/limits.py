"""What happens at the limits that a server sets itself: its end within a time, and no room for more kernels.

The end: all pages have a hook that takes a while, and all are told to come back, at times that are spread.  No room:
how long each of fifty more waits until it is told so, by its websocket and by its page.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pages.crowd import Crowd, dial, until
from benchmarks.pages.lean import LeanSocket
from benchmarks.support.client import request
from benchmarks.support.figures import Spread
from benchmarks.support.process import BenchmarkFailed, Served
from benchmarks.support.sides import ONE_ADDRESS, Issued, Ours
from benchmarks.support.stream import Stream

DRAINED = 500
HOOK_S = 0.05
MORE = 50
_ROOM = 3
_SETTLE_S = 6.0
_REFUSED_S = 30.0
_NO_ROOM = 503
_GOING_AWAY = "1001 server-shutdown"
_FULL = "1013 kernel-limit"


@dataclass(frozen=True, slots=True)
class Drain:
    """The end of a server with all its pages connected, from the signal on."""

    pages: int
    last_close_s: float
    """Until the last page had its close frame."""
    exit_s: float
    """Until the process was gone."""
    told: int
    """How many were told why, with the code that lets them come back."""
    hooks: int
    """How many hooks have run to their end."""
    delays: Spread
    """In how many seconds the pages were told to come back."""


@dataclass(frozen=True, slots=True)
class Full:
    """Those for whom there is no room, all in the same instant."""

    more: int
    websocket: Spread
    """Until the websocket had told them so, in seconds."""
    page: Spread
    """The same for the page over HTTP."""


async def drain() -> Drain:
    """Five hundred pages, and a SIGTERM."""
    with tempfile.TemporaryDirectory() as folder:
        hooks = Path(folder, "hooks")
        await asyncio.to_thread(hooks.touch)
        env = {"BENCHMARK_HOOKS": str(hooks), "BENCHMARK_HOOK_S": str(HOOK_S)}
        async with _served(folder, env) as (side, server):
            crowd = Crowd(side, server)
            await crowd.open(DRAINED)
            await asyncio.sleep(_SETTLE_S)
            sockets = [visitor.socket for visitor in crowd.visitors]
            begun = time.perf_counter()
            stopping = asyncio.create_task(server.stop())
            await until(lambda: all(socket.end is not None for socket in sockets), "the ends of all connections")
            _, exit_s = await stopping
            delays = [delay for each in crowd.visitors if (delay := each.page.channel.drained_s) is not None]
            return _said_drain(
                Drain(
                    pages=DRAINED,
                    last_close_s=max(socket.ended_at for socket in sockets) - begun,
                    exit_s=exit_s,
                    told=min(len(delays), sum(socket.end == _GOING_AWAY for socket in sockets)),
                    hooks=await asyncio.to_thread(lambda: hooks.stat().st_size),
                    delays=Spread.of(delays),
                )
            )


async def full() -> Full:
    """Three pages have all the room there is; fifty more come."""
    with tempfile.TemporaryDirectory() as folder:
        async with _served(folder, {"SOLARA_KERNEL_MAX_COUNT": str(_ROOM)}) as (side, server):
            # While there is room yet: what a page is that has lost its kernel, or was slow to connect.
            issued = [await side.issue(server) for _ in range(MORE)]
            await Crowd(side, server).open(_ROOM)
            waits = await asyncio.gather(*(_turned_away(each, server) for each in issued))
    found = Full(MORE, Spread.of([wait for wait, _ in waits]), Spread.of([wait for _, wait in waits]))
    print(f"{MORE} more than there is room for: told within {found.websocket.high:.2f} s", file=sys.stderr, flush=True)
    return found


async def _turned_away(issued: Issued, server: Served) -> tuple[float, float]:
    """How long the answers to the websocket and to the page take."""
    begun = time.perf_counter()
    socket = await LeanSocket.connect(issued.url, issued.cookies, Stream())
    await until(lambda: socket.end is not None, "the refusal of a websocket", _REFUSED_S, every_s=0.001)
    told_at = time.perf_counter()
    if socket.end != _FULL:
        raise BenchmarkFailed(f"a page that there is no room for was told {socket.end}")
    await request("GET", server.host, server.port, "/", {"Cookie": issued.cookies}, status=_NO_ROOM)
    return told_at - begun, time.perf_counter() - told_at


@asynccontextmanager
async def _served(folder: str, env: Mapping[str, str]) -> AsyncIterator[tuple[Ours, Served]]:
    side = Ours(Path(__file__).parent, dial)
    server = Served(side.command, Path(folder, "server.log"), {**ONE_ADDRESS, **env})
    try:
        async with server:
            yield side, server
    except BenchmarkFailed as failure:
        raise BenchmarkFailed(f"{side.name}: {failure}\n{server.log_end()}") from failure


def _said_drain(each: Drain) -> Drain:
    delays = each.delays
    print(
        f"{each.pages} pages and a SIGTERM: the last close after {each.last_close_s:.2f} s, gone after "
        f"{each.exit_s:.2f} s; {each.told} told, {each.hooks} hooks; back in {delays.low:.2f} to {delays.high:.2f} s, "
        f"median {delays.median:.2f}",
        file=sys.stderr,
        flush=True,
    )
    return each
