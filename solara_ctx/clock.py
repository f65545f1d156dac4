"""Time, injected: so that a test advances it instead of waiting for it."""

import asyncio
import contextvars
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# What thousands of kernels or pages need at the same moment is done for so many of them in one turn of the loop: in one
# turn for all of them it would hold up everybody else.
PER_TURN = 10


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


def runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether it is *loop* that is running in this thread.  Any thread."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def call_on(loop: asyncio.AbstractEventLoop, callback: Callable[[*Ts], object], *arguments: *Ts) -> None:
    """Call *callback* in the next turn of *loop*.  Any thread.

    `call_soon_threadsafe` writes to a socket to wake the loop; on its own thread the loop is awake.  But for signal
    handlers and finalizers, which may run while it is about to sleep: not for those.

    Raises:
        RuntimeError: the loop is closed.
    """
    call = loop.call_soon if runs_here(loop) else loop.call_soon_threadsafe
    call(callback, *arguments)


async def in_turns(act: Callable[[T], object], items: Iterable[T]) -> None:
    """Call *act* with each of *items*, `PER_TURN` of them in one turn of the loop; also when the task is cancelled
    meanwhile, as for `wait_through`.  Loop only.
    """
    loop = asyncio.get_running_loop()
    for number, item in enumerate(items):
        if number and number % PER_TURN == 0:
            turn: asyncio.Future[None] = loop.create_future()
            loop.call_soon(_settle, turn)
            await wait_through(turn)
        act(item)


def _settle(future: "asyncio.Future[None]", *_done: object) -> None:
    if not future.done():
        future.set_result(None)
