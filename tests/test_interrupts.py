"""Interrupting the job of one kernel."""

import contextlib
import functools
import itertools
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from solara_ctx import interrupts as module
from solara_ctx import page_code
from solara_ctx.interrupts import Interrupted, Interrupts
from tests.support.fakes import PATIENCE_S


class Worker:
    """A thread that runs jobs, one after the other."""

    def __init__(self, *jobs: tuple[Interrupts, Callable[[], object]]) -> None:
        self.outcomes: list[str] = []
        self._jobs = jobs
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        for kernel, job in self._jobs:
            try:
                kernel.run(job)
                self.outcomes.append("done")
            except Interrupted:
                self.outcomes.append("interrupted")

    def join(self) -> list[str]:
        """What became of the jobs."""
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        return self.outcomes


def deliver(kernel: Interrupts) -> None:
    """As often as it takes."""
    deadline = time.monotonic() + PATIENCE_S
    while not kernel.deliver():
        assert time.monotonic() < deadline


def spin(begun: threading.Event, until: Callable[[], bool] = lambda: False) -> None:
    """Python code that takes its time."""
    begun.set()
    while not until():
        pass


def test_a_job_is_interrupted_where_it_is() -> None:
    """And the thread goes on with the next."""
    kernel, begun = Interrupts(), threading.Event()
    worker = Worker((kernel, functools.partial(spin, begun)), (kernel, lambda: None))
    assert begun.wait(PATIENCE_S)
    assert kernel.ask()
    deliver(kernel)
    assert worker.join() == ["interrupted", "done"]


def test_a_job_that_catches_it_goes_on() -> None:
    """As in a notebook: a loop that ends by `except KeyboardInterrupt` has its own end."""
    kernel, begun = Interrupts(), threading.Event()
    caught: list[str] = []

    def job() -> None:
        try:
            spin(begun)
        except KeyboardInterrupt:
            caught.append("caught")

    worker = Worker((kernel, job))
    assert begun.wait(PATIENCE_S)
    assert kernel.ask()
    deliver(kernel)
    assert worker.join() == ["done"]
    assert caught == ["caught"]


def test_without_a_job_nothing_is_interrupted() -> None:
    """Neither the next one."""
    kernel = Interrupts()
    assert not kernel.ask()
    assert kernel.deliver()
    assert Worker((kernel, lambda: None)).join() == ["done"]
    assert kernel.deliver()


def test_what_was_asked_for_one_job_is_not_for_the_next() -> None:
    """It had ended by the time that it would have arrived."""
    kernel, begun, go_on = Interrupts(), threading.Event(), threading.Event()
    second, release = threading.Event(), threading.Event()
    worker = Worker(
        (kernel, functools.partial(spin, begun, go_on.is_set)),
        (kernel, functools.partial(spin, second, release.is_set)),
    )
    assert begun.wait(PATIENCE_S)
    assert kernel.ask()
    go_on.set()
    assert second.wait(PATIENCE_S)
    assert kernel.deliver()
    release.set()
    assert worker.join() == ["done", "done"]


@contextmanager
def calling_everything_ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(module, "_OURS", __file__)
        yield


@pytest.mark.parametrize("wait", [lambda: threading.Event().wait(0.001), lambda: queue.Queue[int]().get(timeout=0.001)])
def test_what_waits_in_short_turns_is_interrupted(wait: Callable[[], object]) -> None:
    """It is in the standard library nearly all of the time."""
    kernel, begun = Interrupts(), threading.Event()

    def job() -> None:
        while True:
            with contextlib.suppress(queue.Empty):
                wait()
            begun.set()

    worker = Worker((kernel, job))
    assert begun.wait(PATIENCE_S)
    assert kernel.ask()
    deliver(kernel)
    assert worker.join() == ["interrupted"]


def test_the_standard_library_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """`logging` for example, which would leave its lock locked."""
    kernel, begun = Interrupts(), threading.Event()
    release: list[bool] = []

    class Slow(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            begun.set()
            while not release:
                pass

    monkeypatch.setattr(module, "_STDLIB", __file__)
    module._is_of_stdlib.cache_clear()
    worker = Worker((kernel, functools.partial(Slow().handle, logging.makeLogRecord({}))))
    assert begun.wait(PATIENCE_S)
    assert kernel.ask()
    assert not kernel.deliver()
    release.append(True)
    assert worker.join() == ["done"]
    module._is_of_stdlib.cache_clear()


def test_our_own_code_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a message would be sent: it is tried again a moment later; where we only wait for a page's code, it is."""
    kernel, begun = Interrupts(), threading.Event()
    worker = Worker((kernel, functools.partial(spin, begun)))
    assert begun.wait(PATIENCE_S)
    assert kernel.ask()
    with calling_everything_ours(monkeypatch):
        assert not kernel.deliver()
        monkeypatch.setattr(page_code, "__file__", __file__)
        assert kernel.deliver()
    assert worker.join() == ["interrupted"]


@pytest.fixture
def quick_turns() -> Iterator[None]:
    """Threads take turns every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.uncovered  # coverage has a lock of its own, which an interrupt may leave locked
@pytest.mark.usefixtures("quick_turns")
def test_a_thread_is_never_interrupted_in_another_kernels_job() -> None:
    """Ten thousand short jobs of two kernels in turn, and one of the kernels is interrupted all the time."""
    mine, others = Interrupts(), Interrupts()
    pesters, over = threading.Event(), threading.Event()
    turns = itertools.count()

    def pester() -> None:
        while not over.is_set():
            mine.ask()
            mine.deliver()
            pesters.set()

    def short() -> None:
        for _ in range(next(turns) % 300):
            pass

    pesterer = threading.Thread(target=pester)
    pesterer.start()
    assert pesters.wait(PATIENCE_S)
    interrupted = rounds = 0
    while rounds < 5 or not interrupted:
        outcomes = Worker(*[(mine, short), (others, short)] * 2_000).join()
        assert outcomes[1::2] == ["done"] * 2_000
        interrupted += outcomes[::2].count("interrupted")
        rounds += 1
    over.set()
    pesterer.join(PATIENCE_S)
