"""What of the figures is drawn: one that is left out without reason is not missed."""

import math
from pathlib import Path

import pytest

from benchmarks.kernel.__main__ import report
from benchmarks.pages import report as pages
from benchmarks.pages.storms import Storm
from benchmarks.support.figures import Spread
from benchmarks.support.plot import Bar, Bars, Line, Lines, Panel, compared, write


def _bars(*spreads: Spread, bound: float | None = None) -> Bars:
    return compared("title", [Bar(str(number), spread, bound) for number, spread in enumerate(spreads)])


def _kernels(theirs_kb: float) -> list[dict[str, dict[str, float]]]:
    ours, theirs = {"ms": 2.0, "KB": 10.0}, {"ms": 8.0, "KB": theirs_kb}
    return [{"floor": ours, "solara_ctx": ours, "Solara": theirs}]


def test_the_bars_are_the_ratios_of_the_table() -> None:
    """Each line of the table that compares has its bar, with the same figure."""
    found = report(_kernels(30.0))
    assert isinstance(found.panel, Bars)
    assert [(row.label, row.value.median) for row in found.panel.drawn()] == [
        ("made and closed, ms", 4.0),
        ("in use while it lives, KB", 3.0),
    ]


def test_an_unknown_figure_has_no_bar() -> None:
    """Where the C library does not tell, the others are drawn all the same."""
    drawn = report(_kernels(math.nan)).panel.drawn()
    assert [row.label for row in drawn] == ["made and closed, ms"]


def test_every_storm_has_its_bar_and_the_bound() -> None:
    """In the unit of the table."""
    found = pages.storms([Storm("culled at once", 10, 0.2, 0.001, 1.0, 10)])
    assert found.panel.drawn() == [Bar("10 culled at once", Spread(200.0, 200.0, 200.0), 50.0)]


@pytest.mark.parametrize("far", [Spread(2.0, 0.5, 8.0), Spread(0.2, 0.1, 0.3), Spread(1.0, 1.0, 1.0)])
def test_the_axis_has_room_for_all(far: Spread) -> None:
    """For 1, where every bar begins, the whole range and the bound."""
    low, high = _bars(far, bound=9.0).ends()
    assert low <= min(1.0, far.low)
    assert high > 9.0


def test_the_axis_begins_at_1_where_nothing_lies_below() -> None:
    """The bars stand at its left end then."""
    assert _bars(Spread(3.0, 2.0, 4.0)).ends()[0] == 1.0


def test_the_axis_says_what_the_mark_is_where_there_is_one() -> None:
    """And nothing of it where there is none."""
    one = Spread(1.0, 1.0, 1.0)
    assert "wanted" in _bars(one, bound=2.0).axis
    assert "wanted" not in _bars(one).axis


def test_a_line_keeps_the_points_that_have_a_place() -> None:
    """Nothing, and less than nothing, has none on a logarithmic axis."""
    lines = Lines("title", "pages", [Line("some", [(10, 0.0), (100, 2.0)]), Line("none", [(10, -1.0)])])
    assert lines.drawn() == [Line("some", [(100, 2.0)])]


def test_an_older_plot_does_not_stay_beside_new_figures(tmp_path: Path) -> None:
    """It would be taken for theirs."""
    path = tmp_path / "kernel.svg"
    path.write_text("of an earlier run")
    assert write(path, [], "").startswith("no plot")
    assert not path.exists()


def test_without_matplotlib_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table and the figures are there all the same."""
    monkeypatch.setattr("benchmarks.support.plot.find_spec", lambda _name: None)
    assert write(tmp_path / "kernel.svg", [_bars(Spread(2.0, 1.0, 3.0))], "") == "no plot: matplotlib is not installed"


def test_a_plot_is_written(tmp_path: Path) -> None:
    """With all that may be in one."""
    path = tmp_path / "kernel.svg"
    panels: list[Panel] = [
        _bars(Spread(2.0, 1.0, 3.0), bound=5.0),
        Lines("title", "pages", [Line("some", [(10, 1.0), (100, 2.0)])]),
    ]
    assert write(path, panels, "versions") == f"plot: {path}"
    assert path.read_text().rstrip().endswith("</svg>")
