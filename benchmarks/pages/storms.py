"""What comes for thousands of pages in the same instant: a network that was away, deadlines, the server's end.

How late the loop is at worst says for how long everybody else has to wait.  A server's end is measured up to its loop's
last act; who the longest pause is, is the same there.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pages.crowd import Crowd, Visitor, dial, until
from benchmarks.pages.many import late
from benchmarks.support.process import BenchmarkFailed, Bystander, Served
from benchmarks.support.sides import ONE_ADDRESS, Ours

RETURNING = 1000
_RETURN_WITHIN_S = 1.0
_SETTLE_S = 6.0
_DONE_S = 120.0
_CULL_S = 6.0
_DROPPED_S = 4.0
"""When the drop is over and no kernel is due yet."""
_LOOK_S = 0.2
"""How often the log is read, which takes a processor for some milliseconds."""
_HOOKS = "BENCHMARK_HOOKS"


@dataclass(frozen=True, slots=True)
class Storm:
    """One of them."""

    what: str
    pages: int
    longest_s: float
    """How late the loop was at worst, from the storm's beginning until it was over."""
    noise_s: float
    """The same of an idle process beside it."""
    seconds: float
    """Until the last page, or kernel, was done."""
    done: int
    """How many came back, or were closed with their hooks run."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """A server with its pages, and what it leaves behind."""

    server: Served
    crowd: Crowd
    side: Ours
    log: Path
    hooks: Path
    bystander: Bystander

    def closed(self, reason: str) -> int:
        """How many kernels the server's log says to be down, for that reason."""
        return self.log.read_text(errors="replace").count(f": {reason}, taken down")

    def hooks_run(self) -> int:
        """How many hooks have left their byte."""
        return self.hooks.stat().st_size


async def measure(pages: int, bystander: Bystander) -> list[Storm]:
    """All of them; each number of pages is reached twice."""
    async with _stage(pages, bystander, {}) as stage:
        network = [await _blip(stage), await _come_back(stage), await _shutdown(stage)]
    async with _stage(pages, bystander, {"SOLARA_KERNEL_CULL_TIMEOUT": f"{_CULL_S}s"}) as stage:
        return [*network, *await _culls(stage)]


async def _blip(stage: _Stage) -> Storm:
    """The connections of a thousand pages are reset."""
    count = min(RETURNING, len(stage.crowd.visitors))
    await _begin(stage)
    for visitor in stage.crowd.visitors[:count]:
        visitor.socket.reset()
    await asyncio.sleep(_RETURN_WITHIN_S)
    return await _end(stage, "connections reset at once", count, _RETURN_WITHIN_S, count)


async def _come_back(stage: _Stage) -> Storm:
    """They come back within a second, each as its frontend does, and have the state of their widgets again."""
    returning = stage.crowd.visitors[: min(RETURNING, len(stage.crowd.visitors))]
    loop = asyncio.get_running_loop()
    await _begin(stage)
    begun = loop.time()

    async def one(number: int, visitor: Visitor) -> None:
        await asyncio.sleep(begun + number * _RETURN_WITHIN_S / len(returning) - loop.time())
        page = await stage.side.come_back(visitor.page)
        if page.slider != visitor.page.slider:
            raise BenchmarkFailed("a page that came back has found another kernel")
        visitor.use(page)

    try:
        async with asyncio.timeout(_DONE_S):
            await asyncio.gather(*(one(number, visitor) for number, visitor in enumerate(returning)))
    except TimeoutError:
        raise BenchmarkFailed(f"{len(returning)} pages were not back within {_DONE_S:g} s") from None
    storm = await _end(stage, "pages reconnect within 1 s", len(returning), loop.time() - begun, len(returning))
    await _all_answer(returning)
    return storm


async def _shutdown(stage: _Stage) -> Storm:
    """The system asks the server to end, with all pages open."""
    count = len(stage.crowd.visitors)
    stage.bystander.take()
    answer, seconds = await stage.server.stop()
    done = min(stage.closed("server-shutdown"), stage.hooks_run())
    storm = Storm("closed by SIGTERM", count, late(answer).longest, stage.bystander.take(), seconds, done)
    return _said(storm)


async def _culls(stage: _Stage) -> list[Storm]:
    """All pages are gone in one instant, and so all of their deadlines come in one."""
    count, one = len(stage.crowd.visitors), stage.crowd.visitors.pop()
    count -= 1
    await _begin(stage)
    begun = time.perf_counter()
    for visitor in stage.crowd.visitors:
        visitor.socket.reset()
    await asyncio.sleep(_DROPPED_S)
    drop = await _end(stage, "connections reset at once", count, _DROPPED_S, count)
    await _begin(stage)
    await until(lambda: stage.closed("culled") == count, f"the culls of {count} kernels", _DONE_S, every_s=_LOOK_S)
    seconds = time.perf_counter() - begun - _CULL_S
    cull = await _end(stage, "culled at once", count, seconds, stage.hooks_run())
    await _all_answer([one])
    return [drop, cull]


async def _all_answer(visitors: list[Visitor]) -> None:
    taken: list[float] = []
    for visitor in visitors:
        visitor.click(taken)
    await until(lambda: len(taken) == len(visitors), "the answers of the pages that are left")


async def _begin(stage: _Stage) -> None:
    await stage.server.ask("begin")
    stage.bystander.take()


async def _end(stage: _Stage, what: str, pages: int, seconds: float, done: int) -> Storm:
    longest = late(await stage.server.ask("lateness")).longest
    return _said(Storm(what, pages, longest, stage.bystander.take(), seconds, done))


@asynccontextmanager
async def _stage(pages: int, bystander: Bystander, env: Mapping[str, str]) -> AsyncIterator[_Stage]:
    with tempfile.TemporaryDirectory() as folder:
        log, hooks = Path(folder, "server.log"), Path(folder, "hooks")
        await asyncio.to_thread(hooks.touch)
        side = Ours(Path(__file__).parent, dial)
        server = Served(side.command, log, {**ONE_ADDRESS, **env, _HOOKS: str(hooks)})
        try:
            async with server:
                crowd = Crowd(side, server)
                await crowd.open(pages)
                await asyncio.sleep(_SETTLE_S)
                yield _Stage(server, crowd, side, log, hooks, bystander)
                server.kill()
        except BenchmarkFailed as failure:
            raise BenchmarkFailed(f"{side.name}: {failure}\n{server.log_end()}") from failure


def _said(storm: Storm) -> Storm:
    print(
        f"{storm.pages} {storm.what}: late by {storm.longest_s * 1000:.0f} ms at worst "
        f"(machine {storm.noise_s * 1000:.0f} ms), {storm.done} done after {storm.seconds:.1f} s",
        file=sys.stderr,
        flush=True,
    )
    return storm
