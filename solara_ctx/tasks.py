"""The asyncio tasks of one kernel: made from any thread, run on the event loop, cancelled and awaited at close."""

import asyncio
import concurrent.futures
import contextvars
import logging
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from functools import partial
from typing import TypeVar

from solara_ctx import current, frames
from solara_ctx.current import Handle
from solara_ctx.errors import ContextClosed, redact
from solara_ctx.weak import WeakBag

log = logging.getLogger(__name__)

T = TypeVar("T")
FindTold = Callable[[], Callable[[BaseException], object] | None]


class KernelTasks:
    """Tasks that belong to one run of a kernel.

    The set holds the running tasks, and no task holds the set: a result that somebody keeps must not keep the kernel.

    Args:
        kernel_id: Shown redacted.
        loop: Where tasks run.
        failed: Finds who is told of errors that are in the log; weakly, as a task that does not end holds this.
    """

    def __init__(self, kernel_id: str, loop: asyncio.AbstractEventLoop, failed: FindTold) -> None:
        self._kernel_id = kernel_id
        self._failed = failed
        self._loop = loop
        self._running: dict[asyncio.Task[object], Handle | None] = {}
        self._generators: WeakBag[AsyncGenerator[object, None]] = WeakBag()
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

    def own(self, task: "asyncio.Task[object]", handle: Handle | None) -> None:
        """Cancel and await that task, too, when the kernel ends; or when what *handle* names does.  Loop only."""
        if task not in self._running:
            self._running[task] = handle
            # From an empty context: that of the caller would be kept for as long as the task.
            task.add_done_callback(self._forget, context=contextvars.Context())

    def _forget(self, task: "asyncio.Task[object]") -> None:
        self._running.pop(task, None)
        if task.cancelled():
            # Until somebody asks, it keeps the error that has ended it, and with that its frames: in one of them may be
            # a TaskGroup, which refers to the task.
            try:
                task.exception()
            except asyncio.CancelledError as error:
                frames.note(error)

    def own_generator(self, generator: AsyncGenerator[object, None]) -> None:
        """Close that async generator when the kernel ends, if it is there and open by then.  Loop only."""
        self._generators.add(generator)

    def close_generator(self, generator: AsyncGenerator[object, None]) -> bool:
        """Close an async generator that nobody will go on with, in a task.  Any thread.

        Returns:
            Whether there is a loop to do it.
        """
        return self._post(partial(self._close_generator, generator), contextvars.copy_context())

    def _close_generator(self, generator: AsyncGenerator[object, None]) -> None:
        task = self._loop.create_task(_close(redact(self._kernel_id), generator), name=f"aclose() of {generator!r}")
        self.own(task, None)

    def refuse_new(self) -> None:
        """Take nothing more.  Any thread."""
        self._closed = True

    def cancel_all(self) -> None:
        """Cancel what runs.  Loop only."""
        for task in self._running:
            task.cancel()

    def cancel_of(self, handle: Handle) -> None:
        """Cancel what runs of that.  Loop only."""
        for task, owner in self._running.items():
            if owner is handle:
                task.cancel()

    def when_done(self, variables: contextvars.Context) -> "asyncio.Future[None]":
        """A future that is done when no task runs any more, and every async generator that is left is closed.  Loop
        only.

        Args:
            variables: What the generators are closed in.
        """
        if not self._running and not self._generators:  # as in most kernels
            done: asyncio.Future[None] = self._loop.create_future()
            done.set_result(None)
            return done
        return self._loop.create_task(self._wind_down(variables), context=contextvars.Context())

    async def _wind_down(self, variables: contextvars.Context) -> None:
        while self._running or self._generators:
            while self._running:
                # Their own errors were logged as they ended, and are of no interest to the teardown.
                await asyncio.wait(self._running)
                # What a task has let go of at its end may have something to say, too.
                await asyncio.sleep(0)
            self._close_generators(variables)

    def _close_generators(self, variables: contextvars.Context) -> None:
        for generator in self._generators.living():
            self._generators.discard(generator)
            variables.copy().run(self._close_generator, generator)

    def where(self) -> str:
        """Where the running tasks wait, as text.  Loop only."""
        return "\n".join(where_it_waits(task) for task in self._running)

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
        task = self._loop.create_task(contain(coroutine), name=name, context=context)
        self.own(task, current.peek_handle(context))
        failed = partial(_tell, self._failed, context)
        finish = partial(_finish, redact(self._kernel_id), coroutine, future, failed)
        task.add_done_callback(finish, context=contextvars.Context())
        future.add_done_callback(partial(_pass_on_cancel, weakref.ref(task), self._loop))


async def _close(kernel: str, generator: AsyncGenerator[object, None]) -> None:
    try:
        await contain(generator.aclose())
    except Exception as error:
        log.exception("an async generator of kernel %s failed as it was closed", kernel)
        frames.note(error)


def where_it_waits(task: asyncio.Task[T]) -> str:
    """Where a task waits, as text.  Loop only."""
    return "\n".join((f"task {task.get_name()!r}", *_lines(task)))


async def contain(coroutine: Awaitable[T]) -> T:
    """*coroutine* as the body of a task that can end nothing but itself."""
    try:
        return await coroutine
    except (SystemExit, KeyboardInterrupt) as error:
        # asyncio lets these two out of the task, and through the event loop: one page would stop the server.
        raise RuntimeError(f"{error!r} in a task ends the task, and nothing else") from error


def _tell(find: FindTold, context: contextvars.Context, error: BaseException) -> None:
    tell = find()
    if tell is not None:
        # In the task's own context: a `with Output():` may have been open there.
        context.run(tell, error)


def _finish(
    kernel: str,
    coroutine: Coroutine[object, None, T],
    future: concurrent.futures.Future[T],
    failed: Callable[[BaseException], None],
    task: asyncio.Task[T],
) -> None:
    # Of a task that was cancelled before its first step, the coroutine was never begun; elsewhere this does nothing.
    coroutine.close()
    if task.cancelled():
        _cancel(future)
        return
    error = task.exception()
    if error is not None:
        log.error("task %r of kernel %s failed", task.get_name(), kernel, exc_info=error)
        failed(error)
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


def _lines(task: asyncio.Task[T]) -> Iterator[str]:
    """The lines at which a task waits, from the user's outermost one on.  `Task.get_stack` shows ours only."""
    waits_for: object = task.get_coro()
    while waits_for is not None:
        frame = getattr(waits_for, "cr_frame", None)
        if frame is not None and frame.f_code is not contain.__code__:
            yield f'  File "{frame.f_code.co_filename}", line {frame.f_lineno}, in {frame.f_code.co_name}'
        waits_for = getattr(waits_for, "cr_await", None)


def _pass_on_cancel(
    task_ref: weakref.ref[asyncio.Task[T]], loop: asyncio.AbstractEventLoop, future: concurrent.futures.Future[T]
) -> None:
    task = task_ref()
    if task is not None and future.cancelled() and not task.done() and not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)
