"""Plots of what the tables say, as SVG: bars of figures that are compared, and lines over the size of something.

matplotlib is asked for only when something is drawn, so that everything else works without it.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from benchmarks.support.figures import Spread
from benchmarks.support.table import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]

# Of the colours of Okabe and Ito, which colour-blind people can tell apart. For paper without colours, lines differ in
# their strokes and marks too. What lies below is white, so that the page around it may be dark.
_BLUE, _RED, _INK, _PALE = "#0072B2", "#D55E00", "#222222", "#D0D0D0"
_STROKES = ((_BLUE, "o-"), (_RED, "s--"))
_WIDTH_IN, _HEAD_IN, _ROW_IN, _LINES_IN = 9.0, 1.0, 0.32, 3.0
_PAD_IN = 0.1
_STEPS = (1, 2, 5)
_SMALL_PRINT = 6.5
_SMALL_PRINT_LETTERS = 170
_ABOVE = 0.4  # of a row
_GAP = 5  # points between the end of a bar and its value


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure.

    Args:
        bound: What is wanted of it; None where nothing is promised.
    """

    label: str
    value: Spread
    bound: float | None = None

    @property
    def places(self) -> tuple[float, ...]:
        """All that it has on the axis."""
        spread = (self.value.median, self.value.low, self.value.high)
        return spread if self.bound is None else (*spread, self.bound)


@dataclass(frozen=True, slots=True)
class Bars:
    """A row for each figure, on a logarithmic axis: the bar goes from 1 to the median."""

    title: str
    axis: str
    unit: str
    rows: Sequence[Bar]

    def drawn(self) -> list[Bar]:
        """The rows that have a place on the axis; an unknown figure has none."""
        return [row for row in self.rows if all(map(_has_place, row.places))]

    def ends(self) -> Point:
        """From where to where the axis goes, with room for the values beside the bars."""
        # To 2 at least: what is hardly more than 1 shall not look like much.
        places = [1.0, 2.0, *(place for row in self.drawn() for place in row.places)]
        low, high = min(places), max(places)
        room = (high / low) ** 0.12
        return (low / room if low < 1 else 1.0), high * room

    @property
    def height_in(self) -> float:
        return _HEAD_IN + _ROW_IN * len(self.drawn())

    def draw(self, axes: "Axes") -> None:
        """With matplotlib."""
        rows = self.drawn()
        axes.barh(range(len(rows)), [row.value.median - 1 for row in rows], left=1, height=0.62, color=_BLUE, zorder=2)
        for number, row in enumerate(rows):
            self._draw_marks(axes, number, row)
        axes.axvline(1, color=_INK, linewidth=0.8, zorder=3)
        axes.set_yticks(range(len(rows)), [row.label for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.4, -0.6 - _ABOVE / 2)  # the first row at the top
        axes.grid(visible=False, axis="y")
        axes.set_xscale("log")
        axes.set_xlim(*self.ends())
        _number(axes, "x")
        axes.set_xlabel(self.axis)

    def _draw_marks(self, axes: "Axes", number: int, row: Bar) -> None:
        value, bound = row.value, row.bound
        if value.low < value.high:
            axes.plot([value.low, value.high], [number, number], color=_INK, marker="|", markersize=7, zorder=4)
        if bound is not None:
            # Above the row's middle, where the value stands.
            axes.plot([bound], [number - _ABOVE], marker="v", markersize=7, color=_RED, markeredgecolor=_INK, zorder=5)
        is_left = value.median < 1
        axes.annotate(
            f"{digits(value.median)}{self.unit}",
            (value.low if is_left else value.high, number),
            (-_GAP if is_left else _GAP, 0),
            textcoords="offset points",
            ha="right" if is_left else "left",
            va="center",
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One figure at each size."""

    label: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Lines:
    """Figures by the size of something, both axes logarithmic: what does not grow with it lies flat."""

    title: str
    axis: str
    lines: Sequence[Line]
    height_in: ClassVar[float] = _LINES_IN

    def drawn(self) -> list[Line]:
        """Without the points that have no place on the axes, and the lines that have no point then."""
        lines = [
            Line(line.label, [point for point in line.points if all(map(_has_place, point))]) for line in self.lines
        ]
        return [line for line in lines if line.points]

    def draw(self, axes: "Axes") -> None:
        """With matplotlib."""
        for line, (colour, stroke) in zip(self.drawn(), _STROKES, strict=False):
            axes.plot(*zip(*line.points, strict=True), stroke, color=colour, label=line.label)
        axes.set_xscale("log")
        axes.set_yscale("log")
        _number(axes, "x")
        _number(axes, "y")
        axes.set_xlabel(self.axis)
        axes.legend(frameon=False)


Panel = Bars | Lines


@dataclass(frozen=True, slots=True)
class Report:
    """A table, and what of it is drawn."""

    table: str
    panel: Panel


def compared(title: str, rows: Sequence[Bar]) -> Bars:
    """Of ratios: how many times ours each figure of Solara's is."""
    axis = "how many times ours Solara's is: median and range"
    if any(row.bound is not None for row in rows):
        axis += "; \N{BLACK DOWN-POINTING TRIANGLE} wanted, at least"
    return Bars(title, axis, "\N{MULTIPLICATION SIGN}", rows)


def write(path: Path, panels: Sequence[Panel], small_print: str) -> str:
    """Draw the panels, one below the other.

    Returns:
        Where the plot is, or why there is none: for who reads the table.
    """
    # One of an earlier run would be taken for that of the figures beside it.
    path.unlink(missing_ok=True)
    panels = [panel for panel in panels if panel.drawn()]
    if not panels:
        return "no plot: of these figures none is drawn"
    if find_spec("matplotlib") is None:
        return "no plot: matplotlib is not installed"
    _draw(path, panels, small_print)
    return f"plot: {path}"


def _draw(path: Path, panels: Sequence[Panel], small_print: str) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415 - see above
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    heights = [panel.height_in for panel in panels]
    layout = ConstrainedLayoutEngine(h_pad=_PAD_IN)
    figure = Figure(figsize=(_WIDTH_IN, sum(heights)), layout=layout, facecolor="white")
    grid = figure.subplots(len(panels), squeeze=False, height_ratios=heights)
    for panel, axes in zip(panels, grid[:, 0], strict=True):
        axes.set_title(panel.title, loc="left", fontweight="bold")
        axes.grid(color=_PALE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        panel.draw(axes)
    figure.supxlabel(textwrap.fill(small_print, _SMALL_PRINT_LETTERS), fontsize=_SMALL_PRINT, color=_INK)
    figure.savefig(path)


def _number(axes: "Axes", which: str) -> None:
    """Ticks with plain numbers: 1, 2, 5, 10 instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator  # noqa: PLC0415

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=_STEPS))
    axis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _has_place(value: float) -> bool:
    return 0 < value < math.inf
