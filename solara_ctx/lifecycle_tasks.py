"""The tasks that end kernels, or begin them afresh.  Loop only."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine

from solara_ctx.teardown import CloseReport

log = logging.getLogger(__name__)


class LifecycleTask(asyncio.Task[CloseReport]):
    """A task that nobody can cancel: a teardown that ends half-way is what this library exists to prevent.

    `asyncio.run` cancels every task when its main coroutine returns, and waits for them. Cancelled before its first
    step, a teardown could not even notice.  It ends soon all the same: each of its waits has a budget.
    """

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002
        return False


class LifecycleTasks:
    """Those of one registry.

    Args:
        one_ended: Called when one has ended.
    """

    def __init__(self, one_ended: Callable[[], None]) -> None:
        self._one_ended = one_ended
        self._tasks: set[LifecycleTask] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(
        self, coroutine: Coroutine[object, None, CloseReport], loop: asyncio.AbstractEventLoop
    ) -> asyncio.Task[CloseReport]:
        """Run a coroutine to its end, whatever happens to those who wait for it.  What it raises is logged."""
        # An empty context: the task must not inherit the kernel of whoever asked.
        task = LifecycleTask(coroutine, loop=loop, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[CloseReport]) -> None:
        self._tasks.discard(task)
        error = task.exception()
        if error is not None:
            log.error("the lifecycle of a kernel failed", exc_info=error)
        self._one_ended()
