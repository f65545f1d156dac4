"""How long one move of a slider takes through the real server: ours, Solara, and a bare Starlette echo.

Run it by `python3 dev.py bench roundtrip`; `docs/benchmarks.md` says how to read it.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.support import machine
from benchmarks.support.arguments import command_line, positive
from benchmarks.support.client import Channel
from benchmarks.support.figures import Spread, ratios
from benchmarks.support.plot import Bar, Report, compared
from benchmarks.support.process import ROOT, BenchmarkFailed, Served, clean_environment
from benchmarks.support.rawsocket import RawSocket
from benchmarks.support.sides import Ours, Side, Solara
from benchmarks.support.stream import Stream
from benchmarks.support.table import render, shown

_HERE = Path(__file__).parent
_ECHO = "echo"
_ECHO_COMMAND = ["uvicorn.main:main", "benchmarks.roundtrip.echo:app", "--port", "0", "--ws", "websockets-sansio"]
_ECHO_BYTES = 2000  # what ours sends for an answer
_RATE = 50.0
_WARM_UP = 200
_WARM_UP_S = 3.0
_LONGEST_S = 15.0
_FEWEST = 100
_SETTLE_S = 2.0
_US = 1e6


@dataclass(frozen=True, slots=True)
class Moves:
    """Many moves, one after the other."""

    p50_us: float
    p99_us: float
    cpu_us: float
    """Processor time of the server per move; of everything that it did meanwhile."""
    pages_per_s: float = 0.0
    """How many pages came and went in a second meanwhile."""


Round = dict[str, Moves]


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; 0, or 1 where something failed and there are no figures."""
    options = _parser().parse_args(arguments)
    try:
        rounds = asyncio.run(_rounds(options.rounds, options.moves))
    except BenchmarkFailed as failure:
        print(f"roundtrip: {failure}", file=sys.stderr)
        return 1
    found = report(rounds)
    print(found.table)
    plain = [{name: asdict(moves) for name, moves in each.items()} for each in rounds]
    machine.publish("roundtrip", plain, options.json, [found.panel], moves=options.moves)
    return 0


def report(rounds: Sequence[Round]) -> Report:
    """The median of all rounds and from the lowest to the highest; ratios are of one round each."""
    head = [f"{len(rounds)} rounds", _ECHO, Ours.name, Solara.name, "Solara's in ours", "ours in the echo's"]
    rows, bars = [], []
    for words, suffix in (("alone", ""), ("while pages come and go", ", churn")):
        for label, field in (("median", "p50_us"), ("p99", "p99_us"), ("server's CPU", "cpu_us")):
            echo, ours, theirs = (
                [getattr(each[name], field) for each in rounds]
                for name in (_ECHO, f"{Ours.name}{suffix}", f"{Solara.name}{suffix}")
            )
            # The server's CPU is also that of the pages that come and go, and so nothing to compare.
            if suffix and field == "cpu_us":
                continue
            figures = [shown(Spread.of(values)) for values in (echo, ours, theirs)]
            bars.append(Bar(f"{label}, {words}, us", ratios(theirs, ours, floor=1)))
            rows.append([bars[-1].label, *figures, shown(bars[-1].value), shown(ratios(ours, echo, floor=1))])
    churned = [
        shown(Spread.of([each[f"{name}, churn"].pages_per_s for each in rounds])) for name in (Ours.name, Solara.name)
    ]
    table = render(head, [*rows, ["pages that came and went in a second", "", *churned, "", ""]])
    return Report(table, compared(f"one move of a slider, {len(rounds)} rounds", bars))


async def _rounds(count: int, moves: int) -> list[Round]:
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "server.log")
        for number in range(count):
            result: Round = {_ECHO: await _echo(log, moves)}
            sides: list[Side] = [Ours(_HERE, _dial), Solara(_HERE, _dial)]
            for side in sides if number % 2 == 0 else sides[::-1]:
                result.update(await _side(side, log, moves))
            rounds.append(result)
            figures = ", ".join(f"{name} {each.p50_us:.0f}/{each.p99_us:.0f} us" for name, each in result.items())
            print(f"round {number + 1}: {figures} (load {machine.load():g})", file=sys.stderr, flush=True)
    return rounds


async def _echo(log: Path, moves: int) -> Moves:
    async with _served(_ECHO_COMMAND, log) as server:
        socket = RawSocket.connect(f"ws://{server.host}:{server.port}/")
        message = "x" * _ECHO_BYTES

        def move(_number: int) -> None:
            socket.put(message)
            socket.take()

        return _measure(server, move, moves)


async def _side(side: Side, log: Path, moves: int) -> Round:
    async with _served(side.command, log, side) as server:
        page = await side.connect(server)
        socket = page.channel.socket
        if not isinstance(socket, RawSocket):
            raise BenchmarkFailed("the page was not opened by a RawSocket")

        def move(number: int) -> None:
            value = number % 100
            data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
            message = page.channel.encode("comm_msg", {"comm_id": page.slider, "data": data})
            wanted = f'"{value} squared is {value**2}"'.encode()
            socket.put(message)
            while wanted not in socket.take():
                pass

        # What comes when nobody has moved anything: what the page's opening has left to do.
        await asyncio.sleep(_SETTLE_S)
        alone = _measure(server, move, moves)
        churn = _churn(side, server)
        await asyncio.sleep(_SETTLE_S)
        busy = _measure(server, move, moves)
        churned, _ = churn.communicate("")
        busy = Moves(busy.p50_us, busy.p99_us, busy.cpu_us, float(churned))
    return {side.name: alone, f"{side.name}, churn": busy}


def _measure(server: Served, move: Callable[[int], None], moves: int) -> Moves:
    _moves(move, _WARM_UP, _WARM_UP_S)
    before = server.cpu_s()
    times = _moves(move, moves, _LONGEST_S)
    cpu = (server.cpu_s() - before) / len(times)
    percent = statistics.quantiles(times, n=100)
    return Moves(percent[49] * _US, percent[98] * _US, cpu * _US)


def _moves(move: Callable[[int], None], moves: int, longest_s: float) -> list[float]:
    """How long each took; fewer of them where a server is slow, but enough for a percentile."""
    times: list[float] = []
    until = time.perf_counter() + longest_s
    while len(times) < moves and (time.perf_counter() < until or len(times) < _FEWEST):
        begun = time.perf_counter()
        move(len(times))
        times.append(time.perf_counter() - begun)
    return times


@asynccontextmanager
async def _served(command: list[str], log: Path, side: Side | None = None) -> AsyncIterator[Served]:
    server = Served(command, log, {} if side is None else side.env)
    try:
        async with server:
            yield server
    except BenchmarkFailed as failure:
        raise BenchmarkFailed(f"{command[0]}: {failure}\n{server.log_end()}") from failure


def _churn(side: Side, server: Served) -> "subprocess.Popen[str]":
    arguments = [side.name, server.host, str(server.port), str(_RATE)]
    command = [sys.executable, "-m", "benchmarks.roundtrip.churn", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


async def _dial(url: str, cookies: str, stream: Stream | None) -> Channel:
    return Channel(RawSocket.connect(url, cookies, stream), stream)


def _parser() -> argparse.ArgumentParser:
    parser = command_line("roundtrip", __doc__)
    parser.add_argument("--rounds", type=positive, default=5, help="how often each side is measured (%(default)s)")
    parser.add_argument("--moves", type=positive, default=2000, help="how many moves per measurement (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
