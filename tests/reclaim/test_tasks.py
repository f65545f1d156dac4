"""Tasks of a kernel go with it, and a task that is done goes before it."""

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable, Coroutine

import ipywidgets as widgets
import pytest

from solara_ctx import KernelVar, VirtualKernelContext, get_current_context, has_current_context, without_context
from tests.support.everything import everything
from tests.support.reclaim import Deaths, used, watched
from tests.support.visits import Site, serving

pytestmark = pytest.mark.uncovered

Task = Callable[[widgets.Widget], Coroutine[object, None, object]]


class Page:
    """A page function with everything and with a task that refers to it.

    Attributes:
        future: What `create_task` has returned, for the test to keep.
        deaths: The task, its coroutine and what they work on.
    """

    def __init__(self, task: Task, *, content: Callable[[], widgets.Widget] = everything) -> None:
        self.future: concurrent.futures.Future[object]
        self.deaths = Deaths()
        self.begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task = task
        self._content = content

    def __call__(self) -> widgets.Widget:
        box = self._content()
        work = self._work(box)
        self.deaths.watch("coroutine", work)
        self.future = get_current_context().create_task(work)
        return box

    async def _work(self, box: widgets.Widget) -> object:
        self.begun.set()
        task = asyncio.current_task()
        assert task is not None
        self.deaths.watch("task", task)
        del task
        return await self._task(box)


async def finishes(box: widgets.Widget) -> int:
    await asyncio.sleep(0)
    return len(box.children)


async def fails(box: widgets.Widget) -> None:
    mine = [box, get_current_context()]
    try:
        await asyncio.sleep(0)
        assert not mine
    except AssertionError as error:
        raise LookupError("of a task") from error


async def fails_in_a_group(box: widgets.Widget) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fails(box))
        group.create_task(asyncio.sleep(3600))


async def waits(box: widgets.Widget) -> None:
    await asyncio.get_running_loop().create_future()
    print(box)


async def waits_for_a_timer(box: widgets.Widget) -> None:
    async with asyncio.timeout(7200):
        await asyncio.sleep(3600)
    print(box)


async def waits_for_others(box: widgets.Widget) -> None:
    await asyncio.gather(waits(box), asyncio.wait_for(waits_for_a_timer(box), 3600))


async def waits_for_a_thread(box: widgets.Widget) -> None:
    await asyncio.to_thread(len, box.children)
    await asyncio.get_running_loop().create_future()


async def cleans_up(box: widgets.Widget) -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0)
        box.children = ()


@pytest.mark.parametrize("task", [finishes, fails, fails_in_a_group])
async def test_a_task_that_has_ended_goes_before_its_kernel(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    """Returned, or failed with an error that the log keeps: nothing ties it to a kernel that is deliberately kept."""
    page = Page(task)
    async with serving(page) as site:
        visit, kernel = await used(site)
        context: VirtualKernelContext | None = visit.context
        with contextlib.suppress(LookupError, ExceptionGroup):
            await asyncio.wrap_future(page.future)
        page.deaths.end_now()
        await page.deaths.at_once()
        assert isinstance(context, VirtualKernelContext)
        assert not context._life.run.tasks._running  # type: ignore[union-attr]
        context = None  # the kept one
        await visit.leave()
        await kernel.at_once()
    errors = [record.exc_info for record in caplog.records if record.getMessage().startswith("task ")]
    assert len(errors) == (task is not finishes)


async def test_a_cancelled_task_goes_before_its_kernel() -> None:
    """Cancelled by the user, by way of the future that the user then keeps."""
    page = Page(waits)
    async with serving(page) as site:
        visit, kernel = await used(site)
        await page.begun.wait()
        page.future.cancel()
        page.deaths.end_now()
        await page.deaths.at_once()
        await visit.leave()
        await kernel.at_once()


@pytest.mark.parametrize("task", [waits, waits_for_a_timer, waits_for_others, waits_for_a_thread, cleans_up])
async def test_a_task_that_is_pending_at_the_close(task: Task) -> None:
    """It is cancelled, and goes with the kernel, whatever it waits for; its future is kept."""
    page = Page(task)
    async with serving(page) as site:
        visit, kernel = await used(site)
        await page.begun.wait()
        visit.context.close()
        await kernel.at_once()
        page.deaths.end_now()
        await page.deaths.at_once()
        assert page.future.cancelled()


async def test_a_task_that_never_began() -> None:
    """It was asked for and its kernel closed in the same turn of the loop."""
    deaths = Deaths()

    async def close(visit_context: VirtualKernelContext) -> None:
        work = waits(widgets.Label())
        deaths.watch("coroutine", work)
        future = visit_context.create_task(work)
        visit_context.close()
        del visit_context, work
        with contextlib.suppress(concurrent.futures.CancelledError, asyncio.CancelledError):
            await asyncio.wrap_future(future)

    async with serving(everything) as site:
        visit, kernel = await used(site)
        await close(visit.context)
        await kernel.at_once()
        deaths.end_now()
        await deaths.at_once()


async def test_a_task_that_does_not_listen() -> None:
    """It is abandoned at the end of its budget; what it holds itself goes when it ends after all."""
    go_on = asyncio.Event()

    async def stubborn(box: widgets.Widget) -> None:
        while not go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()
        assert not has_current_context()
        print(box)

    page = Page(stubborn)
    # Long enough for every other step, also where each line is traced.
    async with serving(page, kernel_close_timeout="500ms") as site:
        visit, kernel = await used(site)
        await page.begun.wait()
        kernel.watch("task's work", page.future)
        visit.context.close()
        try:
            await kernel.at_once("context", "host", "run", "outbox", "websocket", "connection", "comm", "session")
        finally:
            go_on.set()  # nothing else ends it, not even the end of the test
        kernel.end_now()
        page.deaths.end_now()
        await page.deaths.at_once()
        del page.future
        await kernel.at_once()


async def test_a_task_of_the_users_own() -> None:
    """Made with asyncio itself, in the kernel: it ends with it.  Nobody's own outlives it, and keeps nothing."""
    kept: list[asyncio.Task[bool]] = []
    ended: list[str] = []
    go_on = asyncio.Event()

    async def outlives() -> bool:
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return has_current_context()

    async def begins(_: widgets.Widget) -> None:
        _ = asyncio.create_task(outlives())  # noqa: RUF006 - its kernel keeps it
        with without_context():
            kept.append(asyncio.create_task(outlives()))

    page = Page(begins)
    async with serving(page) as site:
        visit, kernel = await used(site)
        await asyncio.wrap_future(page.future)
        await visit.leave()
        await kernel.at_once()
        assert ended == ["cancelled"]
        go_on.set()
        assert await kept[0] is False


served: "KernelVar[list[object]]" = KernelVar("served")


async def test_what_tasks_have_put_into_variables() -> None:
    """A `KernelVar` that a task has set goes with the kernel, though the future of the task is kept."""

    async def sets(box: widgets.Widget) -> None:
        served.set([box, get_current_context()])

    page = Page(sets)
    async with serving(page) as site:
        visit, kernel = await used(site)
        await asyncio.wrap_future(page.future)
        await visit.leave()
        await kernel.at_once()


async def test_ten_tasks_in_ten_kernels(caplog: pytest.LogCaptureFixture) -> None:
    """All kinds at once, and all kernels closed at once."""
    kinds: list[Task] = [finishes, fails, waits, waits_for_a_timer, waits_for_others, cleans_up]

    def page() -> widgets.Widget:
        box = everything()
        for kind in kinds:
            get_current_context().create_task(kind(box))
        return box

    async with serving(page) as site:
        kernels: list[Deaths] = [watched(await site.visit()) for _ in range(10)]
        for _ in range(5):
            # The last one's tasks begin: asyncio warns of a coroutine that `wait_for` was given and has not begun.
            await asyncio.sleep(0)
        close_all(site)
        # Counted from the end of the last: until then the event loop is busy with the others.
        for kernel in kernels:
            await kernel.ended()
        for kernel in kernels:
            kernel.end_now()
        for kernel in kernels:
            await kernel.at_once()


def close_all(site: Site) -> None:
    for context in site.app.registry.values():
        context.close()
