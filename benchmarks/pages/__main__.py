"""Ten thousand pages in one process: what each keeps, what a click among them costs, storms, limits; Solara beside.

Run it by `python3 dev.py bench pages`; `docs/benchmarks.md` says how to read it.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.pages import blocked, limits, many, neighbours, report, storms
from benchmarks.pages.crowd import dial
from benchmarks.support import machine
from benchmarks.support.arguments import command_line, positive
from benchmarks.support.plot import Panel
from benchmarks.support.process import BenchmarkFailed, Bystander
from benchmarks.support.sides import Ours, Side, Solara

_HERE = Path(__file__).parent
_SIZES = (10, 100, 1000)
_SPARE_FILES = 200
Found = dict[str, object]
Part = Callable[[argparse.Namespace, Path], Awaitable[tuple[Found, list[Panel]]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; 0, or 1 where something failed and there are no figures."""
    options = _parser().parse_args(arguments)
    try:
        _allow_open_files(max(options.pages, options.storm, limits.DRAINED) + _SPARE_FILES)
        found, panels = asyncio.run(_parts(options))
    except BenchmarkFailed as failure:
        print(f"pages: {failure}", file=sys.stderr)
        return 1
    machine.publish("pages", [found], options.json, panels, pages=options.pages, load=machine.load())
    return 0


async def _parts(options: argparse.Namespace) -> tuple[Found, list[Panel]]:
    """The figures of each part, and what of them is drawn."""
    found: Found = {}
    panels: list[Panel] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only or _PARTS:
            found[name], drawn = await _PARTS[name](options, Path(folder, "server.log"))
            panels += drawn
    return found, panels


async def _many(options: argparse.Namespace, log: Path) -> tuple[Found, list[Panel]]:
    smaller = [size for size in _SIZES if size < options.pages]
    sizes = await many.measure(Ours(_HERE, dial), log, [*smaller, options.pages], options.seconds)
    bare = many.bare(options.pages)
    _show(report.many(sizes, bare))
    cost = report.cost(sizes)
    _show(cost.table)
    return {"sizes": [asdict(size) for size in sizes], "bare": asdict(bare)}, [cost.panel]


async def _storms(options: argparse.Namespace, log: Path) -> tuple[Found, list[Panel]]:
    with Bystander() as bystander:
        found = await storms.measure(options.storm, bystander)
    shown = report.storms(found)
    _show(shown.table)
    return {"storms": [asdict(storm) for storm in found]}, [shown.panel]


async def _blocked(options: argparse.Namespace, log: Path) -> tuple[Found, list[Panel]]:
    echoes = await blocked.share_of_the_gil(log)
    sides: list[Side] = [Ours(_HERE, dial), Solara(_HERE, dial)]
    found = {side.name: await blocked.measure(side, log) for side in sides}
    exhausted = await blocked.exhausted(sides[0], log)
    _show(report.blocked(found, echoes, exhausted))
    plain = {name: {kind: asdict(each) for kind, each in figures.items()} for name, figures in found.items()}
    floor = {name: asdict(each) for name, each in echoes.items()}
    return {**plain, "floor": floor, "exhausted": asdict(exhausted)}, []


async def _neighbours(options: argparse.Namespace, log: Path) -> tuple[Found, list[Panel]]:
    found = await neighbours.measure(log, options.turns, options.turn_seconds)
    shown = report.neighbours(found)
    _show(shown.table)
    return {"neighbours": [asdict(each) for each in found]}, [shown.panel]


async def _limits(options: argparse.Namespace, log: Path) -> tuple[Found, list[Panel]]:
    drain, full = await limits.drain(), await limits.full()
    _show(report.limits(drain, full))
    return {"drain": asdict(drain), "full": asdict(full)}, []


async def _peer(options: argparse.Namespace, log: Path) -> tuple[Found, list[Panel]]:
    sides: list[Side] = [Ours(_HERE, dial), Solara(_HERE, dial)]
    found: dict[str, list[report.Peer]] = {side.name: [] for side in sides}
    for number in range(options.rounds):
        bare = many.bare(options.peer_pages)
        # Each goes first every other time: what wears on during a run, such as heat, wears on both.
        for side in sides if number % 2 == 0 else sides[::-1]:
            (size,) = await many.measure(side, log, [options.peer_pages], options.seconds)
            found[side.name].append(report.Peer(size, bare))
    shown = report.peers(found[Ours.name], found[Solara.name])
    _show(shown.table)
    return {name: [asdict(each) for each in rounds] for name, rounds in found.items()}, [shown.panel]


_PARTS: dict[str, Part] = {
    "many": _many,
    "storms": _storms,
    "blocked": _blocked,
    "neighbours": _neighbours,
    "limits": _limits,
    "peer": _peer,
}


def _show(table: str) -> None:
    print(f"{table}\n", flush=True)


def _allow_open_files(wanted: int) -> None:
    """Let this process, and the servers that it starts, have as many open files as the system allows.

    Raises:
        BenchmarkFailed: those are too few.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise BenchmarkFailed(f"the system allows {hard} open files, and {wanted} are needed: fewer --pages will do")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else hard, hard))


def _parser() -> argparse.ArgumentParser:
    parser = command_line("pages", __doc__)
    parser.add_argument("--pages", type=positive, default=10_000, help="how many pages of ours (%(default)s)")
    parser.add_argument("--storm", type=positive, default=5_000, help="how many of them in a storm (%(default)s)")
    parser.add_argument("--peer-pages", type=positive, default=300, help="how many beside Solara (%(default)s)")
    parser.add_argument("--rounds", type=positive, default=3, help="how often beside Solara (%(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="for how long clicks are measured (%(default)s)")
    parser.add_argument(
        "--turns", type=positive, default=8, help="with a page that behaves badly, and without (%(default)s)"
    )
    parser.add_argument("--turn-seconds", type=float, default=3.0, help="for how long each (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=_PARTS, help="some parts only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
