"""How late an event loop comes to a timer that is due: what every page of a server has to wait.

The distribution is that over time, not over timers: it answers how late a timer comes that is due at any moment. Of a
pause of 100 ms the loop itself sees one late timer, where fifty would have been due one after the other; they are
counted as well, each with what would have been left of the pause. Otherwise a loop that stands still for half of the
time would look fine in its 99th percentile.
"""

import asyncio
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass

TICK_S = 0.002
"""How often the loop has to be on time. A pause that begins between two ticks is seen shorter by up to this much."""
_STEP_S = 0.0005
_STEPS = 20_000  # up to 10 s; what is longer counts as this much, but for the longest, which is exact


@dataclass(frozen=True, slots=True)
class Late:
    """How late a loop was, in seconds."""

    longest: float
    p50: float
    p99: float


class Lateness:
    """Looks every 2 ms how late the loop is; says so to any thread.

    Args:
        loop: Whose lateness it is.
        now: The time, in seconds.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, now: Callable[[], float] = time.perf_counter) -> None:
        self._loop = loop
        self._now = now
        self._longest_s = 0.0
        self._counts = _new_counts()
        self._due = now()
        loop.call_soon_threadsafe(self._next)

    def take(self) -> Late:
        """Since the last call of this method."""
        longest, self._longest_s = self._longest_s, 0.0
        counts, self._counts = self._counts, _new_counts()
        return Late(longest, _percentile(counts, 0.5), _percentile(counts, 0.99))

    def take_at_end(self) -> Late:
        """The same on the loop's own thread, with the timer that is due by now and will never come."""
        self._note(self._now() - self._due)
        return self.take()

    def _next(self) -> None:
        self._due = self._now() + TICK_S
        self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._note(self._now() - self._due)
        self._next()

    def _note(self, late_s: float) -> None:
        self._longest_s = max(self._longest_s, late_s)
        counts = self._counts
        while late_s > 0:
            counts[min(int(late_s / _STEP_S), _STEPS - 1)] += 1
            late_s -= TICK_S


def _new_counts() -> "array[int]":
    return array("L", bytes(array("L").itemsize * _STEPS))


def _percentile(counts: "array[int]", part: float) -> float:
    wanted = sum(counts) * part
    for step, count in enumerate(counts):
        wanted -= count
        if wanted <= 0:
            return step * _STEP_S
    return 0.0
