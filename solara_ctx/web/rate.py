"""How fast somebody may go on, after a start as fast as they like.  Pure; the caller brings the time."""

# So much of what may come in a second may come at once.
_BURST_S = 2.0
# And never less: a page that has its connection back sends what it has kept, 200 messages, and asks its questions.
_BURST = 300.0


class RateLimit:
    """A token bucket.

    Args:
        per_s: How many a second; `None` for any number.
        now: Seconds, monotonic.
    """

    __slots__ = ("_at", "_left", "_most", "_per_s")

    def __init__(self, per_s: float | None, now: float) -> None:
        self._per_s = per_s or 0.0
        self._most = self._left = max(_BURST, self._per_s * _BURST_S)
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
