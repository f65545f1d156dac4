"""What is still held after 200 kernels were closed, and how long the server stood still: ours beside Solara.

Run it by `python3 dev.py bench reclaim`; `docs/benchmarks.md` says how to read it.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.reclaim.report import report
from benchmarks.reclaim.round import Round, measure
from benchmarks.support import machine
from benchmarks.support.arguments import command_line, positive
from benchmarks.support.process import BenchmarkFailed, Bystander
from benchmarks.support.sides import Ours, Side, Solara


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; 0, or 1 where something failed and there are no figures."""
    options = _parser().parse_args(arguments)
    try:
        rounds = asyncio.run(_all_rounds(options.rounds, options.kernels))
    except BenchmarkFailed as failure:
        print(f"reclaim: {failure}", file=sys.stderr)
        return 1
    found = report(rounds, kernels=options.kernels)
    print(found.table)
    plain = [each.as_json() for each in rounds]
    machine.publish("reclaim", plain, options.json, [found.panel], kernels=options.kernels)
    return 0


async def _all_rounds(count: int, kernels: int) -> list[Round]:
    pages = Path(__file__).parent
    sides: list[Side] = [Ours(pages), Solara(pages)]
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
    parser = command_line("reclaim", __doc__)
    parser.add_argument("--rounds", type=positive, default=5, help="how often each side is measured (%(default)s)")
    parser.add_argument("--kernels", type=positive, default=200, help="how many pages are opened (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
