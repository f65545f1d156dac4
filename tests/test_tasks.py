"""The asyncio tasks of one kernel."""

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
import weakref
from collections.abc import Coroutine

import pytest

from solara_ctx.errors import ContextClosed
from solara_ctx.tasks import KernelTasks
from tests.support.fakes import PATIENCE_S
from tests.support.service import turns

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="empty")


def make() -> KernelTasks:
    """The tasks of a kernel on this loop."""
    return KernelTasks("kernel-id", asyncio.get_running_loop(), lambda: None)


def create(
    tasks: KernelTasks, coroutine: Coroutine[object, None, object], *, name: str | None = None
) -> concurrent.futures.Future[object]:
    """Run a coroutine in a copy of the caller's variables."""
    return tasks.create(coroutine, contextvars.copy_context(), name)


async def forever() -> None:
    """Wait for nothing."""
    await asyncio.get_running_loop().create_future()


async def test_a_task_runs_on_the_loop_and_returns() -> None:
    """From the loop: in the given variables, on the loop's thread."""
    tasks = make()

    async def work() -> tuple[str, int]:
        await asyncio.sleep(0)
        return variable.get(), threading.get_ident()

    variable.set("mine")
    future = create(tasks, work())
    assert await asyncio.wrap_future(future) == ("mine", threading.get_ident())
    assert len(tasks) == 0


@pytest.mark.parametrize("mistake", [forever, 42, None])
async def test_what_is_no_coroutine_is_refused_at_once(mistake: object) -> None:
    """The caller is told, and not a log on the loop: an async function that was not called is everyday's mistake."""
    with pytest.raises(TypeError, match="create_task takes a coroutine"):
        create(make(), mistake)  # type: ignore[arg-type]


async def test_a_task_made_by_a_worker_runs_on_the_loop_too() -> None:
    """From a thread, which may wait for the result."""
    tasks = make()

    async def work() -> int:
        return threading.get_ident()

    def worker() -> object:
        return create(tasks, work()).result(PATIENCE_S)

    assert await asyncio.to_thread(worker) == threading.get_ident()


async def test_running_tasks_are_counted() -> None:
    """A gauge of what runs, not of what was asked for."""
    tasks = make()
    future = create(tasks, forever())
    assert len(tasks) == 0
    await turns()
    assert len(tasks) == 1
    tasks.cancel_all()
    await tasks.when_done(contextvars.Context())
    await turns()
    assert len(tasks) == 0
    assert future.cancelled()


async def test_cancelling_the_future_cancels_the_task() -> None:
    """From the loop and from a worker; the coroutine's clean-up runs."""
    tasks = make()
    cleaned: list[int] = []

    async def work() -> None:
        try:
            await forever()
        finally:
            cleaned.append(threading.get_ident())

    for cancel in ("here", "there"):
        future = create(tasks, work())
        await turns()
        assert future.cancel() if cancel == "here" else await asyncio.to_thread(future.cancel)
        await tasks.when_done(contextvars.Context())
        await turns()
        assert future.cancelled()
        assert len(tasks) == 0
    assert cleaned == [threading.get_ident()] * 2


async def test_cancelling_the_task_cancels_the_future() -> None:
    """Who waits for the future, in whatever way, is woken."""
    tasks = make()
    future = create(tasks, forever())
    await turns()
    waiting = asyncio.create_task(asyncio.to_thread(concurrent.futures.wait, [future], PATIENCE_S))
    tasks.cancel_all()
    done, not_done = await waiting
    assert (done, not_done) == ({future}, set())
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(0)


async def test_cancelling_before_the_start_starts_nothing() -> None:
    """A future that was cancelled at once: its coroutine never runs, and nobody warns of it."""
    tasks = make()
    ran: list[str] = []

    async def work() -> None:
        ran.append("ran")

    future = create(tasks, work())
    assert future.cancel()
    await turns()
    assert concurrent.futures.wait([future], 0).done == {future}
    assert ran == []


async def test_cancelling_between_start_and_first_step_runs_nothing() -> None:
    """The same when the task is there already but has not begun; nobody warns of its coroutine."""
    tasks = make()
    ran: list[str] = []

    async def work() -> None:
        ran.append("ran")

    future = create(tasks, work())
    # In the same turn as the start, behind it; the task's first step comes in the next turn.
    asyncio.get_running_loop().call_soon(tasks.cancel_all)
    await turns()
    assert future.cancelled()
    assert ran == []


async def test_a_failing_task_is_logged_and_tells(caplog: pytest.LogCaptureFixture) -> None:
    """The log names task and kernel, redacted; the future raises the error."""
    tasks = make()

    async def work() -> None:
        raise ValueError("no good")

    with caplog.at_level(logging.ERROR, "solara_ctx.tasks"):
        future = create(tasks, work(), name="saving")
        with pytest.raises(ValueError, match="no good"):
            await asyncio.wrap_future(future)
    (record,) = caplog.records
    assert record.getMessage() == "task 'saving' of kernel kernel… failed"
    assert record.exc_info is not None


async def test_a_task_that_fails_after_its_future_was_cancelled_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """No error is lost because nobody waits for it any more."""
    tasks = make()

    async def work() -> None:
        try:
            await forever()
        finally:
            raise ValueError("in the clean-up")

    with caplog.at_level(logging.ERROR, "solara_ctx.tasks"):
        future = create(tasks, work())
        await turns()
        future.cancel()
        await turns()
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["in the clean-up"]
    assert future.cancelled()


async def test_a_task_may_ignore_the_cancel_of_its_future() -> None:
    """Its result has nowhere to go, and nothing breaks."""
    tasks = make()

    async def work() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            return "stubborn"
        return ""

    future = create(tasks, work())
    await turns()
    future.cancel()
    await turns()
    assert len(tasks) == 0
    assert future.cancelled()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
async def test_a_task_that_exits_does_not_stop_the_loop(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """One page's sys.exit() ends that page's task."""
    tasks = make()

    async def work() -> None:
        raise error

    with caplog.at_level(logging.ERROR, "solara_ctx.tasks"):
        future = create(tasks, work())
        with pytest.raises(RuntimeError, match="ends the task, and nothing else") as raised:
            await asyncio.wrap_future(future)
    assert raised.value.__cause__ is error
    assert len(caplog.records) == 1


async def test_closed_tasks_take_no_more() -> None:
    """A new coroutine is closed and refused; no warning says that nobody awaited it."""
    tasks = make()
    tasks.refuse_new()
    with pytest.raises(ContextClosed, match="start a task"):
        create(tasks, forever())


async def test_a_task_on_its_way_when_the_kernel_closes_is_cancelled() -> None:
    """Created from a worker, not yet started: it never runs, its future is cancelled, and waiters are woken."""
    tasks = make()
    ran: list[str] = []

    async def work() -> None:
        ran.append("ran")

    future = create(tasks, work())
    tasks.refuse_new()
    await turns()
    assert concurrent.futures.wait([future], 0).done == {future}
    assert future.cancelled()
    assert ran == []


def test_a_loop_that_has_ended_refuses_tasks() -> None:
    """Nobody warns of a coroutine that was never awaited."""
    loop = asyncio.new_event_loop()
    tasks = KernelTasks("kernel-id", loop, lambda: None)
    loop.close()
    with pytest.raises(ContextClosed, match="start a task"):
        create(tasks, forever())


async def test_when_done_waits_for_every_task() -> None:
    """Also for one that takes its time to end, whatever it ends with."""
    tasks = make()
    go_on = asyncio.Event()

    async def slow() -> None:
        try:
            await forever()
        finally:
            await go_on.wait()

    create(tasks, slow())
    create(tasks, forever())
    await turns()
    tasks.cancel_all()
    done = tasks.when_done(contextvars.Context())
    await turns()
    assert not done.done()
    go_on.set()
    await done
    assert len(tasks) == 0
    await make().when_done(contextvars.Context())


async def test_where_names_every_line_on_the_way() -> None:
    """A stuck task is found by the user's own line, and by what that waits in: mostly one of asyncio's."""
    tasks = make()

    async def outer() -> None:
        await forever()

    create(tasks, outer(), name="stuck")
    await turns()
    first, second = outer.__code__.co_firstlineno + 1, forever.__code__.co_firstlineno + 2
    assert tasks.where().splitlines() == [
        "task 'stuck'",
        f'  File "{__file__}", line {first}, in outer',
        f'  File "{__file__}", line {second}, in forever',
    ]
    tasks.cancel_all()
    await tasks.when_done(contextvars.Context())


async def test_a_kept_future_keeps_nothing_of_the_task() -> None:
    """Neither the coroutine nor the variables of a finished task hang on its result."""
    tasks = make()

    class Kept:
        pass

    kept = Kept()
    gone = weakref.ref(kept)
    in_variables: contextvars.ContextVar[Kept] = contextvars.ContextVar("in_variables")

    async def work(kept: Kept) -> int:
        await asyncio.sleep(0)
        return id(kept)

    variables = contextvars.Context()
    variables.run(in_variables.set, kept)
    future = tasks.create(work(kept), variables, None)
    del variables
    await asyncio.wrap_future(future)
    await turns()
    del kept
    assert gone() is None
    assert future.done()
