"""How late a loop was: what a bound is held against has to weigh a pause by its length."""

import asyncio
import time

import pytest

from benchmarks.support.lateness import Lateness


@pytest.fixture
async def lateness() -> Lateness:
    return Lateness(asyncio.get_running_loop())


def _stand_still(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


async def test_a_pause_weighs_as_much_as_it_lasts(lateness: Lateness) -> None:
    """A timer that is due at any moment of a pause is late by what is left of it."""
    await asyncio.sleep(0.01)
    lateness.take()
    _stand_still(0.2)
    await asyncio.sleep(0.01)

    late = lateness.take()

    assert late.longest > 0.19
    assert 0.05 < late.p50 < late.p99 <= late.longest


async def test_taking_begins_anew(lateness: Lateness) -> None:
    """What was before the last look is not told again."""
    await asyncio.sleep(0.01)
    _stand_still(0.4)
    await asyncio.sleep(0.01)

    first, second = lateness.take(), lateness.take()

    assert first.longest > 0.39
    assert second.longest < 0.39


async def test_the_end_counts_the_timer_that_never_comes(lateness: Lateness) -> None:
    """A loop that ends in the midst of a pause was late all the same."""
    await asyncio.sleep(0.01)
    _stand_still(0.2)

    assert lateness.take_at_end().longest > 0.19
