"""Whether a series of measurements rises: slopes that a few outliers can't bend, with their confidence."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

CONFIDENCE = 0.95
# What comes before is warm-up: caches that fill, pools that reach their size, memory that the allocator keeps.
_LATER_PART = 0.7
_FEWEST_POINTS = 4
_FEWEST_STEPS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """How much y changes per x: the estimate, and the interval that holds the true one with `CONFIDENCE`."""

    value: float
    low: float
    high: float
    start: float = 0.0
    """The line's y at x = 0."""
    points: int = 0
    """How many measures it goes through."""

    def at(self, x: float) -> float:
        """The line's y at *x*."""
        return self.start + self.value * x


def later(values: Sequence[float]) -> int:
    """The index at which the later part of a series begins, which is what counts."""
    return max(0, min(len(values) - _FEWEST_POINTS, round(len(values) * (1 - _LATER_PART))))


def theil_sen(xs: Sequence[float], ys: Sequence[float]) -> Slope:
    """The median of the slopes between all pairs of points (Theil 1950), with the interval of Sen (1968).

    With fewer than four points the interval is infinite: nothing can be said.

    Raises:
        ValueError: there are fewer than two points.
    """
    if len(xs) < 2:  # noqa: PLR2004 - two points make a line
        raise ValueError("a slope needs two points")
    pairs = itertools.combinations(zip(xs, ys, strict=True), 2)
    slopes = sorted((y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairs)
    value = median(slopes)
    start = median(y - value * x for x, y in zip(xs, ys, strict=True))
    n = len(xs)
    if n < _FEWEST_POINTS:
        return Slope(value=value, low=-math.inf, high=math.inf, start=start, points=n)
    # The number of concordant pairs of independent points is all but normal, with this deviation (Kendall).
    spread = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(math.floor((len(slopes) - spread) / 2), 0)
    high = min(math.ceil((len(slopes) + spread) / 2), len(slopes) - 1)
    return Slope(value=value, low=slopes[low], high=slopes[high], start=start, points=n)


def still_grows(counts: Sequence[int]) -> bool:
    """Whether a count goes on growing to the end of the run, rather than having reached a bound.

    It has to grow in at least half of the steps of the later half, in all where these are but two, and in one of the
    last two: what leaks in one session of three grows in most cycles of ten.
    """
    steps = [after - before for before, after in itertools.pairwise(counts)]
    if len(steps) < _FEWEST_STEPS:
        return False
    half = steps[len(steps) // 2 :] if len(steps) > _FEWEST_STEPS else steps
    grown = [step > 0 for step in half]
    enough = all(grown) if len(grown) <= _FEWEST_STEPS else sum(grown) * 2 >= len(grown)
    return enough and any(grown[-2:]) and sum(half) > 0
