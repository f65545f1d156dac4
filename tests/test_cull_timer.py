"""One timer for all kernels that wait for their pages."""

import asyncio
from collections.abc import Callable

from solara_ctx.cull_timer import CullTimer
from tests.support.fakes import FakeClock


class Culled:
    """Closes kernels by noting them; each close is done at once, of an unknown kernel there is none."""

    def __init__(self, *unknown: str) -> None:
        self.ids: list[str] = []
        self._unknown = unknown

    def __call__(self, kernel_id: str) -> "asyncio.Future[str] | None":
        if kernel_id in self._unknown:
            return None
        self.ids.append(kernel_id)
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        done.set_result("closed")
        return done


def timer_for(cull: "Callable[[str], asyncio.Future[str] | None]") -> tuple[FakeClock, CullTimer]:
    clock = FakeClock()
    return clock, CullTimer(clock, asyncio.get_running_loop(), cull)


async def test_each_is_culled_at_its_time() -> None:
    """Not before, and its future is done once it is closed."""
    culled = Culled()
    clock, timer = timer_for(culled)
    late, early = timer.schedule("late", 20), timer.schedule("early", 10)
    assert (timer.seconds_left("early"), timer.seconds_left("late"), timer.seconds_left("other")) == (10, 20, None)
    clock.advance(9.9)
    assert culled.ids == []
    clock.advance(0.1)
    assert culled.ids == ["early"]
    await early
    assert not late.done()
    clock.advance(10)
    await late
    assert len(timer) == 0
    assert clock.pending == []


async def test_a_new_deadline_replaces_the_old_one() -> None:
    """Whoever waited for the old one hears that it was cancelled."""
    culled = Culled()
    clock, timer = timer_for(culled)
    first, second = timer.schedule("a", 10), timer.schedule("a", 30)
    assert first.cancelled()
    clock.advance(10)
    assert culled.ids == []
    timer.cancel("a")
    timer.cancel("a")
    assert second.cancelled()
    assert clock.pending == []


async def test_thousands_at_once_do_not_stall_the_loop() -> None:
    """A turn of the loop handles a few; those that are left come in the next ones."""
    culled = Culled()
    clock, timer = timer_for(culled)
    futures = [timer.schedule(str(number), 10) for number in range(1000)]
    clock.advance(10)
    assert 0 < len(culled.ids) < 100
    await asyncio.gather(*futures)
    assert culled.ids == [str(number) for number in range(1000)]


async def test_a_kernel_that_has_gone_meanwhile_is_no_trouble() -> None:
    """Nothing is closed, and the others are."""
    culled = Culled("gone")
    clock, timer = timer_for(culled)
    _gone, here = timer.schedule("gone", 10), timer.schedule("here", 10)
    clock.advance(10)
    await here
    assert culled.ids == ["here"]
