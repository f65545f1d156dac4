"""Kernels whose callbacks block: how long the answers to another page take, alone and meanwhile.

Thirty that sleep should cost the others nothing.  Thirty that compute take their share of the interpreter, which nobody
can have back: what that share is, a bare echo shows beside as many threads, and an echo that hands each message to a
thread and back, as whatever runs callbacks on threads has to.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pages.crowd import Answers, Crowd
from benchmarks.pages.page import COMPUTE, COMPUTE_S, SLEEP, SLEEP_S
from benchmarks.support.client import request
from benchmarks.support.process import BenchmarkFailed, Served
from benchmarks.support.rawsocket import RawSocket
from benchmarks.support.sides import Side

BLOCKED = 30
_ECHO_COMMAND = ["uvicorn.main:main", "benchmarks.pages.echo:app", "--port", "0", "--ws", "websockets-sansio"]
_ECHO_BYTES = 2000
_ALONE_S = 3.0
_MARGIN_S = 2.0
"""Before the end of the block, so that no move outlasts it."""
_BEGIN_S = 0.5
_MORE = 16
_FEWEST = 5
_SETTLE_S = 1.0
_KINDS = (("sleep", SLEEP, SLEEP_S), ("compute", COMPUTE, COMPUTE_S))
Move = Callable[[list[float]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """One page that moves its slider, again and again."""

    alone: Answers
    meanwhile: Answers


@dataclass(frozen=True, slots=True)
class Exhausted:
    """More kernels block than there are threads."""

    blocked: int
    workers: dict[str, int]
    """What `/resourcez` says of the threads meanwhile."""
    waited_s: float
    """How long the answer to another page took."""
    left_s: float
    """For how long they still blocked when it was asked."""


Figures = dict[str, Meanwhile]


async def measure(side: Side, log: Path) -> Figures:
    """Thirty that sleep, and thirty that compute."""
    found: Figures = {}
    async with _served(side.command, log, side) as server:
        crowd = Crowd(side, server)
        await crowd.open(BLOCKED + 1)
        measured, *others = crowd.visitors
        for name, value, seconds in _KINDS:
            await asyncio.sleep(_SETTLE_S)
            alone = await _answers(measured.move, time.perf_counter() + _ALONE_S)
            until = time.perf_counter() + seconds
            for other in others:
                other.send(value)
            await asyncio.sleep(_BEGIN_S)
            found[name] = Meanwhile(alone, await _answers(measured.move, until - _MARGIN_S))
            await asyncio.sleep(until + _MARGIN_S - time.perf_counter())
        server.kill()
    return found


async def exhausted(side: Side, log: Path) -> Exhausted:
    """More kernels that sleep than the pool has threads, and one page more that wants an answer."""
    async with _served(side.command, log, side) as server:
        limit = (await _workers(server))["limit"]
        crowd = Crowd(side, server)
        await crowd.open(limit + _MORE + 1)
        measured, *others = crowd.visitors
        begun = time.perf_counter()
        for other in others:
            other.send(SLEEP)
        await asyncio.sleep(_BEGIN_S)
        workers = await _workers(server)
        taken: list[float] = []
        left_s = begun + SLEEP_S - time.perf_counter()
        await measured.move(taken)
        server.kill()
    return Exhausted(len(others), workers, taken[0], left_s)


async def share_of_the_gil(log: Path) -> Figures:
    """The echoes, alone and beside thirty threads that compute."""
    found: Figures = {}
    for name, path in (("echo", "/"), ("echo by a thread", "/thread")):
        async with _served(_ECHO_COMMAND, log) as server:
            base = f"ws://{server.host}:{server.port}"
            move = _echo_move(RawSocket.connect(base + path))
            alone = await _answers(move, time.perf_counter() + _ALONE_S)
            burden = RawSocket.connect(base + "/burden")
            until = time.perf_counter() + COMPUTE_S
            burden.put(str(BLOCKED))
            burden.take()
            found[name] = Meanwhile(alone, await _answers(move, until - _MARGIN_S))
            server.kill()
    return found


def _echo_move(socket: RawSocket) -> Move:
    message = "x" * _ECHO_BYTES

    async def move(taken: list[float]) -> None:
        begun = time.perf_counter()
        socket.put(message)
        socket.take()
        taken.append(time.perf_counter() - begun)

    return move


async def _answers(move: Move, until: float) -> Answers:
    taken: list[float] = []
    while time.perf_counter() < until or len(taken) < _FEWEST:
        await move(taken)
    return Answers.of(taken)


async def _workers(server: Served) -> dict[str, int]:
    response = await request("GET", server.host, server.port, "/resourcez")
    workers = json.loads(response.body)["threads"]["workers"]
    return {str(name): int(count) for name, count in workers.items()}


@asynccontextmanager
async def _served(command: list[str], log: Path, side: Side | None = None) -> AsyncIterator[Served]:
    server = Served(command, log, {} if side is None else side.env)
    try:
        async with server:
            yield server
    except BenchmarkFailed as failure:
        raise BenchmarkFailed(f"{command[0]}: {failure}\n{server.log_end()}") from failure
