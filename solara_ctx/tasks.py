"""The asyncio tasks of one kernel: made from any thread, run on the event loop, cancelled and awaited at close."""

import asyncio
import concurrent.futures
import contextvars
import logging
import weakref
from collections.abc import Coroutine
from functools import partial
from typing import TypeVar

from solara_ctx.errors import ContextClosed, redact

log = logging.getLogger(__name__)

T = TypeVar("T")


class KernelTasks:
    """Tasks that belong to one run of a kernel.

    The set holds the running tasks, and no task holds the set: a result that somebody keeps must not keep the kernel.
    """

    def __init__(self, kernel_id: str, loop: asyncio.AbstractEventLoop) -> None:
        self._kernel_id = kernel_id
        self._loop = loop
        self._running: set[asyncio.Task[object]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._running)

    def create(
        self, coroutine: Coroutine[object, None, T], context: contextvars.Context, name: str | None
    ) -> concurrent.futures.Future[T]:
        """Run *coroutine* as a task inside *context*.  Any thread.

        Raises:
            ContextClosed: the kernel takes no more tasks; the coroutine was closed.
        """
        if self._closed:
            coroutine.close()
            raise ContextClosed(self._kernel_id, doing="start a task")
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._loop.call_soon_threadsafe(self._start, coroutine, future, context, name, context=context)
        return future

    def refuse_new(self) -> None:
        """Take nothing more.  Any thread."""
        self._closed = True

    def cancel_all(self) -> None:
        """Cancel what runs.  Loop only."""
        for task in self._running:
            task.cancel()

    def when_done(self) -> "asyncio.Future[list[object]]":
        """A future that is done when no task runs any more.  Loop only."""
        # Their own errors were logged as they ended, and are of no interest to the teardown.
        return asyncio.gather(*self._running, return_exceptions=True)

    def where(self) -> str:
        """Where the running tasks wait, as text.  Loop only."""
        lines = []
        for task in self._running:
            frames = task.get_stack(limit=1)
            at = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else "unknown"
            lines.append(f"task {task.get_name()!r} at {at}")
            del frames
        return "\n".join(lines)

    def _start(
        self,
        coroutine: Coroutine[object, None, T],
        future: concurrent.futures.Future[T],
        context: contextvars.Context,
        name: str | None,
    ) -> None:
        if self._closed or future.cancelled():
            coroutine.close()
            future.cancel()
            return
        task = self._loop.create_task(coroutine, name=name, context=context)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(partial(_copy_outcome, redact(self._kernel_id), future), context=contextvars.Context())
        future.add_done_callback(partial(_pass_on_cancel, weakref.ref(task), self._loop))


def _copy_outcome(kernel: str, future: concurrent.futures.Future[T], task: asyncio.Task[T]) -> None:
    if task.cancelled():
        future.cancel()
        future.set_running_or_notify_cancel()
        return
    if not future.set_running_or_notify_cancel():
        return
    error = task.exception()
    if error is None:
        future.set_result(task.result())
        return
    log.error("task %r of kernel %s failed", task.get_name(), kernel, exc_info=error)
    future.set_exception(error)
    del error


def _pass_on_cancel(
    task_ref: weakref.ref[asyncio.Task[T]], loop: asyncio.AbstractEventLoop, future: concurrent.futures.Future[T]
) -> None:
    task = task_ref()
    if task is not None and future.cancelled() and not task.done() and not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)
