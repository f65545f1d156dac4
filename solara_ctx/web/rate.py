"""How fast somebody may go on, after a start as fast as they like.  Pure; the caller brings the time."""

from collections import OrderedDict

# So much of what may come in a second may come at once.
_BURST_S = 2.0
# And never less.
_BURST = 300.0


class RateLimit:
    """A token bucket.

    Args:
        per_s: How many a second; `None` for any number.
        now: Seconds, monotonic.
        at_least: So many may come at once, if that is more.
    """

    __slots__ = ("_at", "_left", "_most", "_per_s")

    def __init__(self, per_s: float | None, now: float, *, at_least: float = _BURST) -> None:
        self._per_s = per_s or 0.0
        self._most = self._left = max(_BURST, at_least, self._per_s * _BURST_S)
        self._at = now

    def allows(self, now: float) -> bool:
        """Whether one more is not too fast."""
        if not self._per_s:
            return True
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def is_rested(self, now: float) -> bool:
        """Whether it allows as much again as a new one would."""
        return self._left + (now - self._at) * self._per_s >= self._most


class RateLimits:
    """A token bucket for each of many, by name.

    Its memory is bounded: one that is full again is like a new one, and is forgotten; of more than it remembers, those
    that were asked for longest ago.

    Args:
        per_s: As for `RateLimit`, for each of them.
        most: How many it remembers.
    """

    def __init__(self, per_s: float | None, *, most: int = 10_000) -> None:
        self._per_s = per_s
        self._most = most
        self._limits: OrderedDict[str, RateLimit] = OrderedDict()

    def __len__(self) -> int:
        return len(self._limits)

    def allows(self, name: str, now: float) -> bool:
        """Whether one more of that name is not too fast."""
        if not self._per_s:
            return True
        limit = self._limits.get(name)
        if limit is None:
            limit = self._limits[name] = RateLimit(self._per_s, now)
        self._limits.move_to_end(name)
        allowed = limit.allows(now)
        self._forget(now)
        return allowed

    def _forget(self, now: float) -> None:
        while self._limits:
            oldest = next(iter(self._limits.values()))
            if len(self._limits) <= self._most and not oldest.is_rested(now):
                return
            self._limits.popitem(last=False)
