"""The threads that run user code."""

import contextvars
import logging
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import pytest

from solara_ctx import current, patching
from solara_ctx.current import Handle
from solara_ctx.workers import WorkerPool
from tests.support.fakes import PATIENCE_S

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="empty")


class Blocking:
    """A job that runs until it is let go, and says when it has begun and on which thread."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.thread: threading.Thread | None = None

    def __call__(self) -> None:
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.let_go.wait(PATIENCE_S)

    def has_begun(self) -> bool:
        """Wait until a thread runs it."""
        return self.begun.wait(PATIENCE_S)

    def end(self) -> None:
        """Let it go, and wait for the end of its thread."""
        self.let_go.set()
        assert self.thread is not None
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    """A pool of one thread."""
    pool = WorkerPool(1)
    yield pool
    pool.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what other threads are about to do."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_at


def run(pool: WorkerPool, job: Callable[[], None]) -> None:
    """Submit *job*, and wait for its end."""
    done = threading.Event()
    pool.submit(job)
    pool.submit(done.set)
    assert done.wait(PATIENCE_S)


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_jobs_run_than_the_limit(limit: int) -> None:
    """At the limit every job has a thread; the next one waits for a thread to be free."""
    pool = WorkerPool(limit)
    jobs = [Blocking() for _number in range(limit + 1)]
    for number, job in enumerate(jobs):
        pool.submit(job)
        assert number == limit or job.has_begun()
        assert pool.threads == min(number + 1, limit)
    *running, waiting = jobs
    assert (pool.threads, pool.busy, pool.queued, pool.stuck) == (limit, limit, 1, 0)
    assert not waiting.begun.is_set()
    running[0].let_go.set()
    assert waiting.has_begun()
    assert pool.queued == 0
    pool.close()
    for job in jobs:
        job.let_go.set()
    for job in jobs:
        job.end()


def test_no_thread_is_started_before_it_is_needed(pool: WorkerPool) -> None:
    """A pool that has nothing to do costs nothing."""
    assert pool.threads == 0
    run(pool, lambda: None)
    assert pool.threads == 1


def test_a_stuck_job_is_made_up_for(pool: WorkerPool) -> None:
    """Who gives up on a job lets another thread take its place, until it comes back."""
    stuck, other = Blocking(), Blocking()
    pool.submit(stuck)
    assert stuck.has_begun()
    pool.submit(other)
    assert not other.begun.is_set()
    recover = pool.give_up_on_one()
    assert other.has_begun()
    assert (pool.threads, pool.stuck) == (2, 1)
    recover()
    assert pool.stuck == 0
    stuck.end()  # one of the two threads is too many now, and the first to be free ends
    assert pool.threads == 1
    pool.close()
    other.end()


def test_a_stuck_job_is_made_up_for_later_too(pool: WorkerPool) -> None:
    """Also when the others are submitted after somebody gave up."""
    stuck = Blocking()
    pool.submit(stuck)
    assert stuck.has_begun()
    recover = pool.give_up_on_one()
    assert pool.threads == 1
    run(pool, lambda: None)
    recover()
    pool.close()
    stuck.end()


def test_the_surplus_thread_takes_no_job(pool: WorkerPool) -> None:
    """When a stuck job has come back, the limit holds again, although jobs wait."""
    stuck, replacement, waiting = Blocking(), Blocking(), Blocking()
    pool.submit(stuck)
    assert stuck.has_begun()
    recover = pool.give_up_on_one()
    pool.submit(replacement)
    assert replacement.has_begun()
    pool.submit(waiting)
    recover()
    stuck.end()
    assert not waiting.begun.is_set()
    assert (pool.threads, pool.queued) == (1, 1)
    replacement.let_go.set()
    assert waiting.has_begun()
    pool.close()
    waiting.end()


def test_idle_threads_end_and_come_back() -> None:
    """A thread without work ends by itself, and the next job finds a new one."""
    pool = WorkerPool(1, idle_s=0.001)
    for _time in range(2):
        threads: list[threading.Thread] = []
        begun = threading.Event()

        def job(threads: list[threading.Thread] = threads, begun: threading.Event = begun) -> None:
            threads.append(threading.current_thread())
            begun.set()

        pool.submit(job)
        assert begun.wait(PATIENCE_S)
        threads[0].join(PATIENCE_S)
        assert not threads[0].is_alive()
        assert pool.threads == pool.busy == 0
    pool.close()


def test_no_job_is_lost_when_threads_come_and_go() -> None:
    """Whatever the moment at which an idle thread gives up, each job runs exactly once."""
    pool = WorkerPool(2, idle_s=0.0)
    ran: list[int] = []
    for number in range(500):
        done = threading.Event()

        def job(number: int = number, done: threading.Event = done) -> None:
            ran.append(number)
            done.set()

        pool.submit(job)
        assert done.wait(PATIENCE_S)
    assert ran == list(range(500))
    pool.close()


def test_every_job_runs_once_under_load() -> None:
    """Many submitters, few threads: nothing is lost, nothing runs twice, and the limit holds."""
    pool = WorkerPool(3, idle_s=0.0)
    lock = threading.Lock()
    ran: list[int] = []
    running = most = 0
    everything = threading.Semaphore(0)

    def job(number: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1
            ran.append(number)
        everything.release()

    def submit(start: int) -> None:
        for number in range(start, start + 200):
            pool.submit(partial(job, number))

    submitters = [threading.Thread(target=submit, args=(start,)) for start in range(0, 800, 200)]
    for submitter in submitters:
        submitter.start()
    for _job in range(800):
        assert everything.acquire(timeout=PATIENCE_S)
    for submitter in submitters:
        submitter.join(PATIENCE_S)
    assert sorted(ran) == list(range(800))
    assert most <= 3
    pool.close()


def test_a_worker_does_not_inherit_from_who_submitted(pool: WorkerPool) -> None:
    """A thread that serves everybody carries nothing of the first who needed it."""
    seen: list[str] = []

    def submit() -> None:
        variable.set("the submitter's")
        run(pool, lambda: seen.append(variable.get()))

    contextvars.Context().run(submit)
    assert seen == ["empty"]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)])
def test_a_raising_job_costs_no_thread(
    error: BaseException, pool: WorkerPool, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread goes on, the pool's books are right, and the log tells."""

    def fail() -> None:
        raise error

    with caplog.at_level(logging.ERROR, "solara_ctx.workers"):
        run(pool, fail)
    assert "should have handled itself" in caplog.text
    assert pool.threads == 1
    run(pool, lambda: None)


def test_a_worker_s_thread_does_not_inherit_the_kernel_either() -> None:
    """Also where threads inherit the kernel of who started them: the pool's belong to nobody."""
    patching.acquire()
    try:
        pool = WorkerPool(1)
        handle = Handle(StandIn(), "kernel-id")  # type: ignore[arg-type]
        seen: list[object] = []
        with current.bound(handle):
            run(pool, lambda: seen.append(current.peek_handle()))
        pool.close()
    finally:
        patching.release()
    assert seen == [None]


class StandIn:
    """As much of a context as a handle needs."""


def test_a_job_is_not_kept_by_the_thread_that_ran_it(pool: WorkerPool) -> None:
    """While the thread waits for the next job, nothing of the last one is alive."""
    job = Blocking()
    job.let_go.set()
    gone = weakref.ref(job)
    pool.submit(job)
    del job
    give_up_at = time.monotonic() + PATIENCE_S
    while pool.busy and time.monotonic() < give_up_at:
        pass
    assert gone() is None


def test_a_closed_pool_finishes_what_it_has_and_takes_no_more(pool: WorkerPool) -> None:
    """Jobs that wait still run; a new one is refused; every thread ends."""
    first, waiting = Blocking(), Blocking()
    pool.submit(first)
    pool.submit(waiting)
    assert first.has_begun()
    pool.close()
    with pytest.raises(RuntimeError, match="is closed"):
        pool.submit(lambda: None)
    first.let_go.set()
    assert waiting.has_begun()
    waiting.end()
    assert pool.threads == 0
    pool.close()


def test_threads_are_named_for_people() -> None:
    """A stack dump tells whose threads they are."""
    pool = WorkerPool(1, name="solara-ctx-test")
    job = Blocking()
    pool.submit(job)
    assert job.has_begun()
    assert job.thread is not None
    assert job.thread.name.startswith("solara-ctx-test-")
    pool.close()
    job.end()


def test_a_job_names_its_thread_for_itself_only(pool: WorkerPool) -> None:
    """A name that one user's callback has given is not what another's logs show."""
    names: list[str] = []

    def rename() -> None:
        names.append(threading.current_thread().name)
        threading.current_thread().name = "alice"

    run(pool, rename)
    run(pool, rename)
    assert names == [names[0], names[0]] != ["alice", "alice"]


def test_a_stuck_job_does_not_keep_the_interpreter() -> None:
    """A process whose callback blocks for ever still exits."""
    program = """
import threading
from solara_ctx.workers import WorkerPool
begun = threading.Event()
def block():
    begun.set()
    threading.Event().wait()
pool = WorkerPool(1)
pool.submit(block)
assert begun.wait(20)
print("leaving")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "leaving\n", "")


def test_what_a_job_returns_is_called_when_nothing_of_it_is_left() -> None:
    """Who is told there that the job has ended finds it gone, its locals and its errors included."""

    class Job:
        def __call__(self) -> Callable[[], None]:
            return tell

    seen: list[object] = []
    submitted, done = threading.Event(), threading.Event()

    def tell() -> None:
        assert submitted.wait(PATIENCE_S)
        seen.append(reference())
        done.set()

    job = Job()
    reference = weakref.ref(job)
    pool = WorkerPool(1)
    pool.submit(job)
    del job
    submitted.set()
    assert done.wait(PATIENCE_S)
    pool.close()
    assert seen == [None]


def test_a_fixed_number_of_threads() -> None:
    """They are there at once, and no more are started however much waits."""
    pool = WorkerPool(8, idle_s=0.001)
    pool.fix(2)
    assert pool.threads == 2
    jobs = [Blocking() for _ in range(3)]
    for job in jobs:
        pool.submit(job)
    assert jobs[0].has_begun()
    assert jobs[1].has_begun()
    assert (pool.threads, pool.queued) == (2, 1)
    for job in jobs:
        job.let_go.set()
    assert jobs[2].has_begun()
    first = jobs[0].thread
    pool.close()
    assert first is not None
    first.join(PATIENCE_S)
    assert not first.is_alive()


def test_who_submits_many_jobs_waits_for_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are started by each other, as many as there are jobs, and the event loop was free."""
    starters: list[int] = []
    submitted = threading.Event()
    start, work = WorkerPool._start_thread, WorkerPool._work

    def noted(pool: WorkerPool) -> None:
        starters.append(threading.get_ident())
        start(pool)

    def slow(pool: WorkerPool) -> None:
        assert submitted.wait(PATIENCE_S)
        work(pool)

    monkeypatch.setattr(WorkerPool, "_start_thread", noted)
    monkeypatch.setattr(WorkerPool, "_work", slow)
    pool = WorkerPool(16)
    jobs = [Blocking() for _ in range(8)]
    for job in jobs:
        pool.submit(job)
    submitted.set()
    assert all(job.has_begun() for job in jobs)
    assert pool.threads == len(starters) == 8
    assert starters.count(threading.get_ident()) == 1
    pool.close()
    for job in jobs:
        job.end()


def test_where_the_system_has_no_more_threads_those_that_are_there_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was submitted waits for them, or for the next job, which tries again."""
    refused = threading.Event()
    start = threading.Thread.start

    def start_or_not(thread: threading.Thread) -> None:
        if refused.is_set():
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_not)
    pool = WorkerPool(2)
    first, second, third = Blocking(), Blocking(), Blocking()
    refused.set()
    pool.submit(first)
    assert "no more threads to give; 0 go on" in caplog.text
    assert (pool.threads, pool.queued) == (0, 1)
    recover = pool.give_up_on_one()
    recover()
    assert pool.stuck == 0
    refused.clear()
    pool.submit(second)
    assert first.has_begun()
    assert second.has_begun()
    pool.submit(third)
    first.let_go.set()
    assert third.has_begun()
    pool.close()
    second.end()
    third.end()


def test_threads_that_are_idle_already_stay_or_go_as_fixed() -> None:
    """Those that are too many end, and the others stay for longer than they would have."""
    pool = WorkerPool(4, idle_s=0.2)
    jobs = [Blocking() for _ in range(4)]
    for job in jobs:
        pool.submit(job)
        assert job.has_begun()
    for job in jobs:
        job.let_go.set()
    until(lambda: pool.busy == 0)
    pool.fix(2)
    until(lambda: pool.threads == 2)
    assert jobs[0].thread is not None
    with pool._lock:
        assert pool._idle_s is None
    pool.close()
    until(lambda: pool.threads == 0)


def test_the_last_to_be_idle_is_the_first_to_go() -> None:
    """It is the quickest to start again; and those that are not needed can end."""
    pool = WorkerPool(3)
    jobs = [Blocking() for _ in range(3)]
    for job in jobs:
        pool.submit(job)
    assert all(job.has_begun() for job in jobs)
    for left, job in enumerate(jobs, 1):
        job.let_go.set()
        until(lambda left=left: len(pool._parked) == left)  # type: ignore[misc]
    for _ in range(3):
        again = Blocking()
        again.let_go.set()
        pool.submit(again)
        assert again.has_begun()
        assert again.thread is jobs[-1].thread
        until(lambda: len(pool._parked) == 3)
    pool.close()


class LateSpot:
    """Where a thread is parked whose time is over in the moment in which somebody wakes it."""

    def __init__(self, pool: WorkerPool) -> None:
        self.released = 0
        self._pool = pool

    def acquire(self, *, timeout: float | None = None) -> bool:
        """A job comes before the thread could say that it has waited long enough."""
        if timeout is None:
            assert self.released == 1
            return True
        self._pool.submit(lambda: None)
        return False

    def release(self) -> None:
        """Wake it."""
        self.released += 1


def test_a_thread_that_was_woken_at_the_last_moment_takes_the_job(pool: WorkerPool) -> None:
    """Its lock is as it was before, for the next time."""
    spot = LateSpot(pool)
    pool._threads = 1  # the one that is played here
    assert pool._next_job(cast("threading.Lock", spot)) is not None
    assert (spot.released, pool._parked, pool._idle) == (1, [], 0)


def test_a_surplus_thread_that_is_woken_sends_another() -> None:
    """One that comes back from a stuck job may be the first to be woken, and has to end: the job is not left behind."""
    pool = WorkerPool(1)
    stuck, other, job = Blocking(), Blocking(), Blocking()
    pool.submit(stuck)
    assert stuck.has_begun()
    recovered = pool.give_up_on_one()
    pool.submit(other)
    assert other.has_begun()
    other.let_go.set()
    until(lambda: len(pool._parked) == 1)
    stuck.let_go.set()
    until(lambda: len(pool._parked) == 2)
    recovered()
    pool.submit(job)
    assert job.has_begun()
    assert job.thread is other.thread
    job.let_go.set()
    pool.close()


def test_a_fixed_number_of_threads_takes_turns() -> None:
    """What each of them has is there soon, and not when chance has it."""
    pool = WorkerPool(8)
    pool.fix(3)
    until(lambda: len(pool._parked) == 3)
    threads = []
    for _ in range(6):
        job = Blocking()
        job.let_go.set()
        pool.submit(job)
        assert job.has_begun()
        threads.append(job.thread)
        until(lambda: len(pool._parked) == 3)
    assert len(set(threads[:3])) == 3
    assert threads[3:] == threads[:3]
    pool.close()


def test_where_the_interpreter_starts_no_threads_any_more_jobs_run_here(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Hooks of kernels that are open while a script ends have nobody else."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    ran: list[str] = []

    def job() -> Callable[[], None]:
        ran.append("job")
        return lambda: ran.append("and then")

    pool = WorkerPool(2)
    pool.submit(job)
    pool.submit(job)
    assert ran == ["job", "and then"] * 2
    assert (pool.threads, pool.queued) == (0, 0)
    assert caplog.text == ""
