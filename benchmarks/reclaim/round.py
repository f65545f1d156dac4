"""One side, once: a fresh process, its pages opened, used and closed, and what the probe saw."""

import asyncio
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.support import machine
from benchmarks.support.probe import Answer
from benchmarks.support.process import BenchmarkFailed, Bystander, Served
from benchmarks.support.sides import OpenPage, Side

GRACE_S = 0.1
"""How long after the last close is looked."""
REST_S = 3.0
"""For how long the system may then do its own cleaning up: Solara collects one second after a close."""
_WARM_UP = 10
_AT_ONCE = 4  # pages that open at the same time; they close all at once
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The process at one moment."""

    uss_mib: float
    """Memory that would be back if the process ended now (unique set size), in MiB; with what is kept for reuse."""
    in_use_mib: float | None
    """What living objects use of the process's memory, in MiB; None where the C library does not tell."""
    threads: int
    alive: dict[str, int]
    """How many of the closed kernels' objects are alive, by kind; empty before the close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What was measured of one side in one round."""

    side: str
    number: int
    load: float
    """Of the machine, over the minute before."""
    found: dict[str, int]
    """Objects of each kind while all pages were open."""
    before: Moment
    opened: Moment
    closed: Moment
    rested: Moment
    collected: Moment
    open_s: float
    close_s: float
    """From the first beacon to the last `closed_event`."""
    pause_s: float
    """The longest pause of the event loop from the first beacon to `GRACE_S` after the last close."""
    pause_after_s: float
    """The longest one in the `REST_S` after that."""
    collect_s: float
    """How long a full collection took at the very end; every thread stands still meanwhile."""

    noise_s: float
    """The longest lateness of an idle process beside it, in the time of `pause_s`."""

    def held_mib(self, moment: Moment) -> float:
        """What the process has of the system's memory at *moment* more than before the first page."""
        return moment.uss_mib - self.before.uss_mib

    def used_mib(self, moment: Moment) -> float:
        """What living objects use at *moment* more than before the first page; not a number where nobody knows."""
        if moment.in_use_mib is None or self.before.in_use_mib is None:
            return math.nan
        return moment.in_use_mib - self.before.in_use_mib

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    def line(self) -> str:
        """One line for who waits."""
        pause, noise = self.pause_s * 1000, self.noise_s * 1000
        return (
            f"round {self.number + 1}, {self.side}: {self.used_mib(self.closed):.1f} MiB in use after the close, "
            f"longest pause {pause:.0f} ms (an idle process: {noise:.0f} ms; load {self.load:g})"
        )


async def measure(side: Side, bystander: Bystander, *, number: int, kernels: int, log: Path) -> Round:
    """One round of one side.

    Raises:
        BenchmarkFailed: the server or a page does not work.
    """
    server = Served(side.command, log, side.env)
    try:
        return await _measure(side, server, bystander, number=number, kernels=kernels)
    except BenchmarkFailed as failure:
        raise BenchmarkFailed(f"{side.name}: {failure}\n{server.log_end()}") from failure


async def _measure(side: Side, server: Served, bystander: Bystander, *, number: int, kernels: int) -> Round:
    load = machine.load()
    loop = asyncio.get_running_loop()
    async with server:
        # Imports on first use, pools and caches come once in the life of a server, not once per kernel.
        await _leave(side, server, await _open(side, server, _WARM_UP))
        await server.ask("rest", REST_S)
        await server.ask("collect")
        before = _moment(await server.ask("memory"))

        begun = loop.time()
        pages = await _open(side, server, kernels)
        open_s = loop.time() - begun
        await server.ask("rest", GRACE_S)
        opened = _moment(await server.ask("memory"))
        found = _counts((await server.ask("find"))["found"])

        await server.ask("begin")
        bystander.take()
        await _leave(side, server, pages)
        closed = await server.ask("closed", GRACE_S)
        noise_s = bystander.take()
        rested = await server.ask("rest", REST_S)
        collected = await server.ask("collect")
    return Round(
        side=side.name,
        number=number,
        load=load,
        found=found,
        before=before,
        opened=opened,
        closed=_moment(closed),
        rested=_moment(rested),
        collected=_moment(collected),
        open_s=open_s,
        close_s=_number(closed, "seconds"),
        pause_s=_number(closed, "longest_pause"),
        pause_after_s=_number(rested, "longest_pause"),
        noise_s=noise_s,
        collect_s=_number(collected, "seconds"),
    )


async def _open(side: Side, server: Served, count: int) -> list[OpenPage]:
    door = asyncio.Semaphore(_AT_ONCE)

    async def one() -> OpenPage:
        async with door:
            return await side.open(server)

    return await asyncio.gather(*(one() for _ in range(count)))


async def _leave(side: Side, server: Served, pages: list[OpenPage]) -> None:
    await asyncio.gather(*(side.leave(server, page) for page in pages))


def _moment(answer: Answer) -> Moment:
    return Moment(
        uss_mib=_number(answer, "uss") / _MIB,
        in_use_mib=None if answer["in_use"] is None else _number(answer, "in_use") / _MIB,
        threads=int(_number(answer, "threads")),
        alive=_counts(answer.get("alive", {})),
    )


def _number(answer: Answer, name: str) -> float:
    return float(str(answer[name]))


def _counts(value: object) -> dict[str, int]:
    return {str(name): int(count) for name, count in value.items()} if isinstance(value, dict) else {}
