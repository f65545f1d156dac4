"""One pass of one side: a fresh server, a Chromium that clicks, and another one that opens pages."""

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page

from benchmarks.browser import assets
from benchmarks.browser.visitor import Opened, Visitor, chromium, visitor
from benchmarks.support.client import request
from benchmarks.support.process import BenchmarkFailed, Served
from benchmarks.support.sides import Side

_WARM_UP_PAGES = 2
_WARM_UP_CLICKS = 50
_MS = 1000.0
_KB = 1000.0
# Long enough for the server to be done with the click before, so that none has to wait for another. The rest goes
# evenly through the time of one frame, so that the clicks of neither side keep step with anything.
_PAUSE_MS, _FRAME_MS, _GOLDEN = 20.0, 1000 / 60, 0.618034
# What an opening or a close leaves to do: Solara collects one second after a close.
_SETTLE_S = 2.0
# uvicorn ends a connection that nobody has used for 5 s; what is open then is what a page keeps.
_STEADY_S, _STEADY_LIMIT_S, _POLL_S = 6.0, 60.0, 0.25


@dataclass(frozen=True, slots=True)
class Pass:
    """Medians of one pass, and what the server has used, per click and per page."""

    first_answer_ms: float
    interactive_ms: float
    interactive_warm_ms: float
    transferred_kb: float
    painted_p50_ms: float
    painted_p99_ms: float
    seen_p50_ms: float
    seen_p99_ms: float
    cpu_per_click_ms: float
    cpu_per_open_ms: float
    fds_per_page: float


Figures = dict[str, float]


async def measure(side: Side, *, clicks: int, opens: int, log: Path) -> Pass:
    """Measure it.

    Raises:
        BenchmarkFailed: the server, the browser or a page does not work.
    """
    server = Served(side.command, log, side.env)
    try:
        async with server:
            url = f"http://{server.host}:{server.port}/"
            await assets.put_in_place((await request("GET", server.host, server.port, "/")).body)
            async with chromium(paints_at_any_time=True) as browser:
                for _ in range(_WARM_UP_PAGES):
                    await _visit(browser, url)
                clicked = await _clicks(server, browser, url, clicks)
            # One that paints as often as it can makes what is animated while a page loads dear, in either system.
            async with chromium() as browser:
                await _visit(browser, url)
                opened = await _opens(server, browser, url, opens)
    except BenchmarkFailed as failure:
        raise BenchmarkFailed(f"{side.name}: {failure}\n{server.log_end()}") from failure
    return Pass(**clicked, **opened)


async def _visit(browser: Browser, url: str) -> None:
    person = await visitor(browser, url)
    page, _ = await person.open()
    await person.leave(page)
    await person.end()


async def _clicks(server: Served, browser: Browser, url: str, count: int) -> Figures:
    person = await visitor(browser, url)
    page, _ = await person.open()
    await person.click(page, _pauses(_WARM_UP_CLICKS))
    await asyncio.sleep(_SETTLE_S)
    before = server.cpu_s()
    clicked = await person.click(page, _pauses(count))
    cpu_s = server.cpu_s() - before
    await person.leave(page)
    await person.end()
    painted = statistics.quantiles([each.painted_ms for each in clicked], n=100)
    seen = statistics.quantiles([each.seen_ms for each in clicked], n=100)
    return {
        "painted_p50_ms": painted[49],
        "painted_p99_ms": painted[98],
        "seen_p50_ms": seen[49],
        "seen_p99_ms": seen[98],
        "cpu_per_click_ms": cpu_s / count * _MS,
    }


async def _opens(server: Served, browser: Browser, url: str, count: int) -> Figures:
    await asyncio.sleep(_SETTLE_S)
    fds, cpu_s = await _steady_fds(server), server.cpu_s()
    people = [await visitor(browser, url) for _ in range(count)]
    pages: list[Page] = []
    cold: list[Opened] = []
    for person in people:
        page, opened = await person.open()
        pages.append(page)
        cold.append(opened)
    await asyncio.sleep(_SETTLE_S)
    cpu_s = server.cpu_s() - cpu_s
    kilobytes = [await person.transferred(page) / _KB for person, page in zip(people, pages, strict=True)]
    fds = await _steady_fds(server) - fds
    warm = [await _again(person) for person in people]
    for person, page in zip(people, pages, strict=True):
        await person.leave(page)
        await person.end()
    return {
        "first_answer_ms": statistics.median(each.answered_ms for each in cold),
        "interactive_ms": statistics.median(each.interactive_ms for each in cold),
        "interactive_warm_ms": statistics.median(each.interactive_ms for each in warm),
        "transferred_kb": statistics.median(kilobytes),
        "cpu_per_open_ms": cpu_s / count * _MS,
        "fds_per_page": fds / count,
    }


async def _again(person: Visitor) -> Opened:
    """The page once more, with what the browser has kept of it."""
    page, opened = await person.open()
    await person.leave(page)
    return opened


async def _steady_fds(server: Served) -> int:
    """The server's open files, once they have been as many for as long as a connection may idle."""
    loop = asyncio.get_running_loop()
    last, since, begun = server.open_files(), loop.time(), loop.time()
    while loop.time() - since < _STEADY_S:
        if loop.time() - begun > _STEADY_LIMIT_S:
            raise BenchmarkFailed(f"the server's open files change for more than {_STEADY_LIMIT_S:g} s")
        await asyncio.sleep(_POLL_S)
        if (now := server.open_files()) != last:
            last, since = now, loop.time()
    return last


def _pauses(count: int) -> Sequence[float]:
    return [_PAUSE_MS + _FRAME_MS * (number * _GOLDEN % 1) for number in range(count)]
