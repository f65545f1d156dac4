"""How late a loop was: what a bound is held against has to weigh a pause by its length."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from benchmarks.support.lateness import TICK_S, Lateness


class Loop:
    """An event loop that is looked at: its timers come when they are due, but for its pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        """As asyncio's."""
        self._timers.append((self.now, callback))

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        """As asyncio's."""
        self._timers.append((self.now + delay_s, callback))

    def run(self, seconds: float) -> None:
        """Run for so long."""
        until = self.now + seconds
        while self._timers and self._timers[0][0] <= until:
            due, callback = self._timers.pop(0)
            self.now = max(self.now, due)
            callback()
        self.now = max(self.now, until)

    def pause(self, seconds: float) -> None:
        """Stand still: what is due comes afterwards."""
        self.now += seconds


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def lateness(loop: Loop) -> Lateness:
    lateness = Lateness(cast("asyncio.AbstractEventLoop", loop), lambda: loop.now)
    loop.run(0.1)
    return lateness


def test_a_loop_that_is_in_time_is_not_late(loop: Loop, lateness: Lateness) -> None:
    """By no more than the arithmetic of floating point."""
    loop.run(1.0)
    assert lateness.take().longest == pytest.approx(0.0, abs=1e-9)


def test_a_pause_weighs_as_much_as_it_lasts(loop: Loop, lateness: Lateness) -> None:
    """A timer that is due at any moment of a pause is late by what is left of it."""
    lateness.take()
    loop.pause(0.2)
    loop.run(TICK_S)
    late = lateness.take()
    assert late.longest == pytest.approx(0.2, abs=TICK_S)
    assert late.p50 == pytest.approx(0.1, abs=2 * TICK_S)
    assert late.p99 == pytest.approx(0.198, abs=2 * TICK_S)


def test_taking_begins_anew(loop: Loop, lateness: Lateness) -> None:
    """What was before the last look is not told again."""
    loop.pause(0.4)
    loop.run(TICK_S)
    first, second = lateness.take(), lateness.take()
    assert first.longest == pytest.approx(0.4, abs=TICK_S)
    assert second.longest == 0.0


def test_the_end_counts_the_timer_that_never_comes(loop: Loop, lateness: Lateness) -> None:
    """A loop that ends in the midst of a pause was late all the same."""
    loop.pause(0.2)
    assert lateness.take_at_end().longest == pytest.approx(0.2, abs=TICK_S)
