"""Nothing that outlives a kernel keeps it.

Weak references die by reference counting alone: the garbage collector is switched off, and no test helps.
"""

import _thread
import asyncio
import concurrent.futures
import contextlib
import contextvars
import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from solara_ctx import current, patching
from solara_ctx.context import VirtualKernelContext
from solara_ctx.current import Handle, get_current_context, has_current_context
from solara_ctx.errors import ContextClosed
from solara_ctx.hooks import HookStack
from solara_ctx.kernel_var import KernelValues, KernelVar
from solara_ctx.mailbox import Mailbox
from solara_ctx.pages import PageTable
from solara_ctx.registry import KernelRegistry
from solara_ctx.run import KernelRun
from solara_ctx.settings import Settings
from solara_ctx.tasks import KernelTasks
from solara_ctx.teardown import CloseReport, Teardown
from tests.support.fakes import PATIENCE_S, FakeClock, FakeHost, FakeIds, RecordingSink
from tests.support.service import eventually

kernel_value: "KernelVar[object]" = KernelVar("kernel_value")
user_variable: contextvars.ContextVar[object] = contextvars.ContextVar("user_variable")


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Cycles stay, and show."""
    gc.disable()
    yield
    gc.enable()


class Kept:
    """Something of the user's."""


class Kernels:
    """A registry that keeps its kernels by itself: the fakes note nothing that would keep them, too."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ids = FakeIds()
        self.registry = KernelRegistry(Settings(), ids=self.ids, make_host=lambda handle: FakeHost(handle, "", [], {}))

    async def opened(self, function: Callable[[], object] = Kept) -> VirtualKernelContext:
        """A kernel whose page function has run, with a page."""
        kernel_id = self.registry.issue("session")
        context = self.registry.connect(kernel_id, "session", "page", sink=RecordingSink(), page=function).context
        assert isinstance(context.host, FakeHost)
        await context.host.called("show")
        return context


@pytest.fixture
async def kernels() -> AsyncIterator[Kernels]:
    """A started registry with real threads and the real scrubbing of threads."""
    kernels = Kernels()
    kernels.registry.start(clock=kernels.clock, scrub_threads=patching.scrub_dummy_threads)
    yield kernels
    assert await kernels.registry.drain() == []


class Traces:
    """Weak references to a kernel and to what is in it."""

    def __init__(self, context: VirtualKernelContext) -> None:
        run, host = context._life.run, context.host
        assert run is not None
        assert isinstance(host, FakeHost)
        with context:
            value = Kept()
            kernel_value.set(value)
        self._references: dict[str, Callable[[], object]] = {
            "context": weakref.ref(context),
            "run": weakref.ref(run),
            "host": weakref.ref(host),
            "kernel": weakref.ref(host.kernel),
            "value": weakref.ref(value),
        }
        if host.shown and isinstance(host.shown[0], Kept):
            self._references["app"] = weakref.ref(host.shown[0])
        if (
            context._presence.table.get("page") is not None
            and (sink := context._presence.table._pages["page"].sink) is not None
        ):
            assert isinstance(sink, RecordingSink)
            self._references["websocket"] = weakref.ref(sink)

    @property
    def alive(self) -> list[str]:
        """What is still there."""
        return [name for name, reference in self._references.items() if reference() is not None]


async def ended(future: concurrent.futures.Future[CloseReport]) -> None:
    """Wait for the end of a close."""
    await asyncio.wrap_future(future)


async def test_a_used_and_closed_kernel_is_gone(kernels: Kernels) -> None:
    """Context, run, host, kernel, values, app and websocket, at the moment at which the close is done."""
    context = await kernels.opened()
    traces = Traces(context)
    context.receive("page", "frame")
    context.on_close(Kept)
    context.on_close(lambda: get_current_context().state)
    assert len(traces.alive) == 7
    closing = context.close()
    del context
    await ended(closing)
    assert traces.alive == []


async def test_a_culled_kernel_is_gone(kernels: Kernels) -> None:
    """The disconnect's future keeps nothing."""
    context = await kernels.opened()
    traces = Traces(context)
    culled = context.page_disconnect("page")
    del context
    kernels.clock.advance(86400)
    await culled
    assert traces.alive == []


async def test_a_restart_leaves_nothing_of_the_old_kernel(kernels: Kernels) -> None:
    """Only the context is the same."""
    context = await kernels.opened()
    traces = Traces(context)
    await ended(context.restart())
    assert traces.alive == ["context"]
    closing = context.close()
    del context
    await ended(closing)
    assert traces.alive == []


async def test_a_kept_report_keeps_nothing(kernels: Kernels) -> None:
    """Also one of a teardown in which a hook has raised."""
    context = await kernels.opened()
    traces = Traces(context)
    context.on_close(lambda: 1 / 0)
    logging.getLogger("solara_ctx").disabled = True  # pytest's handler keeps the errors that it is given
    closing = context.close()
    del context
    report = await asyncio.wrap_future(closing)
    logging.getLogger("solara_ctx").disabled = False
    assert not report.ok
    assert traces.alive == []


async def test_a_living_thread_inside_user_code(kernels: Kernels) -> None:
    """A thread that goes on in the kernel's name keeps nothing of it, and is told when it asks."""
    context = await kernels.opened()
    traces = Traces(context)
    inside, go_on = threading.Event(), threading.Event()
    seen: list[object] = []

    def user_code() -> None:
        seen.append(has_current_context())
        inside.set()
        assert go_on.wait(PATIENCE_S)
        seen.append(has_current_context())
        with pytest.raises(ContextClosed):
            get_current_context()

    thread = threading.Thread(target=current.call_bound, args=(context.handle(), user_code))
    thread.start()
    assert await asyncio.to_thread(inside.wait, PATIENCE_S)
    closing = context.close()
    del context
    await ended(closing)
    assert traces.alive == []
    go_on.set()
    await asyncio.to_thread(thread.join, PATIENCE_S)
    assert seen == [True, False]


async def test_a_thread_that_has_entered_the_context_itself(kernels: Kernels) -> None:
    """`with context:` in a thread holds the context for as long as the block's frame names it, and not longer."""
    context = await kernels.opened()
    traces = Traces(context)
    inside, go_on = threading.Event(), threading.Event()

    def user_code(context: VirtualKernelContext) -> None:
        context.__enter__()
        del context
        inside.set()
        assert go_on.wait(PATIENCE_S)
        current.pop()

    thread = threading.Thread(target=user_code, args=(context,))
    thread.start()
    assert await asyncio.to_thread(inside.wait, PATIENCE_S)
    closing = context.close()
    del context
    await ended(closing)
    go_on.set()
    await asyncio.to_thread(thread.join, PATIENCE_S)
    assert traces.alive == []


async def test_a_finished_thread(kernels: Kernels) -> None:
    """A thread object that somebody keeps, with the kernel still bound in it at its end."""
    context = await kernels.opened()
    traces = Traces(context)
    thread = threading.Thread(target=current.bind, args=(context.handle(),))
    thread.start()
    await asyncio.to_thread(thread.join, PATIENCE_S)
    closing = context.close()
    del context
    await ended(closing)
    assert traces.alive == []
    assert not thread.is_alive()


async def test_a_pool_s_worker(kernels: Kernels) -> None:
    """Neither a pool of the user's nor ours keeps anything between jobs."""
    context = await kernels.opened()
    traces = Traces(context)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        handle = context.handle()
        assert await asyncio.wrap_future(pool.submit(current.call_bound, handle, has_current_context))
        context.receive("page", "frame")
        closing = context.close()
        del context
        await ended(closing)
        assert traces.alive == []
        assert not await asyncio.wrap_future(pool.submit(has_current_context))


async def test_a_pending_task(kernels: Kernels) -> None:
    """A task that user code made by itself, in the kernel, ends with it; kept, it keeps nothing of it."""
    context = await kernels.opened()
    traces = Traces(context)

    async def user_code() -> None:
        assert has_current_context()
        await asyncio.get_running_loop().create_future()

    with context:
        task = asyncio.create_task(user_code())
    await asyncio.sleep(0)
    closing = context.close()
    del context
    await ended(closing)
    assert traces.alive == []
    assert task.cancelled()


async def test_the_kernel_s_own_tasks(kernels: Kernels) -> None:
    """Kept futures of tasks that were cancelled, have failed or have returned keep nothing."""
    context = await kernels.opened()
    traces = Traces(context)
    began = asyncio.Event()

    async def waits() -> int:
        began.set()
        await asyncio.get_running_loop().create_future()
        return 0

    async def fails() -> int:
        raise ValueError("no")

    async def returns() -> int:
        return 1

    logging.getLogger("solara_ctx").disabled = True
    futures: list[concurrent.futures.Future[int]] = [
        context.create_task(waits()),
        context.create_task(fails()),
        context.create_task(returns()),
    ]
    await began.wait()
    closing = context.close()
    del context
    await ended(closing)
    logging.getLogger("solara_ctx").disabled = False
    assert traces.alive == []
    assert [future.done() for future in futures] == [True, True, True]
    assert futures[0].cancelled()


async def test_a_stubborn_task_that_was_abandoned(kernels: Kernels) -> None:
    """It goes on, and keeps nothing."""
    context = await kernels.opened()
    traces = Traces(context)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        began.set()
        while not go_on.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go_on.wait()

    logging.getLogger("solara_ctx").disabled = True
    future = context.create_task(stubborn())
    await began.wait()
    closing = context.close()
    del context
    while not closing.done():
        kernels.clock.advance(1)
        await asyncio.sleep(0)
    logging.getLogger("solara_ctx").disabled = False
    assert traces.alive == []
    go_on.set()
    await asyncio.wrap_future(future)


async def test_a_kept_copy_of_the_context_variables(kernels: Kernels) -> None:
    """Made in the kernel, in a job of it and in a task of it: a dead handle each."""
    copies: list[contextvars.Context] = []
    context = await kernels.opened(lambda: copies.append(contextvars.copy_context()))
    traces = Traces(context)

    async def task() -> None:
        copies.append(contextvars.copy_context())

    with context:
        copies.append(contextvars.copy_context())
    await asyncio.wrap_future(context.create_task(task()))
    closing = context.close()
    del context
    await ended(closing)
    assert traces.alive == []
    assert [copy.run(has_current_context) for copy in copies] == [False] * 3


async def test_a_context_in_a_variable_of_the_user_s(kernels: Kernels) -> None:
    """A page function that puts its own context into a ContextVar makes a cycle, which the close undoes."""
    context = await kernels.opened(lambda: user_variable.set(get_current_context()))
    traces = Traces(context)
    # What `show` was given, the token, knows the variables that it was made in.
    assert isinstance(context.host, FakeHost)
    context.host.shown.clear()
    context.host.calls.clear()
    closing = context.close()
    del context
    await ended(closing)
    assert traces.alive == []


async def test_a_living_foreign_thread(kernels: Kernels) -> None:
    """Not started by `threading`, made a _DummyThread by asking who it is: it keeps nothing while it lives."""
    context = await kernels.opened()
    traces = Traces(context)
    handle = context.handle()
    inside, go_on, done = threading.Event(), threading.Event(), threading.Event()
    idents: list[int] = []

    def foreign() -> None:
        current.bind(handle)
        threading.current_thread()
        idents.append(threading.get_ident())
        inside.set()
        go_on.wait(PATIENCE_S)
        done.set()

    _thread.start_new_thread(foreign, ())
    assert await asyncio.to_thread(inside.wait, PATIENCE_S)
    closing = context.close()
    del context
    await ended(closing)
    assert traces.alive == []
    assert idents[0] in threading._active  # type: ignore[attr-defined]
    go_on.set()
    assert await asyncio.to_thread(done.wait, PATIENCE_S)


async def test_a_foreign_thread_s_entry_after_its_death(kernels: Kernels) -> None:
    """Up to Python 3.12 `threading` keeps a _DummyThread for ever: the close removes it, and the binding with it."""
    context = await kernels.opened()
    traces = Traces(context)
    handle = context.handle()
    seen: list[int] = []
    gone: list[Callable[[], object]] = []
    local = threading.local()
    dead = threading.Event()

    class EndOfThread:
        """Dies with its thread, when that is as good as gone."""

        def __del__(self) -> None:
            dead.set()

    def foreign() -> None:
        current.bind(handle)
        gone.append(weakref.ref(threading.current_thread()))
        seen.append(threading.get_ident())
        local.end = EndOfThread()

    _thread.start_new_thread(foreign, ())
    assert await asyncio.to_thread(dead.wait, PATIENCE_S)
    assert handle.foreign_threads == set(seen)
    closing = context.close()
    del context
    await ended(closing)
    assert traces.alive == []
    # It may take the dying thread a moment to leave the interpreter's list; the next close looks again.
    for _time in range(100):
        if gone[0]() is None:
            break
        await (await kernels.opened()).aclose()
    assert gone[0]() is None


async def test_a_hook_that_is_stuck(kernels: Kernels) -> None:
    """The kernel goes while the hook's thread is still inside."""
    context = await kernels.opened()
    traces = Traces(context)
    inside, go_on = threading.Event(), threading.Event()

    def hook() -> None:
        inside.set()
        assert go_on.wait(PATIENCE_S)

    logging.getLogger("solara_ctx").disabled = True
    context.on_close(hook)
    closing = context.close()
    del context
    assert await asyncio.to_thread(inside.wait, PATIENCE_S)
    kernels.clock.advance(5)
    await ended(closing)
    logging.getLogger("solara_ctx").disabled = False
    assert traces.alive == []
    go_on.set()


async def test_a_job_that_is_stuck(kernels: Kernels) -> None:
    """Its own frames hold the kernel it works for, and nothing else does: with the job the rest goes."""
    inside, go_on = threading.Event(), threading.Event()
    context = await kernels.opened()
    traces = Traces(context)

    def act(_host: FakeHost, _argument: object) -> None:
        inside.set()
        assert go_on.wait(PATIENCE_S)

    assert isinstance(context.host, FakeHost)
    context.host._act = {"receive": act}
    context.receive("page", "frame")
    assert await asyncio.to_thread(inside.wait, PATIENCE_S)
    logging.getLogger("solara_ctx").disabled = True
    closing = context.close()
    event = context.closed_event
    del context
    await asyncio.sleep(0)
    kernels.clock.advance(5)
    await ended(closing)
    logging.getLogger("solara_ctx").disabled = False
    assert event.is_set()
    assert "context" not in traces.alive
    assert "value" not in traces.alive
    assert "websocket" not in traces.alive
    go_on.set()
    await eventually(lambda: not traces.alive)


async def test_kept_ways_to_unregister(kernels: Kernels) -> None:
    """What on_close and on_start have returned keeps nothing."""
    context = await kernels.opened()
    traces = Traces(context)
    hook = Kept()
    gone = weakref.ref(hook)
    unregister = context.on_close(lambda hook=hook: None)  # type: ignore[misc]
    closing = context.close()
    del context, hook
    await ended(closing)
    assert traces.alive == []
    assert gone() is None
    unregister()


OURS = (VirtualKernelContext, KernelRun, Handle, Mailbox, KernelTasks, HookStack, KernelValues, PageTable, Teardown)


async def test_many_kernels_leave_no_garbage(kernels: Kernels) -> None:
    """After all that nothing of ours waits for the collector."""
    # What earlier tests have left in cycles of their own, such as a caught exception's, is not meant.
    earlier = [thing for thing in gc.get_objects() if issubclass(type(thing), OURS)]
    for _number in range(50):
        context = await kernels.opened()
        context.receive("page", "frame")
        context.on_close(Kept)
        await ended(context.restart())
        closing = context.close()
        del context
        await ended(closing)
    # The worker of the last step may not have left it yet, and still hold a handle.
    await eventually(lambda: sum(issubclass(type(thing), OURS) for thing in gc.get_objects()) <= len(earlier))
