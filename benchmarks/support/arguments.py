"""What the command lines of the benchmarks have in common."""

import argparse
from pathlib import Path

from benchmarks.support.process import RESULTS


def command_line(name: str, doc: str | None) -> argparse.ArgumentParser:
    """The command line of a benchmark: `--json`, to which it adds what is its own."""
    parser = argparse.ArgumentParser(prog=f"dev.py bench {name}", description=doc)
    parser.add_argument(
        "--json",
        type=Path,
        default=RESULTS / f"{name}.json",
        help="where the figures go (benchmarks/results/); the plot beside",
    )
    return parser


def positive(text: str) -> int:
    """A number of things to do: 1 or more.

    Raises:
        argparse.ArgumentTypeError, ValueError: it is not.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it has to be at least 1")
    return number
