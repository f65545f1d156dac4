"""One page that behaves badly: how long the answers to twenty others take, with it and without, in turns.

It has a process of its own, on the same two processors.  What of the others' loss is the machine's is shown by the same
page at another server.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pages.crowd import Answers, Crowd, dial
from benchmarks.pages.rude import MANNERS
from benchmarks.support.figures import Spread, ratios
from benchmarks.support.process import ROOT, BenchmarkFailed, Served, clean_environment
from benchmarks.support.sides import ONE_ADDRESS, Ours

PAGES = 20
RATE = 200.0
_SETTLE_S = 0.5
_LOOK_S = 0.02
_US = 1e-6


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What one of them does to the others."""

    manner: str
    elsewhere: bool
    """Whether it did that to another server."""
    without: Answers
    meanwhile: Answers
    """Of all turns together."""
    p50_ratio: Spread
    """Turn by turn."""
    p99_ratio: Spread
    sent_per_s: float
    ends: dict[str, int]
    """How often it lost its connection, by code and reason."""
    longest_memory: int
    """How many bytes more the server had at most than before."""


async def measure(log: Path, turns: int, seconds: float) -> list[Neighbour]:
    """Each manner, at this server; and the worst at another one."""
    plan = [(manner, False) for manner in MANNERS] + [("floods, back at once", True)]
    return [await _neighbour(manner, log, turns, seconds, elsewhere=elsewhere) for manner, elsewhere in plan]


async def _neighbour(manner: str, log: Path, turns: int, seconds: float, *, elsewhere: bool) -> Neighbour:
    side = Ours(Path(__file__).parent, dial)
    try:
        async with AsyncExitStack() as stack:
            # The settings that we ship: here the limits are what is measured.
            server = await stack.enter_async_context(Served(side.command, log, ONE_ADDRESS))
            other = server
            if elsewhere:
                other = await stack.enter_async_context(Served(side.command, log.with_suffix(".other"), ONE_ADDRESS))
            crowd = Crowd(side, server)
            await crowd.open(PAGES)
            with _rude(other, manner) as rude, _watched(server) as memory:
                return await _turns(manner, crowd, rude, memory, turns, seconds, elsewhere=elsewhere)
    except BenchmarkFailed as failure:
        raise BenchmarkFailed(f"{manner}: {failure}") from failure


class _Memory:
    """The most that a server has had since the beginning."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._first = self.most = server.rss()

    @property
    def more(self) -> int:
        return self.most - self._first

    def watch(self, ended: threading.Event) -> None:
        while not ended.wait(_LOOK_S):
            self.most = max(self.most, self._server.rss())


class _Rude:
    """It, in its process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.read()

    def toggle(self) -> dict[str, object]:
        """Let it begin, or cease: what has become of it so far."""
        if self._process.stdin is None:
            raise BenchmarkFailed("the process was started without pipes")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, object]:
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise BenchmarkFailed("the page that behaves badly has ended")
        answer: dict[str, object] = json.loads(line)
        return answer


async def _turns(
    manner: str, crowd: Crowd, rude: _Rude, memory: _Memory, turns: int, seconds: float, *, elsewhere: bool
) -> Neighbour:
    await crowd.click(RATE, 1.0)
    without: list[list[float]] = []
    meanwhile: list[list[float]] = []
    rude_s, said = 0.0, {}
    for _ in range(turns):
        without.append(await crowd.times(RATE, seconds))
        begun = time.perf_counter()
        await asyncio.to_thread(rude.toggle)
        await asyncio.sleep(_SETTLE_S)
        meanwhile.append(await crowd.times(RATE, seconds))
        said = await asyncio.to_thread(rude.toggle)
        rude_s += time.perf_counter() - begun
        await asyncio.sleep(_SETTLE_S)
    turn_by_turn = [(Answers.of(each), Answers.of(other)) for each, other in zip(without, meanwhile, strict=True)]
    ends = said["ends"]
    return _said(
        Neighbour(
            manner,
            elsewhere,
            Answers.of([each for times in without for each in times]),
            Answers.of([each for times in meanwhile for each in times]),
            ratios([other.p50 for _, other in turn_by_turn], [each.p50 for each, _ in turn_by_turn], floor=_US),
            ratios([other.p99 for _, other in turn_by_turn], [each.p99 for each, _ in turn_by_turn], floor=_US),
            float(str(said["sent"])) / rude_s,
            {str(end): int(count) for end, count in ends.items()} if isinstance(ends, dict) else {},
            memory.more,
        )
    )


@contextmanager
def _rude(server: Served, manner: str) -> Iterator[_Rude]:
    command = [sys.executable, "-m", "benchmarks.pages.rude", server.host, str(server.port), manner]
    with subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _Rude(process)
        finally:
            process.kill()


@contextmanager
def _watched(server: Served) -> Iterator[_Memory]:
    memory, ended = _Memory(server), threading.Event()
    thread = threading.Thread(target=memory.watch, args=(ended,), daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()


def _said(each: Neighbour) -> Neighbour:
    where = " another server" if each.elsewhere else ""
    without, meanwhile = (
        f"{times.p50 * 1000:.2f}/{times.p99 * 1000:.2f} ms" for times in (each.without, each.meanwhile)
    )
    print(
        f"one page {each.manner}{where}: the others' answers {without} without, {meanwhile} with it; "
        f"{each.sent_per_s:.0f} messages a second, ends {each.ends}, {each.longest_memory / 1e6:.0f} MB more",
        file=sys.stderr,
        flush=True,
    )
    return each
