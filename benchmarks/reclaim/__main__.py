"""What is still held after 200 kernels were closed, and how long the server stood still: ours beside Solara.

Run it by `python3 dev.py bench reclaim`; `docs/benchmarks.md` says how to read it.
"""

import argparse
import asyncio
import datetime as dt
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.reclaim.report import report
from benchmarks.reclaim.round import Round, measure
from benchmarks.reclaim.sides import Ours, Side, Solara
from benchmarks.support import machine
from benchmarks.support.process import ROOT, BenchmarkFailed, Bystander


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; 0, or 1 where something failed and there are no figures."""
    options = _parser().parse_args(arguments)
    try:
        rounds = asyncio.run(_all_rounds(options.rounds, options.kernels))
    except BenchmarkFailed as failure:
        print(f"reclaim: {failure}", file=sys.stderr)
        return 1
    when = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    print(report(rounds, kernels=options.kernels))
    facts = {"when": when, "kernels": options.kernels, "machine": machine.facts(), "versions": machine.versions()}
    print("\n" + ", ".join(f"{name} {version}" for name, version in machine.versions().items()))
    print(", ".join(f"{name}: {value}" for name, value in machine.facts().items()))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({**facts, "rounds": [each.as_json() for each in rounds]}, indent=2) + "\n")
    return 0


async def _all_rounds(count: int, kernels: int) -> list[Round]:
    sides: list[Side] = [Ours(), Solara()]
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as folder, Bystander() as bystander:
        for number in range(count):
            # Each goes first every other time: what wears on during a run, such as heat, wears on both.
            for side in sides if number % 2 == 0 else sides[::-1]:
                result = await measure(side, bystander, number=number, kernels=kernels, log=Path(folder, "server.log"))
                rounds.append(result)
                print(result.line(), file=sys.stderr, flush=True)
    return rounds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py bench reclaim", description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=5, help="how often each side is measured (%(default)s)")
    parser.add_argument("--kernels", type=_positive, default=200, help="how many pages are opened (%(default)s)")
    default = ROOT / "build" / "benchmarks" / "reclaim.json"
    parser.add_argument("--json", type=Path, default=default, help="where the figures go (build/benchmarks/)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it has to be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
