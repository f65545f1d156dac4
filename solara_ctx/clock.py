"""Time, injected: so that a test advances it instead of waiting for it."""

import asyncio
import contextvars
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

T = TypeVar("T")


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


async def wait_through(future: "asyncio.Future[T]") -> None:
    """Wait for *future*, also when the waiting task is cancelled meanwhile.  Its outcome is not looked at.  Loop only.

    `asyncio.run` cancels every task when its main coroutine returns.  A teardown that stopped half-way then is just
    what this library exists to prevent; every wait of a teardown has a budget, so that it ends all the same.
    """
    task = asyncio.current_task()
    while not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError:
            if task is not None:
                task.uncancel()


async def wait_within(clock: Clock, future: "asyncio.Future[T]", budget_s: float) -> bool:
    """Wait for *future* for at most *budget_s* seconds of *clock*, also when the waiting task is cancelled meanwhile.

    Returns:
        Whether the future is done.  It is left alone either way: neither cancelled nor asked for its outcome.
    """
    if future.done():
        return True
    loop = asyncio.get_running_loop()
    first: asyncio.Future[None] = loop.create_future()
    settle = partial(_settle, first)
    timer = clock.call_at(clock.now() + budget_s, settle)
    future.add_done_callback(settle)
    try:
        await wait_through(first)
    finally:
        timer.cancel()
        future.remove_done_callback(settle)
    return future.done()


def _settle(future: "asyncio.Future[None]", *_done: object) -> None:
    if not future.done():
        future.set_result(None)
