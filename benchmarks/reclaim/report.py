"""The table of the rounds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.reclaim.round import GRACE_S, REST_S, Round
from benchmarks.support.figures import Spread, ratios
from benchmarks.support.lateness import TICK_S
from benchmarks.support.plot import Bar, Report, compared
from benchmarks.support.sides import Ours, Solara
from benchmarks.support.table import render, shown

_GRACE = f"{GRACE_S * 1000:.0f} ms after the last close"
_REST = f"{REST_S:g} s later"


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    figure: Callable[[Round], float]
    unit: str
    floor: float | None
    """The smallest difference that is more than noise, in the unit of the figure; None where a ratio says nothing."""

    def cells(self, ours: Sequence[Round], theirs: Sequence[Round]) -> tuple[list[str], Bar | None]:
        """Its line in the table, and its bar where it has a ratio."""
        mine, other = ([self.figure(each) for each in rounds] for rounds in (ours, theirs))
        label = f"{self.label}, {self.unit}"
        bar = None if self.floor is None else Bar(label, ratios(other, mine, floor=self.floor))
        return [label, shown(Spread.of(mine)), shown(Spread.of(other)), "" if bar is None else shown(bar.value)], bar


_ROWS = (
    _Row("in use per open kernel", lambda r: r.used_mib(r.opened) * 1024 / r.found["contexts"], "KiB", 1),
    _Row(f"still in use, {_GRACE}", lambda r: r.used_mib(r.closed), "MiB", 0.1),
    _Row(f"still in use, {_REST}", lambda r: r.used_mib(r.rested), "MiB", 0.1),
    _Row("still in use, after a full collection", lambda r: r.used_mib(r.collected), "MiB", 0.1),
    _Row("process, per open kernel", lambda r: r.held_mib(r.opened) * 1024 / r.found["contexts"], "KiB", 1),
    _Row(f"process, {_GRACE}", lambda r: r.held_mib(r.closed), "MiB", 0.1),
    _Row(f"process, {_REST}", lambda r: r.held_mib(r.rested), "MiB", 0.1),
    _Row("longest pause of the loop while they close", lambda r: r.pause_s * 1000, "ms", TICK_S * 1000),
    _Row("the same of an idle process beside it", lambda r: r.noise_s * 1000, "ms", None),
    _Row(f"longest pause in the {REST_S:g} s after", lambda r: r.pause_after_s * 1000, "ms", TICK_S * 1000),
    _Row("from the first beacon to the last close", lambda r: r.close_s, "s", 0.01),
    _Row("a full collection at the end", lambda r: r.collect_s * 1000, "ms", 1),
)
_KINDS = ("contexts", "kernels", "shells", "sliders")


def report(rounds: Sequence[Round], *, kernels: int) -> Report:
    """The figures of all rounds: the median, and from the lowest to the highest."""
    ours, theirs = ([each for each in rounds if each.side == side.name] for side in (Ours, Solara))
    title = f"{kernels} kernels, {len(ours)} rounds each"
    head = [title, Ours.name, Solara.name, "ratio"]
    cells = [row.cells(ours, theirs) for row in _ROWS]
    rows = [line for line, _ in cells]
    for moment, words in ((_closed, _GRACE), (_rested, _REST)):
        rows += [
            [f"{kind} alive, {words}", *(_alive(side, kind, moment) for side in (ours, theirs)), ""] for kind in _KINDS
        ]
    widgets = [shown(Spread.of([each.found["widgets"] / kernels for each in side])) for side in (ours, theirs)]
    threads = [shown(Spread.of([each.opened.threads for each in side])) for side in (ours, theirs)]
    rows += [["widgets per page", *widgets, ""], ["threads with all pages open", *threads, ""]]
    return Report(render(head, rows), compared(f"{title}: what closing them leaves", [bar for _, bar in cells if bar]))


def _closed(each: Round) -> dict[str, int]:
    return each.closed.alive


def _rested(each: Round) -> dict[str, int]:
    return each.rested.alive


def _alive(rounds: Sequence[Round], kind: str, moment: Callable[[Round], dict[str, int]]) -> str:
    alive = Spread.of([moment(each).get(kind, 0) for each in rounds])
    return f"{shown(alive)} of {rounds[0].found[kind]}"
