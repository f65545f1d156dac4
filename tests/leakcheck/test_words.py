"""Numbers for people."""

import pytest

from solara_ctx.leakcheck.words import counted, megabytes, size


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (-12, "-12 B"), (999, "999 B"), (1500, "1.5 KB"), (212_345, "212 KB"), (3_140_000, "3.14 MB")],
)
def test_sizes(count: float, text: str) -> None:
    """Three digits, in the unit that fits."""
    assert size(count) == text


def test_the_largest_unit_takes_the_rest() -> None:
    """There is none above."""
    assert size(5e12) == "5000 GB"


def test_megabytes() -> None:
    """With a sign where a change is meant."""
    assert (megabytes(45_678_901), megabytes(1e6, sign=True), megabytes(-4e4, sign=True)) == (
        "45.68 MB",
        "+1.00 MB",
        "-0.04 MB",
    )


def test_plurals() -> None:
    """One session, two sessions."""
    assert (counted(1, "session"), counted(2, "session")) == ("1 session", "2 sessions")
