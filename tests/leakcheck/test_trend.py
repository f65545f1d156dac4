"""Whether a series rises."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solara_ctx.leakcheck.trend import later, still_grows, theil_sen


def test_a_straight_line() -> None:
    """The slope, the start, and an interval of nothing."""
    slope = theil_sen([10, 20, 30, 40, 50], [107, 117, 127, 137, 147])
    assert (slope.value, slope.low, slope.high, slope.at(0), slope.at(100)) == (1, 1, 1, 97, 197)


def test_one_outlier_does_not_bend_it() -> None:
    """One garbage collection at the wrong moment is no leak."""
    slope = theil_sen(range(10), [5, 5, 5, 5, 5, 5, 5, 5, 5, 900])
    assert slope.value == 0
    assert slope.low <= 0


def test_the_interval_is_sens() -> None:
    """The order statistics of the slopes that Sen's formula names, for ten points: the 12th and the 34th of 45."""
    ys = [3.0, 4.1, 4.9, 6.2, 6.8, 8.1, 9.3, 9.9, 11.2, 11.9]
    slopes = sorted((ys[j] - ys[i]) / (j - i) for i in range(10) for j in range(i + 1, 10))
    slope = theil_sen(range(10), ys)
    assert (slope.low, slope.high) == pytest.approx((slopes[11], slopes[33]))


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=15))
def test_the_estimate_lies_in_its_interval(ys: list[float]) -> None:
    """Whatever was measured."""
    slope = theil_sen(range(len(ys)), ys)
    assert slope.low <= slope.value <= slope.high


def test_few_points_say_nothing() -> None:
    """A slope of three points has no confidence; of one there is none."""
    slope = theil_sen([1, 2, 3], [1, 2, 3])
    assert (slope.low, slope.high) == (-math.inf, math.inf)
    with pytest.raises(ValueError, match="two points"):
        theil_sen([1], [1])


@pytest.mark.parametrize(("count", "begin"), [(2, 0), (4, 0), (5, 1), (10, 3), (20, 6)])
def test_the_later_part(count: int, begin: int) -> None:
    """The first three tenths are warm-up, but four points are the least that tell anything."""
    assert later([0.0] * count) == begin


@pytest.mark.parametrize(
    ("counts", "grows"),
    [
        ([1, 2, 3], True),
        ([0, 10, 20, 30, 40, 50, 60, 70, 80, 90], True),
        ([0, 1, 1, 2, 3, 3, 4, 5, 5, 6], True),
        ([0, 10, 20, 20, 20, 20, 20, 20, 20, 20], False),
        ([5, 5, 5, 5], False),
        ([0, 0, 1, 0, 0, 0, 1, 0], False),
        ([1, 2], False),
        ([9, 8, 7, 6], False),
        ([0, 10, 20, 30, 40, 50, 60, 60, 60], False),
        ([1, 2, 2], False),
    ],
)
def test_what_still_grows(counts: list[int], grows: bool) -> None:
    """To the end of the run, with a miss here and there; what has reached a bound does not."""
    assert still_grows(counts) == grows
