"""Memory over the run, as an SVG picture."""

import math
from collections.abc import Sequence
from html import escape

from solara_ctx.leakcheck.results import Measure, Verdict
from solara_ctx.leakcheck.trend import later
from solara_ctx.leakcheck.words import size

WIDTH, HEIGHT = 760, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 54, 46, 46
_BLUE, _RED, _GREEN, _GREY, _INK = "#2563ab", "#c0392b", "#2e8b57", "#8894a3", "#1f2933"
_MEGA = 1_000_000
_FONT = "font-family='system-ui,-apple-system,Segoe UI,Roboto,sans-serif'"


def memory_chart(verdict: Verdict, title: str) -> str:
    """The measures of a verdict's series, the line fitted to the later part, and what closed kernels stay."""
    measures = verdict.series.measures
    axes = _Axes(measures)
    color = _RED if verdict.leaking else _GREEN
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}'",
        f"role='img' {_FONT}>",
        f"<title>{escape(title)}</title>",
        _text(_LEFT, 22, title, _INK, points=14, weight=600),
        *_grid(axes, verdict.series.unit),
        *_bars(axes, measures),
        *_fit(axes, verdict, color),
        *_line(axes, measures),
        "</svg>",
    ]
    return "\n".join(parts)


class _Axes:
    """From sessions and bytes to the picture's coordinates."""

    def __init__(self, measures: Sequence[Measure]) -> None:
        uses = [measure.uss for measure in measures]
        self.first, self.last = measures[0].done, max(measures[-1].done, measures[0].done + 1)
        # At least two megabytes high: noise of a few pages must not look like a mountain.
        middle, span = (min(uses) + max(uses)) / 2, max(max(uses) - min(uses), 2 * _MEGA)
        self.step = _round_step(span / 4)
        self.low = math.floor((middle - span * 0.6) / self.step) * self.step
        self.high = math.ceil((middle + span * 0.6) / self.step) * self.step
        self.most_kept = max(measure.kept for measure in measures)

    def x(self, done: float) -> float:
        """Where that many sessions are."""
        return _LEFT + 12 + (done - self.first) / (self.last - self.first) * (WIDTH - _LEFT - _RIGHT - 24)

    def y(self, uss: float) -> float:
        """Where that many bytes are."""
        return HEIGHT - _BOTTOM - (uss - self.low) / (self.high - self.low) * (HEIGHT - _TOP - _BOTTOM)


def _round_step(rough: float) -> float:
    magnitude: float = 10.0 ** math.floor(math.log10(rough))
    return next(each * magnitude for each in (1, 2, 5, 10) if each * magnitude >= rough)


def _grid(axes: _Axes, unit: str) -> list[str]:
    lines = []
    level = axes.low
    while level <= axes.high + axes.step / 2:
        y = axes.y(level)
        lines.append(f"<line x1='{_LEFT}' x2='{WIDTH - _RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='#e4e8ee'/>")
        shown = f"{level / _MEGA:.1f}" if axes.step < _MEGA else f"{level / _MEGA:.0f}"
        lines.append(_text(_LEFT - 8, y + 4, shown, _GREY, "end"))
        level += axes.step
    lines.append(_text(_LEFT - 8, _TOP - 12, "MB", _GREY, "end"))
    lines.append(_text((WIDTH + _LEFT - _RIGHT) / 2, HEIGHT - 8, f"{unit}s", _GREY, "middle"))
    return lines


def _bars(axes: _Axes, measures: Sequence[Measure]) -> list[str]:
    if not axes.most_kept:
        return []
    bottom, room = HEIGHT - _BOTTOM, HEIGHT - _TOP - _BOTTOM
    bars = []
    for measure in measures:
        height = measure.kept / axes.most_kept * room * 0.9
        bars.append(
            f"<rect x='{axes.x(measure.done) - 9:.1f}' y='{bottom - height:.1f}' width='18' height='{height:.1f}' "
            f"fill='{_RED}' opacity='.13'/>"
        )
    bars.append(_text(WIDTH - _RIGHT + 4, bottom - room * 0.9 + 4, str(axes.most_kept), _RED))
    bars.append(_text(WIDTH - _RIGHT, 22, "bars: closed kernels that are still there", _RED, "end"))
    return bars


def _fit(axes: _Axes, verdict: Verdict, color: str) -> list[str]:
    slope, measures = verdict.slope, verdict.series.measures
    if slope is None:
        return []
    begin, end = measures[later([measure.uss for measure in measures])].done, measures[-1].done
    y0, y1 = axes.y(slope.at(begin)), axes.y(slope.at(end))
    line = f"<line x1='{axes.x(begin):.1f}' y1='{y0:.1f}' x2='{axes.x(end):.1f}' y2='{y1:.1f}' "
    return [
        f"{line} stroke='{color}' stroke-width='6' stroke-linecap='round' opacity='.35'/>",
        _text(_LEFT, _TOP - 6, slope_in_words(verdict), color, points=12, weight=600),
    ]


def slope_in_words(verdict: Verdict) -> str:
    """The fitted slope with its confidence."""
    slope, unit = verdict.slope, verdict.series.unit
    if slope is None:
        return "too few measures for a slope"
    if math.isinf(slope.low):
        return f"{size(slope.value)} per {unit} (too few measures for a confidence)"
    return f"{size(slope.value)} per {unit} (95 % confidence: {size(slope.low)} to {size(slope.high)})"


def _line(axes: _Axes, measures: Sequence[Measure]) -> list[str]:
    points = [(axes.x(measure.done), axes.y(measure.uss)) for measure in measures]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return [
        f"<polyline points='{path}' fill='none' stroke='{_BLUE}' stroke-width='2'/>",
        *(
            f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='#fff' stroke='{_BLUE}' stroke-width='2'/>"
            for x, y in points
        ),
        *(
            _text(x, HEIGHT - _BOTTOM + 16, str(measure.done), _GREY, "middle")
            for (x, _), measure in zip(points, measures, strict=True)
        ),
    ]


def _text(
    x: float, y: float, text: str, color: str, anchor: str = "start", *, points: int = 11, weight: int = 400
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{points}' font-weight='{weight}' text-anchor='{anchor}' "
        f"fill='{color}'>{escape(text)}</text>"
    )
