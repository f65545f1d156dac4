"""From the figures of several rounds to what can be said of them."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the ends of what was measured."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Raises ValueError where there are no values."""
        return cls(statistics.median(values), min(values), max(values))


def ratios(theirs: Sequence[float], ours: Sequence[float], *, floor: float) -> Spread:
    """How many times ours theirs is: round by round, as what disturbs a round disturbs both of its halves.

    Args:
        floor: The smallest difference that the measurement can see, in the unit of the values. Values below it count
            as this much: what lies below the noise must not make a ratio without end, in either direction.

    Raises:
        ValueError: there are no values, not as many of the one as of the other, or the floor is not above 0.
    """
    if floor <= 0 or not math.isfinite(floor):
        raise ValueError(f"the floor has to be above 0, not {floor}")
    pairs = zip(theirs, ours, strict=True)
    return Spread.of([max(their, floor) / max(our, floor) for their, our in pairs])
