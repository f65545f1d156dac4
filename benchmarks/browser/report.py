"""The table: what is measured, beside Solara, and against the bounds that we have set ourselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.browser.measure import Pass
from benchmarks.support.figures import Spread, ratios
from benchmarks.support.plot import Bar, Report, compared
from benchmarks.support.sides import Ours, Solara
from benchmarks.support.table import render, shown


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Args:
        floor: The smallest difference that the measurement can see.
        bound: How many times ours Solara's figure has to be at least; None where nothing is promised.
    """

    label: str
    field: str
    floor: float
    bound: float | None = None


ROWS = (
    Row("cold page to first answered click, ms", "first_answer_ms", 1, 5),
    Row("cold page to interactive, ms", "interactive_ms", 1),
    Row("page to interactive, warm cache, ms", "interactive_warm_ms", 1),
    Row("transferred for a cold page, KB", "transferred_kb", 0.1),
    Row("click to painted answer, median, ms", "painted_p50_ms", 0.1, 2),
    Row("click to painted answer, p99, ms", "painted_p99_ms", 0.1, 2),
    Row("click to answer in the document, median, ms", "seen_p50_ms", 0.1),
    Row("click to answer in the document, p99, ms", "seen_p99_ms", 0.1),
    Row("server's CPU per click, ms", "cpu_per_click_ms", 0.03, 5),
    Row("server's CPU per cold page, ms", "cpu_per_open_ms", 1, 9),
    Row("server's open files per page", "fds_per_page", 0.1, 2),
)


def report(passes: Sequence[Mapping[str, Pass]]) -> Report:
    """The median of all passes and from the lowest to the highest; ratios are of one pass each."""
    head = [f"{len(passes)} passes", Ours.name, Solara.name, "Solara's in ours", "wanted"]
    lines, bars = zip(*(_line(row, passes) for row in ROWS), strict=True)
    title = f"a button and a label in Chromium, {len(passes)} passes"
    return Report(render(head, lines), compared(title, bars))


def _line(row: Row, passes: Sequence[Mapping[str, Pass]]) -> tuple[list[str], Bar]:
    ours, theirs = ([float(getattr(each[side], row.field)) for each in passes] for side in (Ours.name, Solara.name))
    ratio = ratios(theirs, ours, floor=row.floor)
    line = [row.label, shown(Spread.of(ours)), shown(Spread.of(theirs)), shown(ratio), _judged(ratio, row.bound)]
    return line, Bar(row.label, ratio, row.bound)


def _judged(ratio: Spread, bound: float | None) -> str:
    if bound is None:
        return ""
    return f"{bound:g}: {'met' if ratio.median >= bound else 'missed'}"
