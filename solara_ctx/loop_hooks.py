"""What code of a kernel starts on the event loop by asyncio's own means belongs to that kernel, too.

A task of `asyncio.create_task`, a `TaskGroup` or `gather` that nobody awaits, and an async generator that nobody ends,
would outlive the kernel: asyncio knows of no owner.  Its own seams for that are used: the loop's task factory, and the
hooks for async generators of the loop's thread.
"""

import asyncio
import contextvars
import sys
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Protocol, cast

from solara_ctx import current
from solara_ctx.tasks import KernelTasks

Generator = AsyncGenerator[object, None]
GeneratorHook = Callable[[Generator], object] | None


class TaskFactory(Protocol):
    """As `loop.set_task_factory` takes one."""

    def __call__(
        self, loop: asyncio.AbstractEventLoop, coroutine: object, /, **options: object
    ) -> "asyncio.Task[object]":
        """A task that runs the coroutine."""


def install(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Let kernels own what their code starts on *loop*, which runs in this thread.

    Returns:
        Takes that back, where nobody has built on it since; harmless to call twice.
    """
    inner = cast("TaskFactory | None", loop.get_task_factory())
    factory = partial(_new_task, inner)
    loop.set_task_factory(factory)  # type: ignore[arg-type]  # asyncio's stub knows fewer options than asyncio
    before = sys.get_asyncgen_hooks()
    begun, dropped = partial(_begun, before.firstiter), partial(_dropped, before.finalizer)
    sys.set_asyncgen_hooks(begun, dropped)

    def uninstall() -> None:
        if cast("object", loop.get_task_factory()) is factory:
            loop.set_task_factory(inner)  # type: ignore[arg-type]  # same
        if sys.get_asyncgen_hooks() == (begun, dropped):
            sys.set_asyncgen_hooks(*before)

    return uninstall


def _new_task(
    inner: TaskFactory | None, loop: asyncio.AbstractEventLoop, coroutine: object, /, **options: object
) -> "asyncio.Task[object]":
    factory = inner or _plain_task
    task = factory(loop, coroutine, **options)
    handle = current.peek_handle(cast("contextvars.Context | None", options.get("context")))
    tasks = _tasks_of(handle)
    if tasks is not None and not task.done():  # as an eager one may be
        tasks.own(task, handle)
    return task


def _plain_task(loop: asyncio.AbstractEventLoop, coroutine: object, /, **options: object) -> "asyncio.Task[object]":
    return asyncio.Task(coroutine, loop=loop, **options)  # type: ignore[arg-type]  # as asyncio's own default


def _tasks_of(handle: current.Handle | None) -> KernelTasks | None:
    context = None if handle is None else handle.peek()
    run = None if context is None else context._life.run
    return None if run is None else run.tasks


def _begun(inner: GeneratorHook, generator: Generator) -> None:
    tasks = _tasks_of(current.peek_handle())
    if tasks is not None:
        tasks.own_generator(generator)
    if inner is not None:
        inner(generator)


def _dropped(inner: GeneratorHook, generator: Generator) -> None:
    """Nobody refers to it any more, and it has not come to its end.  Any thread."""
    tasks = _tasks_of(current.peek_handle())
    if (tasks is None or not tasks.close_generator(generator)) and inner is not None:
        inner(generator)
