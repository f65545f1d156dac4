"""Interrupting the job of one kernel."""

import contextlib
import dis
import functools
import importlib
import itertools
import linecache
import logging
import queue
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

import pytest

from solara_ctx import interruptible, interrupts, page_code
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
        patch.setattr(interruptible, "_OURS", __file__)
        yield


LIBRARY = """
import threading

LOCK = threading.Lock()


def locked(work):
    take()
    try:
        work()
    finally:
        give_back()


def take():
    LOCK.acquire()


def give_back():
    LOCK.release()


def call(work, until):
    while not until():
        work()


def spin(begun, until=lambda: False):
    begun.set()
    while not until():
        pass


class Whole:
    def __init__(self, begun, until):
        self.begun, self.until = begun, until

    def __enter__(self):
        pass

    def __exit__(self, *error):
        spin(self.begun, self.until)
"""


@dataclass
class Installed:
    """A module as it is installed, and where."""

    names: dict[str, Any]

    @classmethod
    def at(cls, filename: str, name: str = "somebodys.library") -> "Installed":
        names: dict[str, Any] = {"__name__": name, "__file__": filename}
        exec(compile(LIBRARY, filename, "exec"), names)  # noqa: S102 - the file need not be there
        return cls(names)

    def __getattr__(self, name: str) -> Any:
        return self.names[name]


@pytest.fixture
def library() -> Installed:
    """Somebody else's."""
    return Installed.at("/somewhere/site-packages/somebodys/library.py")


def ask_in_vain(kernel: Interrupts, *, tries: int = 3 * interrupts._PATIENCE) -> None:
    """Try often enough that a library may be interrupted, too."""
    assert kernel.ask()
    for _ in range(tries):
        assert not kernel.deliver()
        time.sleep(0)  # the other thread's turn, so that it is met elsewhere next


def test_a_library_is_interrupted_only_where_nothing_else_can_be(library: Installed) -> None:
    """One that does not come back to the app's code for a long time."""
    kernel, begun = Interrupts(), threading.Event()
    worker = Worker((kernel, lambda: library.spin(begun)))
    assert begun.wait(PATIENCE_S)
    ask_in_vain(kernel, tries=interrupts._PATIENCE)
    deliver(kernel)
    assert worker.join() == ["interrupted"]


def test_a_library_that_calls_the_app_is_interrupted_there(library: Installed) -> None:
    """As `DataFrame.apply` does."""
    kernel, begun = Interrupts(), threading.Event()
    worker = Worker((kernel, lambda: library.call(lambda: spin(begun), lambda: False)))
    assert begun.wait(PATIENCE_S)
    assert kernel.ask()
    deliver(kernel)
    assert worker.join() == ["interrupted"]


@pytest.mark.parametrize("through", ["take", "give_back"])
def test_a_function_of_a_library_that_names_a_lock_is_not_interrupted(library: Installed, through: str) -> None:
    """It has taken it by now, or has still to give it back."""
    kernel, begun, go_on = Interrupts(), threading.Event(), threading.Event()
    slowly = partial(library.spin, begun, go_on.is_set)
    library.names["LOCK"] = SimpleNamespace(acquire=slowly, release=slowly)
    worker = Worker((kernel, getattr(library, through)))
    assert begun.wait(PATIENCE_S)
    ask_in_vain(kernel)
    go_on.set()
    assert worker.join() == ["done"]


def test_what_ends_a_with_is_not_interrupted(library: Installed) -> None:
    """Neither in the app's own code."""
    for whole in (library.Whole, Installed.at(__file__, __name__).Whole):
        kernel, begun, go_on = Interrupts(), threading.Event(), threading.Event()

        def job(whole: Any = whole, begun: threading.Event = begun, go_on: threading.Event = go_on) -> None:
            with whole(begun, go_on.is_set):
                pass

        worker = Worker((kernel, job))
        assert begun.wait(PATIENCE_S)
        ask_in_vain(kernel)
        go_on.set()
        assert worker.join() == ["done"]


def test_the_apps_own_package_may_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is where an app is deployed as a package."""
    monkeypatch.setattr(interruptible, "_app_packages", set())
    app = Installed.at("/somewhere/site-packages/app/pages.py", "app.pages")
    interruptible.add_app_code(partial(app.call, None))
    kernel, begun = Interrupts(), threading.Event()
    worker = Worker((kernel, lambda: app.spin(begun)))
    assert begun.wait(PATIENCE_S)
    assert kernel.ask()
    deliver(kernel)
    assert worker.join() == ["interrupted"]
    assert kernel._tries <= interrupts._PATIENCE


def test_an_import_is_not_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module would be half executed, for everybody who imports it later."""
    kernel, begun, go_on = Interrupts(), threading.Event(), threading.Event()
    (tmp_path / "slowly_imported.py").write_text(f"from {__name__} import importing; importing()")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(globals(), "importing", partial(spin, begun, go_on.is_set))
    worker = Worker((kernel, lambda: importlib.import_module("slowly_imported")))
    assert begun.wait(PATIENCE_S)
    ask_in_vain(kernel)
    go_on.set()
    assert worker.join() == ["done"]


@pytest.mark.usefixtures("locks_of_c")
def test_who_waits_for_a_lock_is_interrupted_only_after_the_next_line() -> None:
    """Where `finally` gives it back."""
    kernel, lock, begun = Interrupts(), threading.Lock(), threading.Event()

    def job() -> None:
        begun.set()
        lock.acquire()
        try:
            spin(begun)
        finally:
            lock.release()

    with lock:
        worker = Worker((kernel, job))
        assert begun.wait(PATIENCE_S)
        until_in(worker, "acquire")
        ask_in_vain(kernel)
    deliver(kernel)
    assert worker.join() == ["interrupted"]
    assert not lock.locked()


@pytest.mark.usefixtures("locks_of_c")
def test_who_waits_to_go_on_after_a_condition_is_not_interrupted() -> None:
    """It would leave itself behind as one that waits, and the next `notify` would be lost on it."""
    kernel, condition, begun, go_on = Interrupts(), threading.Condition(), threading.Event(), threading.Event()

    def job() -> None:
        with condition:
            begun.set()
            condition.wait()
        spin(begun, go_on.is_set)

    worker = Worker((kernel, job))
    assert begun.wait(PATIENCE_S)
    with condition:
        condition.notify()
        until_in(worker, "_acquire_restore")
        ask_in_vain(kernel)
    deliver(kernel)
    assert worker.join() == ["interrupted"]
    assert not condition._waiters  # type: ignore[attr-defined]


def until_in(worker: Worker, name: str) -> None:
    """Wait until the thread is in the line of its innermost function that names that."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        frame = sys._current_frames()[worker.thread.ident or 0]
        if name in linecache.getline(frame.f_code.co_filename, frame.f_lineno):
            return
        assert time.monotonic() < deadline


@pytest.mark.parametrize(("first", "is_known"), [("while True: total @= total", False), ("count = 0", True)])
def test_finally_runs_where_a_loop_begins_the_block(first: str, is_known: bool) -> None:
    """CPython up to 3.12 does not know of a jump back to the very beginning of a `try` that it is in there."""
    code = code_of(f"""
        try:
            {first}
            while True: total @= total
        finally:
            lock.release()
    """)
    at = next(each.offset for each in dis.get_instructions(code) if "JUMP_BACKWARD" in each.opname)
    assert interruptible._next_look(code, at) is is_known


@pytest.mark.parametrize(
    "leaving",
    [
        """
        with library.Whole(begun, until):
            matrix @ matrix
        """,
        """
        try:
            matrix @ matrix
        finally:
            lock.release()
        """,
        """
        return matrix @ matrix
        """,
    ],
)
def test_what_an_operator_calls_is_not_interrupted_before_a_block_or_the_app_is_left(leaving: str) -> None:
    """Python would look for the exception only there: in `__exit__`, before that has done anything, or in our code."""
    code = code_of(leaving)
    at = next(each.offset for each in dis.get_instructions(code) if each.opname == "BINARY_OP")
    assert not interruptible._next_look(code, at)


@pytest.mark.parametrize(
    "after", ["total = call(total)", "while more: total @= total", "total.value = total.compute()"]
)
def test_what_an_operator_calls_is_interrupted_where_the_app_goes_on(after: str) -> None:
    """At the next call, or where the loop goes back."""
    code = code_of(f"total @= total; {after}" if "while" not in after else after)
    at = next(each.offset for each in dis.get_instructions(code) if each.opname == "BINARY_OP")
    assert interruptible._next_look(code, at)


def code_of(body: str) -> CodeType:
    names: dict[str, Any] = {}
    exec(f"def function():\n{textwrap.indent(textwrap.dedent(body).strip(), '  ')}", names)  # noqa: S102 - to look at it
    code: CodeType = names["function"].__code__
    return code


def test_a_thread_that_has_moved_on_meanwhile_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out about the place where it was says nothing about where it is."""
    kernel, begun, go_on = Interrupts(), threading.Event(), threading.Event()
    elsewhere, release = threading.Event(), threading.Event()

    def job() -> None:
        spin(begun, go_on.is_set)
        spin(elsewhere, release.is_set)

    def moving(*_: object, **__: object) -> bool:
        go_on.set()
        return elsewhere.wait(PATIENCE_S)

    worker = Worker((kernel, job))
    assert begun.wait(PATIENCE_S)
    assert kernel.ask()
    with monkeypatch.context() as patch:
        patch.setattr(interruptible, "_may_arrive", moving)
        assert not kernel.deliver()
    release.set()
    assert worker.join() == ["done"]


@pytest.mark.usefixtures("locks_of_c")
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

    monkeypatch.setattr(interruptible, "_STDLIB", __file__)
    interruptible._is_of_stdlib.cache_clear()
    worker = Worker((kernel, functools.partial(Slow().handle, logging.makeLogRecord({}))))
    assert begun.wait(PATIENCE_S)
    assert kernel.ask()
    assert not kernel.deliver()
    release.append(True)
    assert worker.join() == ["done"]
    interruptible._is_of_stdlib.cache_clear()


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
