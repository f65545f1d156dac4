"""What a kernel without widgets costs, from its making to its close: ours, Solara's, and ipykernel's alone.

Run it by `python3 dev.py bench kernel`; `docs/benchmarks.md` says how to read it.
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.kernel.sides import SIDES
from benchmarks.support import machine
from benchmarks.support.arguments import command_line, positive
from benchmarks.support.figures import Spread, ratios
from benchmarks.support.plot import Bar, Report, compared
from benchmarks.support.process import ROOT, BenchmarkFailed, clean_environment
from benchmarks.support.table import render, shown

_MS, _KB = "ms", "KB"
Round = dict[str, dict[str, float]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; 0, or 1 where something failed and there are no figures."""
    options = _parser().parse_args(arguments)
    try:
        rounds = [_round(number, options.kernels) for number in range(options.rounds)]
    except BenchmarkFailed as failure:
        print(f"kernel: {failure}", file=sys.stderr)
        return 1
    found = report(rounds)
    print(found.table)
    machine.publish("kernel", rounds, options.json, [found.panel], kernels=options.kernels)
    return 0


def report(rounds: Sequence[Round]) -> Report:
    """The median of all rounds and from the lowest to the highest; ratios are of one round each."""
    title = f"a kernel without widgets, {len(rounds)} rounds"
    head = [title, *SIDES, "Solara's in ours", "ours in the floor's"]
    rows, bars = [], []
    for label, unit, floor in (("made and closed", _MS, 0.001), ("in use while it lives", _KB, 0.1)):
        figures = {side: [each[side][unit] for each in rounds] for side in SIDES}
        ours = figures["solara_ctx"]
        bars.append(Bar(f"{label}, {unit}", ratios(figures["Solara"], ours, floor=floor)))
        rows.append(
            [
                bars[-1].label,
                *(shown(Spread.of(values)) for values in figures.values()),
                shown(bars[-1].value),
                shown(ratios(ours, figures["floor"], floor=floor)),
            ]
        )
    return Report(render(head, rows), compared(title, bars))


def _round(number: int, kernels: int) -> Round:
    # Each goes first in turn.
    order = list(SIDES)[number % len(SIDES) :] + list(SIDES)[: number % len(SIDES)]
    result = {side: _one(side, kernels) for side in order}
    shown_figures = ", ".join(f"{side} {result[side][_MS]:.2f} ms {result[side][_KB]:.1f} KB" for side in SIDES)
    print(f"round {number + 1}: {shown_figures} (load {machine.load():g})", file=sys.stderr, flush=True)
    return result


def _one(side: str, kernels: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.kernel.work", side, str(kernels)]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkFailed(f"{side}: {done.stderr[-3000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return {_MS: found["ms"], _KB: math.nan if found["bytes"] is None else found["bytes"] / 1000}


def _parser() -> argparse.ArgumentParser:
    parser = command_line("kernel", __doc__)
    parser.add_argument("--rounds", type=positive, default=5, help="how often each side is measured (%(default)s)")
    parser.add_argument("--kernels", type=positive, default=300, help="how many kernels per round (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
