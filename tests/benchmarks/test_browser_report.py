"""What the browser's benchmark says of its bounds: a bound that is judged wrongly is believed all the same."""

from dataclasses import fields

import pytest

pytest.importorskip("playwright")  # not in the environments of the other interpreters

from benchmarks.browser.measure import Pass
from benchmarks.browser.report import ROWS, report


def _pass(value: float) -> Pass:
    return Pass(**{field.name: value for field in fields(Pass)})


def test_every_figure_has_its_line() -> None:
    """Nothing is measured and then not shown."""
    assert {row.field for row in ROWS} == {field.name for field in fields(Pass)}


@pytest.mark.parametrize(("theirs", "said"), [(499.0, "5: missed"), (500.0, "5: met"), (501.0, "5: met")])
def test_a_bound_is_met_at_the_bound(theirs: float, said: str) -> None:
    """A fifth is a fifth."""
    line = report([{"solara_ctx": _pass(100.0), "Solara": _pass(theirs)}]).table.splitlines()[2]
    assert line.startswith("| cold page to first answered click")
    assert line.endswith(f"{said} |")


def test_the_median_decides() -> None:
    """One bad pass of three neither makes a bound met nor missed."""
    passes = [{"solara_ctx": _pass(100.0), "Solara": _pass(theirs)} for theirs in (700.0, 100.0, 600.0)]
    assert "5: met" in report(passes).table
    assert "6 (1 to 7)" in report(passes).table
