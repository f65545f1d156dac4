"""The arithmetic of the benchmarks: a figure that is computed wrongly is believed all the same."""

import pytest

from benchmarks.support.figures import Spread, ratios


def test_a_spread_is_the_median_and_the_ends() -> None:
    """The middle is the median, which one bad round does not move."""
    assert Spread.of([3.0, 1.0, 100.0]) == Spread(median=3.0, low=1.0, high=100.0)


def test_ratios_are_taken_round_by_round() -> None:
    """What disturbed a round disturbed both of its halves, so that the ratio is that of each round."""
    assert ratios([10.0, 200.0, 30.0], [5.0, 100.0, 10.0], floor=1.0) == Spread(median=2.0, low=2.0, high=3.0)


def test_what_lies_below_the_noise_makes_no_ratio() -> None:
    """Neither nothing nor less than nothing makes a ratio without end, or a negative one."""
    assert ratios([4.0, 0.0, -2.0], [0.0, 4.0, -1.0], floor=2.0) == Spread(median=1.0, low=0.5, high=2.0)


def test_a_round_without_its_other_half_is_refused() -> None:
    """A ratio needs both sides of each round."""
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0], floor=1.0)


@pytest.mark.parametrize("floor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_floor_has_to_be_above_nothing(floor: float) -> None:
    """A floor of nothing would let the division by nothing through."""
    with pytest.raises(ValueError, match="floor"):
        ratios([1.0], [0.0], floor=floor)
