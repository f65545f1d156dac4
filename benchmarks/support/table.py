"""Tables in Markdown: to be read in a terminal, and to be pasted into the documentation."""

import math
from collections.abc import Sequence

from benchmarks.support.figures import Spread


def render(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column stands to the left, the others to the right."""
    widths = [max(len(line[column]) for line in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join([first, *others])} |"

    rule = [f"{'-' * widths[0]}", *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return "\n".join([line(head), line(rule), *map(line, rows)])


def shown(spread: Spread) -> str:
    """A figure with its spread."""
    if math.isnan(spread.median):
        return "unknown"
    median, low, high = (digits(value) for value in (spread.median, spread.low, spread.high))
    return median if low == high else f"{median} ({low} to {high})"


def digits(value: float) -> str:
    """Three digits that mean something, and no more."""
    size = abs(value)
    return f"{value:.0f}" if size >= 100 or value == int(value) else f"{value:.1f}" if size >= 10 else f"{value:.2f}"
