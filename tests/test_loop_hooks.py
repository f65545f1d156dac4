"""What page code starts on the event loop by asyncio's own means ends with its kernel."""

# ruff: noqa: RUF006 - nobody awaits the tasks, and nobody has to keep them

import asyncio
import contextvars
import gc
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from solara_ctx import get_current_context, loop_hooks
from tests.support.service import eventually, serving, silent, turns

log: list[str] = []


@pytest.fixture(autouse=True)
def nothing_logged() -> None:
    log.clear()


async def waits(name: str) -> None:
    """Wait for nothing; say where it ends."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await asyncio.sleep(0)
        log.append(f"{name} ended in {get_current_context().id}")


async def numbers(name: str) -> AsyncIterator[int]:
    """Say where it ends, after some turns of the loop."""
    number = 0
    try:
        while True:
            yield number
            number += 1
    finally:
        await asyncio.sleep(0)
        log.append(f"{name} closed in {get_current_context().id}")


async def of_create_task() -> None:
    _ = asyncio.create_task(waits("task"))


async def of_ensure_future() -> None:
    _ = asyncio.ensure_future(waits("task"))


async def of_a_named_task_in_variables_of_its_own() -> None:
    _ = asyncio.create_task(waits("task"), name="mine", context=contextvars.copy_context())


async def of_a_task_of_a_task() -> None:
    async def outer() -> None:
        _ = asyncio.create_task(waits("task"))

    await asyncio.create_task(outer())


@pytest.mark.parametrize(
    "start", [of_create_task, of_ensure_future, of_a_named_task_in_variables_of_its_own, of_a_task_of_a_task]
)
async def test_a_task_that_nobody_awaits_ends_with_its_kernel(start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """It is counted, not collected meanwhile, and cancelled and awaited by the close."""
    async with serving() as service:
        context = await service.opened(function=start)
        kernel_id = context.id
        gc.collect()
        await eventually(lambda: context.stats().tasks == 1)
        report = await context.aclose()
        assert report.ok
        assert log == [f"task ended in {kernel_id}"]


async def test_tasks_of_nobody_and_of_other_kernels_go_on() -> None:
    """The host app's own tasks are no kernel's."""
    async with serving() as service:
        one = await service.opened(function=of_create_task)
        two = await service.opened(function=of_create_task)
        task = asyncio.create_task(asyncio.sleep(3600))
        await eventually(lambda: two.stats().tasks == 1)
        await one.aclose()
        assert not task.done()
        assert two.stats().tasks == 1
        task.cancel()
    assert len(log) == 2


KEPT: list[AsyncIterator[int]] = []


async def keeps_a_generator() -> None:
    KEPT[:] = [numbers("generator")]
    assert await anext(KEPT[0]) == 0


async def drops_a_generator() -> None:
    async for _ in numbers("generator"):
        break


async def is_in_the_midst_of_one() -> None:
    async def steps() -> None:
        async for number in numbers("generator"):
            if number == 3:
                await asyncio.get_running_loop().create_future()

    _ = asyncio.create_task(steps())


@pytest.mark.parametrize("page", [keeps_a_generator, drops_a_generator, is_in_the_midst_of_one])
async def test_an_async_generator_is_closed_with_its_kernel(page: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Its `finally` runs to its end, with the kernel current, before the kernel is down."""
    async with serving() as service:
        context = await service.opened(function=page)
        kernel_id = context.id
        await turns()
        report = await context.aclose()
        assert report.ok
        assert log == [f"generator closed in {kernel_id}"]
    KEPT.clear()


async def test_a_generator_that_a_thread_lets_go_of_is_closed_on_the_loop() -> None:
    """Dropped in a worker: asyncio's own hook would do it without the kernel."""

    async def page() -> None:
        generator = numbers("generator")
        await anext(generator)
        holder = [generator]
        del generator
        await asyncio.to_thread(holder.clear)

    async with serving() as service:
        context = await service.opened(function=page)
        await eventually(lambda: log == [f"generator closed in {context.id}"])


async def test_a_generator_that_fails_as_it_is_closed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The kernel is closed all the same."""

    async def fails() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise ValueError("no good")

    async def page() -> None:
        async for _ in fails():
            break

    async with serving() as service:
        context = await service.opened(function=page)
        await turns()
        assert (await context.aclose()).ok
    assert [record.getMessage() for record in caplog.records] == [
        "an async generator of kernel kernel… failed as it was closed"
    ]


async def test_generators_of_nobody_are_left_to_asyncio() -> None:
    """The host app's are closed by the loop's own hook."""
    ended: list[str] = []

    async def generator() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            ended.append("closed")

    async with serving():
        async for _ in generator():
            break
        await eventually(lambda: ended == ["closed"])


async def test_a_task_that_does_not_end_leaves_the_generators_open() -> None:
    """The tasks' budget is for both; the report names what is stuck."""
    go_on = asyncio.Event()

    async def stubborn() -> None:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                log.append("cancelled")

    async def page() -> None:
        _ = asyncio.create_task(stubborn(), name="stubborn")

    async with serving() as service:
        context = await service.opened(function=page)
        await eventually(lambda: context.stats().tasks == 1)
        with silent():
            closing = asyncio.wrap_future(context.close())
            await eventually(lambda: log == ["cancelled"])
            await turns()
            service.clock.advance(5.0)
            report = await closing
        go_on.set()
        await turns()
    assert ["task 'stubborn'" in (step.stack or "") for step in report.steps if step.abandoned] == [True]


async def test_hooks_are_built_on_what_is_there_and_taken_back() -> None:
    """A task factory and hooks of the host app's are used, and are there again; what came later is left alone."""
    loop = asyncio.get_running_loop()
    made: list[str] = []

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        made.append("task")
        return asyncio.Task(coroutine, loop=loop, **options)

    def begun(_: object) -> None:
        made.append("generator")

    outer = sys.get_asyncgen_hooks()
    loop.set_task_factory(factory)
    sys.set_asyncgen_hooks(begun, None)
    async with AsyncExitStack() as stack:
        stack.callback(sys.set_asyncgen_hooks, *outer)
        stack.callback(loop.set_task_factory, None)
        uninstall = loop_hooks.install(loop)
        await asyncio.create_task(asyncio.sleep(0))
        async for _ in numbers("nobody's"):
            break
        assert made == ["task", "generator"]
        uninstall()
        uninstall()
        assert loop.get_task_factory() is factory
        assert sys.get_asyncgen_hooks() == (begun, None)
        uninstall = loop_hooks.install(loop)
        later = loop_hooks.install(loop)
        uninstall()
        assert loop.get_task_factory() is not factory
        later()
