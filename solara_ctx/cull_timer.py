"""When kernels without a page are closed: one timer for all of them, and a future for each."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from solara_ctx.clock import PER_TURN, Clock, Timer
from solara_ctx.culling import Deadlines

T = TypeVar("T")


class CullTimer:
    """Calls *cull* with each kernel id when it is due.  Loop only.

    Args:
        clock: The time that deadlines go by.
        loop: The event loop that everything happens on.
        cull: Closes the kernel of that id; returns what is done when it is closed, `None` when there is no such kernel.
    """

    def __init__(
        self, clock: Clock, loop: asyncio.AbstractEventLoop, cull: "Callable[[str], asyncio.Future[T] | None]"
    ) -> None:
        self._clock = clock
        self._loop = loop
        self._cull = cull
        self._deadlines = Deadlines()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._timer: Timer | None = None
        self._timer_due: float | None = None

    def __len__(self) -> int:
        return len(self._deadlines)

    def __iter__(self) -> Iterator[str]:
        return iter(self._deadlines)

    def schedule(self, kernel_id: str, after_s: float) -> "asyncio.Future[None]":
        """Let a kernel be due, counted from now; replaces an earlier deadline.

        Returns:
            Done when the kernel has been culled; cancelled with the deadline.
        """
        self.cancel(kernel_id)
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting[kernel_id] = future
        self._deadlines.set(kernel_id, self._clock.now() + after_s)
        self._set_timer()
        return future

    def cancel(self, kernel_id: str) -> None:
        """Forget the deadline of a kernel; harmless when it has none."""
        self._deadlines.cancel(kernel_id)
        future = self._waiting.pop(kernel_id, None)
        if future is not None:
            future.cancel()
        self._set_timer()

    def seconds_left(self, kernel_id: str) -> float | None:
        """For how long a kernel is kept; `None` if it has no deadline."""
        due = self._deadlines.due_of(kernel_id)
        return None if due is None else max(0.0, due - self._clock.now())

    def longest_waiting(self, kernel_ids: Iterable[str] | None = None) -> str | None:
        """The kernel that has waited longest: of all, in O(log n), or of *kernel_ids*; `None` where none waits."""
        return self._deadlines.earliest() if kernel_ids is None else self._deadlines.earliest_of(kernel_ids)

    def next_due(self) -> float | None:
        """When the next kernel is due, on the clock."""
        return self._deadlines.next_due()

    def _set_timer(self) -> None:
        due = self._deadlines.next_due()
        if due == self._timer_due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due is None else self._clock.call_at(due, self._cull_due)
        self._timer_due = due

    def _cull_due(self) -> None:
        self._timer = self._timer_due = None
        for kernel_id in self._deadlines.pop_due(self._clock.now(), at_most=PER_TURN):
            done, closing = self._waiting.pop(kernel_id, None), self._cull(kernel_id)
            if closing is not None and done is not None:
                closing.add_done_callback(partial(_settle, done))
        self._set_timer()


def _settle(culled: "asyncio.Future[None]", _closing: "asyncio.Future[T]") -> None:
    if not culled.done():
        culled.set_result(None)
