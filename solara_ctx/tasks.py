"""The asyncio tasks of one kernel: made from any thread, run on the event loop, cancelled and awaited at close."""

import asyncio
import concurrent.futures
import contextvars
import logging
import weakref
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TypeVar

from solara_ctx import frames
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
            ContextClosed: the kernel takes no more tasks, or its event loop has ended; the coroutine was closed.
            TypeError: it is no coroutine.
        """
        if not asyncio.iscoroutine(coroutine):
            raise TypeError(f"create_task takes a coroutine, as an `async def` function returns it, not {coroutine!r}")
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        if self._closed or not self._post(partial(self._start, coroutine, future, context, name), context):
            coroutine.close()
            raise ContextClosed(self._kernel_id, doing="start a task")
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
        if not self._running:  # as in most kernels, for which `gather` takes a turn of the loop
            done: asyncio.Future[list[object]] = self._loop.create_future()
            done.set_result([])
            return done
        # Their own errors were logged as they ended, and are of no interest to the teardown.
        return asyncio.gather(*self._running, return_exceptions=True)

    def where(self) -> str:
        """Where the running tasks wait, as text.  Loop only."""
        return "\n".join(f"task {task.get_name()!r} at {_innermost_line(task)}" for task in self._running)

    def _post(self, step: Callable[[], None], context: contextvars.Context) -> bool:
        try:
            self._loop.call_soon_threadsafe(step, context=context)
        except RuntimeError:  # the loop has ended
            return False
        return True

    def _start(
        self,
        coroutine: Coroutine[object, None, T],
        future: concurrent.futures.Future[T],
        context: contextvars.Context,
        name: str | None,
    ) -> None:
        if self._closed or future.cancelled():
            coroutine.close()
            _cancel(future)
            return
        task = self._loop.create_task(_contain(coroutine), name=name, context=context)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        finish = partial(_finish, redact(self._kernel_id), coroutine, future)
        task.add_done_callback(finish, context=contextvars.Context())
        future.add_done_callback(partial(_pass_on_cancel, weakref.ref(task), self._loop))


async def _contain(coroutine: Coroutine[object, None, T]) -> T:
    try:
        return await coroutine
    except (SystemExit, KeyboardInterrupt) as error:
        # asyncio lets these two out of the task, and through the event loop: one page would stop the server.
        raise RuntimeError(f"{error!r} in a task ends the task, and nothing else") from error


def _finish(
    kernel: str, coroutine: Coroutine[object, None, T], future: concurrent.futures.Future[T], task: asyncio.Task[T]
) -> None:
    # Of a task that was cancelled before its first step, the coroutine was never begun; elsewhere this does nothing.
    coroutine.close()
    if task.cancelled():
        _cancel(future)
        return
    error = task.exception()
    if error is not None:
        log.error("task %r of kernel %s failed", task.get_name(), kernel, exc_info=error)
        frames.note(error)
    # False where the user has cancelled the future, and the task did not listen.
    if future.set_running_or_notify_cancel():
        if error is None:
            future.set_result(task.result())
        else:
            future.set_exception(error)
    del error


def _cancel(future: concurrent.futures.Future[T]) -> None:
    future.cancel()
    # Without it, `concurrent.futures.wait` would go on waiting.
    future.set_running_or_notify_cancel()


def _innermost_line(task: asyncio.Task[object]) -> str:
    """The line at which a task waits.  `Task.get_stack` shows the outermost one, which is ours."""
    at = "its end"
    waits_for: object = task.get_coro()
    while waits_for is not None:
        frame = getattr(waits_for, "cr_frame", None)
        if frame is not None:
            at = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        waits_for = getattr(waits_for, "cr_await", None)
    return at


def _pass_on_cancel(
    task_ref: weakref.ref[asyncio.Task[T]], loop: asyncio.AbstractEventLoop, future: concurrent.futures.Future[T]
) -> None:
    task = task_ref()
    if task is not None and future.cancelled() and not task.done() and not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)
