"""Many pages of one server, more and more of them: what each keeps, and what a click costs among them.

The memory of a page is what the process has more of with all pages open than before the first, divided by their number:
by the allocators' own accounts (*in use*), and as the system sees it (the unique set size).  A page is its widgets and
what the system adds to them.  The widgets are measured in the same way in a bare process (`bare`), as many of them, and
taken off.  What the kernel keeps for a socket is in neither.

A click's CPU is what the server used while there were clicks, less what it used before for as long without any: pings
to 10,000 pages are no cost of a click, and have a line of their own.
"""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pages.crowd import Answers, Crowd
from benchmarks.support.lateness import Late
from benchmarks.support.probe import Answer
from benchmarks.support.process import ROOT, BenchmarkFailed, Served, clean_environment
from benchmarks.support.sides import Side

RATE = 200.0
_WARM_UP = 10
_REST_S = 1.0
_SETTLE_S = 6.0
"""Pages acknowledge what has come after 5 s; until then the server keeps it."""
_IDLE_S = 4.0
_BARE_S = 300.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process holds, in bytes."""

    in_use: int
    uss: int

    @classmethod
    def of(cls, answer: Answer) -> "Memory":
        """Raises BenchmarkFailed where the C library does not tell."""
        if answer["in_use"] is None:
            raise BenchmarkFailed("what a process uses of its memory needs glibc 2.33 or newer")
        return cls(int(str(answer["in_use"])), int(str(answer["uss"])))

    def per_page(self, before: "Memory", pages: int) -> "Memory":
        """How much more it is than before, for each page."""
        return Memory((self.in_use - before.in_use) // pages, (self.uss - before.uss) // pages)


@dataclass(frozen=True, slots=True)
class Size:
    """A server with so many pages, and 200 clicks a second."""

    pages: int
    answers: Answers
    late: Late
    late_opening: Late
    """While the pages were opened, eight at a time."""
    cpu_per_click_s: float
    idle_cpu: float
    """Processors' share of what it does while nobody clicks."""
    threads: int
    files_per_page: float
    page: Memory


async def measure(side: Side, log: Path, sizes: list[int], seconds: float) -> list[Size]:
    """One server, with more and more pages."""
    server = Served(side.command, log, side.env)
    found: list[Size] = []
    try:
        async with server:
            crowd = Crowd(side, server)
            # Imports on first use, pools and caches come once in the life of a server, not once per page.
            await crowd.open(_WARM_UP)
            await crowd.leave()
            await server.ask("rest", _REST_S)
            await server.ask("collect")
            before, files = Memory.of(await server.ask("memory")), server.open_files()
            for pages in sizes:
                found.append(await _size(crowd, server, pages, seconds, before, files))
                print(f"{side.name}: {_line(found[-1])}", file=sys.stderr, flush=True)
            server.kill()
    except BenchmarkFailed as failure:
        raise BenchmarkFailed(f"{side.name}: {failure}\n{server.log_end()}") from failure
    return found


def bare(pages: int) -> Memory:
    """What the widgets of a page cost in a process that has nothing else.

    Raises:
        BenchmarkFailed: the process has failed.
    """
    command = [sys.executable, "-m", "benchmarks.pages.bare", str(pages)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False, timeout=_BARE_S
        )
    except subprocess.TimeoutExpired:
        raise BenchmarkFailed(f"{pages} times the widgets of a page were not made within {_BARE_S:g} s") from None
    if done.returncode:
        raise BenchmarkFailed(f"the bare widgets: {done.stderr[-3000:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return Memory.of(answer["after"]).per_page(Memory.of(answer["before"]), pages)


async def _size(crowd: Crowd, server: Served, pages: int, seconds: float, before: Memory, files: int) -> Size:
    await server.ask("begin")
    await crowd.open(pages)
    late_opening = late(await server.ask("lateness"))
    await asyncio.sleep(_SETTLE_S)
    page = Memory.of(await server.ask("memory")).per_page(before, pages)
    idle_cpu = await _idle_cpu(server)
    await crowd.click(RATE, 1.0)
    await server.ask("begin")
    cpu_s, loop = server.cpu_s(), asyncio.get_running_loop()
    begun = loop.time()
    answers = await crowd.click(RATE, seconds)
    cpu_s = server.cpu_s() - cpu_s - idle_cpu * (loop.time() - begun)
    return Size(
        pages=pages,
        answers=answers,
        late=late(await server.ask("lateness")),
        late_opening=late_opening,
        cpu_per_click_s=cpu_s / answers.count,
        idle_cpu=idle_cpu,
        threads=server.threads(),
        files_per_page=(server.open_files() - files) / pages,
        page=page,
    )


def late(answer: Answer) -> Late:
    """What the probe has said of the loop."""
    return Late(*(float(str(answer[name])) for name in ("longest", "p50", "p99")))


async def _idle_cpu(server: Served) -> float:
    before = server.cpu_s()
    await asyncio.sleep(_IDLE_S)
    return (server.cpu_s() - before) / _IDLE_S


def _line(size: Size) -> str:
    return (
        f"{size.pages} pages, {size.page.in_use / 1000:.0f} KB each in use, click "
        f"{size.answers.p50 * 1000:.2f}/{size.answers.p99 * 1000:.2f} ms, {size.cpu_per_click_s * 1000:.2f} ms CPU, "
        f"loop late by {size.late.p99 * 1000:.1f} ms in the 99th percentile, {size.late.longest * 1000:.0f} ms at worst"
        f" ({size.late_opening.longest * 1000:.0f} ms while they opened)"
    )
