"""Time, injected: so that a test advances it instead of waiting for it."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A callback that has been scheduled."""

    def cancel(self) -> None:
        """Forget the callback; harmless when it has run."""


class Clock(Protocol):
    """Monotonic time, in seconds, and callbacks on the event loop's thread."""

    def now(self) -> float:
        """Seconds since some fixed moment.  Any thread."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call *callback* on the event loop once `now()` has reached *when*.  Loop only."""


class LoopClock:
    """The time of a running event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        # An empty context: a timer may wait for a day, and must not keep what happened to be current when it was set.
        return self._loop.call_at(when, callback, context=contextvars.Context())


async def wait_within(clock: Clock, future: "asyncio.Future[object]", budget_s: float) -> bool:
    """Wait for *future* for at most *budget_s* seconds of *clock*; say whether it is done.  Loop only.

    The future is left alone either way: it is neither cancelled nor asked for its result.
    """
    if future.done():
        return True
    expired = asyncio.get_running_loop().create_future()
    timer = clock.call_at(clock.now() + budget_s, lambda: expired.done() or expired.set_result(None))
    try:
        await asyncio.wait((future, expired), return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        expired.cancel()
    return future.done()
