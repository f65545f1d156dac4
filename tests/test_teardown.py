"""Taking a kernel down, step by step."""

import asyncio
import contextvars
import logging
import threading
import weakref
from collections.abc import Iterator
from functools import partial

import pytest

from solara_ctx.teardown import CloseReport, Closers, Step, StepResult, Teardown, stack_of_thread, summary
from solara_ctx.workers import Job, WorkerPool
from tests.support.fakes import PATIENCE_S, FakeClock
from tests.support.service import turns

BUDGET_S = 5.0
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="empty")


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still."""
    return FakeClock()


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    """A single thread for all steps, so that a stuck one would stop the next."""
    pool = WorkerPool(1)
    yield pool
    pool.close()


@pytest.fixture
def teardown(clock: FakeClock, pool: WorkerPool) -> Teardown:
    """A teardown with a budget of five seconds a step."""
    return Teardown("kernel-id", clock=clock, closers=Closers(pool, pool), budget_s=BUDGET_S)


class Stuck:
    """A step that blocks until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.let_go.wait(PATIENCE_S)

    async def has_begun(self) -> None:
        """Wait until a thread runs it."""
        assert await asyncio.to_thread(self.begun.wait, PATIENCE_S)


async def test_steps_run_in_order_and_are_reported(teardown: Teardown, clock: FakeClock) -> None:
    """On the loop or on a worker, each step is in the report with its name and its time."""
    threads: list[int] = []

    def step() -> None:
        threads.append(threading.get_ident())
        clock._now += 1.5

    teardown.here("on the loop", step)
    await teardown.waiting("on a worker", step, contextvars.Context())
    report = teardown.report("culled")
    assert report == CloseReport(
        kernel="kernel…",
        reason="culled",
        seconds=3.0,
        steps=(StepResult(name="on the loop", seconds=1.5), StepResult(name="on a worker", seconds=1.5)),
    )
    assert report.ok
    assert threads[0] == threading.get_ident() != threads[1]


async def test_a_step_runs_in_the_variables_it_was_given(teardown: Teardown) -> None:
    """A hook sees the kernel that it belongs to, whichever thread runs it."""
    variables = contextvars.Context()
    variables.run(variable.set, "the kernel's")
    seen: list[str] = []
    await teardown.waiting("step", lambda: seen.append(variable.get()), variables)
    assert seen == ["the kernel's"]
    assert variable.get() == "empty"


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
async def test_a_raising_step_on_a_worker_is_noted(
    error: BaseException, teardown: Teardown, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is in the report and in the log, with kernel and step, and the next step runs."""

    def fail() -> None:
        raise error

    with caplog.at_level(logging.ERROR, "solara_ctx.teardown"):
        await teardown.waiting("hook f", fail, contextvars.Context())
        await teardown.waiting("next", lambda: None, contextvars.Context())
    failed, following = teardown.report("closed").steps
    assert (failed.ok, failed.error, failed.abandoned) == (False, summary(error), False)
    assert following.ok
    assert not teardown.report("closed").ok
    (record,) = caplog.records
    assert record.getMessage() == "closing kernel kernel…: hook f failed"
    assert record.exc_info is not None


async def test_a_raising_step_on_the_loop_is_noted(teardown: Teardown, caplog: pytest.LogCaptureFixture) -> None:
    """The same for our own steps."""
    with caplog.at_level(logging.ERROR, "solara_ctx.teardown"):
        teardown.here("registry", lambda: 1 / 0)
    (step,) = teardown.report("closed").steps
    assert step.error == "ZeroDivisionError: division by zero"
    assert [record.getMessage() for record in caplog.records] == ["closing kernel kernel…: registry failed"]


async def test_a_step_over_budget_is_abandoned_and_named(
    teardown: Teardown, clock: FakeClock, pool: WorkerPool, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up on with its thread's stack, the next step runs on another thread, and the late end is harmless."""
    stuck = Stuck()
    step = asyncio.create_task(teardown.waiting("hook stuck", stuck, contextvars.Context()))
    await stuck.has_begun()
    with caplog.at_level(logging.ERROR, "solara_ctx.teardown"):
        clock.advance(BUDGET_S)
        await step
    (abandoned,) = teardown.report("closed").steps
    assert (abandoned.ok, abandoned.abandoned, abandoned.error, abandoned.seconds) == (False, True, None, BUDGET_S)
    assert abandoned.stack is not None
    assert "self.let_go.wait(PATIENCE_S)" in abandoned.stack
    (record,) = caplog.records
    assert "hook stuck did not end within 5 s and was abandoned; it is stuck here:" in record.getMessage()
    assert "self.let_go.wait(PATIENCE_S)" in record.getMessage()

    await teardown.waiting("next", lambda: None, contextvars.Context())
    assert teardown.report("closed").steps[1].ok
    assert (pool.stuck, pool.threads) == (1, 2)

    stuck.let_go.set()
    pool.close()
    await asyncio.to_thread(_wait_until_empty, pool)
    assert pool.stuck == 0


async def test_what_a_teardown_waits_for_can_be_asked(teardown: Teardown) -> None:
    """A hook with its place in the code, whatever else has to stop, a thread where none is free, or nothing."""
    assert teardown.where() == "another step to begin"
    stuck = Stuck()
    step = asyncio.create_task(teardown.waiting("hook stuck", stuck, contextvars.Context()))
    await stuck.has_begun()
    assert teardown.where().startswith("hook stuck, here:\n")
    assert "self.let_go.wait(PATIENCE_S)" in teardown.where()
    stuck.let_go.set()
    await step
    assert teardown.where() == "another step to begin"
    future = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(teardown.until("tasks", future, lambda: "in line 7"))
    await asyncio.sleep(0)
    assert teardown.where() == "tasks, here:\nin line 7"
    future.set_result(None)
    await waiting
    assert teardown.where() == "another step to begin"


def _wait_until_empty(pool: WorkerPool) -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("solara-ctx"):
            thread.join(PATIENCE_S)
    assert pool.threads == 0


@pytest.mark.parametrize(("passed_s", "abandoned"), [(4.9, False), (5.0, True), (5.1, True)])
async def test_the_budget_is_exact(passed_s: float, teardown: Teardown, clock: FakeClock, *, abandoned: bool) -> None:
    """Below the budget a step is waited for; at it and above it is not."""
    stuck = Stuck()
    step = asyncio.create_task(teardown.waiting("step", stuck, contextvars.Context()))
    await stuck.has_begun()
    clock.advance(passed_s)
    await turns()
    assert step.done() is abandoned
    stuck.let_go.set()
    await step
    assert teardown.report("closed").steps[0].abandoned is abandoned


async def test_waiting_for_a_thread_costs_no_budget(teardown: Teardown, clock: FakeClock, pool: WorkerPool) -> None:
    """A hook is not given up on because others were closing: its budget begins when it does."""
    others, stuck = Stuck(), Stuck()
    pool.submit(others)
    await others.has_begun()
    step = asyncio.create_task(teardown.waiting("hook", stuck, contextvars.Context()))
    await turns()
    for _time in range(3):
        clock.advance(BUDGET_S)
        await turns()
        assert not step.done()
    others.let_go.set()
    await stuck.has_begun()
    clock.advance(BUDGET_S - 0.1)
    await turns()
    assert not step.done()
    clock.advance(0.1)
    await step
    assert teardown.report("closed").steps[0].abandoned
    stuck.let_go.set()


async def test_the_late_error_of_an_abandoned_step_is_logged(
    teardown: Teardown, clock: FakeClock, pool: WorkerPool, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes to the log when it comes; the report does not change any more."""
    stuck = Stuck()

    def fail_late() -> None:
        stuck()
        raise ValueError("late")

    step = asyncio.create_task(teardown.waiting("hook", fail_late, contextvars.Context()))
    await stuck.has_begun()
    clock.advance(BUDGET_S)
    await step
    before = teardown.report("closed").steps
    caplog.clear()
    with caplog.at_level(logging.ERROR, "solara_ctx.teardown"):
        stuck.let_go.set()
        pool.close()
        await asyncio.to_thread(_wait_until_empty, pool)
    assert [record.getMessage() for record in caplog.records] == ["closing kernel kernel…: hook failed"]
    assert teardown.report("closed").steps == before


def test_a_step_may_outlive_its_event_loop() -> None:
    """An abandoned step that ends after the server's loop was closed disturbs nobody."""
    clock, pool, stuck = FakeClock(), WorkerPool(1), Stuck()

    async def main() -> CloseReport:
        teardown = Teardown("kernel-id", clock=clock, closers=Closers(pool, pool), budget_s=BUDGET_S)
        step = asyncio.create_task(teardown.waiting("hook", stuck, contextvars.Context()))
        await stuck.has_begun()
        clock.advance(BUDGET_S)
        await step
        return teardown.report("closed")

    assert not asyncio.run(main()).ok
    stuck.let_go.set()
    pool.close()  # a thread that died of an error would fail the test by its warning


async def test_waiting_for_something_to_stop(teardown: Teardown, clock: FakeClock) -> None:
    """`until` says whether it has stopped, and where it is stuck if not."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    waits = asyncio.create_task(teardown.until("tasks", future, lambda: "nowhere"))
    await turns()
    clock.advance(BUDGET_S - 0.1)
    await turns()
    future.set_result(None)
    assert await waits is True
    stuck: asyncio.Future[None] = loop.create_future()
    waits = asyncio.create_task(teardown.until("running job", stuck, lambda: "in a loop"))
    await turns()
    clock.advance(BUDGET_S)
    assert await waits is False
    assert not stuck.done()
    stopped, abandoned = teardown.report("closed").steps
    assert stopped.ok
    assert (abandoned.abandoned, abandoned.stack) == (True, "in a loop")


async def test_a_cancelled_teardown_goes_on(teardown: Teardown) -> None:
    """Cancelling the task that waits for a step does not skip what comes after."""
    stuck, ran = Stuck(), list[str]()

    async def steps() -> None:
        await teardown.waiting("stuck", stuck, contextvars.Context())
        await teardown.waiting("next", lambda: ran.append("next"), contextvars.Context())

    task = asyncio.create_task(steps())
    await stuck.has_begun()
    task.cancel()
    await turns()
    stuck.let_go.set()
    await task
    assert ran == ["next"]


async def test_a_report_pins_nothing(teardown: Teardown, clock: FakeClock) -> None:
    """Neither the step, nor what it refers to, nor its error, nor the frames it was stuck in."""

    class Kept:
        pass

    kept = Kept()
    gone = weakref.ref(kept)
    stuck = Stuck()

    def fail(kept: Kept = kept) -> None:
        raise ValueError(repr(kept))

    def block(kept: Kept = kept) -> None:
        stuck()
        del kept

    logging.getLogger("solara_ctx.teardown").disabled = True  # pytest's handler keeps the errors that it is given
    try:
        await teardown.waiting("fails", fail, contextvars.Context())
        step = asyncio.create_task(teardown.waiting("blocks", block, contextvars.Context()))
        await stuck.has_begun()
        clock.advance(BUDGET_S)
        await step
    finally:
        logging.getLogger("solara_ctx.teardown").disabled = False
    report = teardown.report("closed")
    stuck.let_go.set()
    del kept, fail, block, step
    pool = teardown._closers.waiting
    pool.close()
    await asyncio.to_thread(_wait_until_empty, pool)
    assert gone() is None
    assert [step.ok for step in report.steps] == [False, False]


class KeepingPool(WorkerPool):
    """A pool that keeps its jobs, as the last line of a thread that has just run one does for a moment."""

    def __init__(self) -> None:
        super().__init__(1)
        self.kept: list[Job] = []

    def submit(self, job: Job) -> None:
        """Run *job* on a thread, and keep it."""
        self.kept.append(job)
        super().submit(job)


async def test_a_step_s_job_keeps_nothing_once_it_has_run(clock: FakeClock) -> None:
    """Neither the step nor the variables that it ran in, with whatever user code had put there."""

    class Kept:
        pass

    kept = Kept()
    gone = weakref.ref(kept)
    in_variables: contextvars.ContextVar[Kept] = contextvars.ContextVar("in_variables")
    variables = contextvars.Context()
    variables.run(in_variables.set, kept)
    pool = KeepingPool()
    teardown = Teardown("kernel-id", clock=clock, closers=Closers(pool, pool), budget_s=BUDGET_S)
    await teardown.waiting("step", partial(repr, kept), variables)
    del kept, variables
    assert gone() is None
    assert len(pool.kept) == 1
    pool.close()


async def test_steps_that_compute_take_one_way_to_a_worker(teardown: Teardown, clock: FakeClock) -> None:
    """One after the other on one thread, each with its own time and its own error, in variables that they share."""
    threads: list[int] = []
    seen: list[str] = []

    def first() -> None:
        threads.append(threading.get_ident())
        variable.set("set by the first")
        clock._now += 1
        raise ValueError("no")

    def second() -> None:
        threads.append(threading.get_ident())
        seen.append(variable.get())
        clock._now += 2

    await teardown.computing([("widgets", first), ("kernel", second)], contextvars.Context)
    assert teardown.report("closed").steps == (
        StepResult(name="widgets", seconds=1, error="ValueError: no"),
        StepResult(name="kernel", seconds=2),
    )
    assert len(set(threads)) == 1
    assert seen == ["set by the first"]


async def test_the_step_after_an_abandoned_one_runs_elsewhere(teardown: Teardown, clock: FakeClock) -> None:
    """On another thread and in fresh variables; the thread that was stuck does not run it again."""
    stuck, ran = Stuck(), list[str]()
    contexts: list[contextvars.Context] = []

    def new_context() -> contextvars.Context:
        contexts.append(contextvars.Context())
        return contexts[-1]

    steps: list[Step] = [
        ("first", lambda: ran.append("first")),
        ("stuck", stuck),
        ("last", lambda: ran.append("last")),
    ]
    task = asyncio.create_task(teardown.computing(steps, new_context))
    await stuck.has_begun()
    clock.advance(BUDGET_S)
    await task
    assert [(step.name, step.abandoned) for step in teardown.report("closed").steps] == [
        ("first", False),
        ("stuck", True),
        ("last", False),
    ]
    assert len(contexts) == 2
    pool = teardown._closers.computing
    assert pool.stuck == 1
    stuck.let_go.set()
    pool.close()
    await asyncio.to_thread(_wait_until_empty, pool)
    assert ran == ["first", "last"]
    assert pool.stuck == 0
    assert len(teardown.report("closed").steps) == 3


async def test_each_step_has_a_budget_of_its_own(teardown: Teardown, clock: FakeClock) -> None:
    """A second step that is slow is not given up on for what the first has taken."""
    first, second = Stuck(), Stuck()
    task = asyncio.create_task(teardown.computing([("first", first), ("second", second)], contextvars.Context))
    for step in (first, second):
        await step.has_begun()
        clock.advance(BUDGET_S - 1)
        await turns()
        assert not task.done()
        step.let_go.set()
    await task
    assert [step.seconds for step in teardown.report("closed").steps] == [BUDGET_S - 1] * 2


def test_the_stack_of_a_thread_that_is_gone() -> None:
    """Asking for it is harmless."""
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join(PATIENCE_S)
    assert stack_of_thread(None) == "(the thread has no Python frame)"
    assert "test_the_stack_of_a_thread" in stack_of_thread(threading.get_ident())


def test_an_error_in_one_line() -> None:
    """As a traceback would end."""
    assert summary(ValueError("no")) == "ValueError: no"
    assert summary(SystemExit()) == "SystemExit"


async def test_what_waits_does_not_hold_up_what_computes(clock: FakeClock) -> None:
    """A hook that hangs and the end of somebody else's widgets have threads of their own."""
    closers = Closers(WorkerPool(1), WorkerPool(1))
    stuck = Stuck()
    hook = asyncio.create_task(
        Teardown("first", clock=clock, closers=closers, budget_s=BUDGET_S).waiting("hook", stuck, contextvars.Context())
    )
    await stuck.has_begun()
    other = Teardown("second", clock=clock, closers=closers, budget_s=BUDGET_S)
    await other.computing([("widgets", lambda: None)], contextvars.Context)
    assert other.report("closed").ok
    assert not hook.done()
    stuck.let_go.set()
    await hook
    closers.close()
