"""Threads and pool jobs see the kernel that they come from, and keep nothing of it."""

import _thread
import asyncio
import concurrent.futures
import contextlib
import contextvars
import gc
import inspect
import queue
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest

from solara_ctx import current, patching
from solara_ctx.patching import threads
from tests.support.fakes import PATIENCE_S
from tests.support.kernels import StandInContext, fail, patched


def here() -> Any:
    return current.peek()


class Overriding(threading.Thread):
    """Overrides `run`, as subclasses do, and does not call the base class."""

    seen: Any = None

    def run(self) -> None:
        """Look."""
        self.seen = here()


def test_a_thread_belongs_to_who_started_it(kernel: StandInContext) -> None:
    """With a target, and with `run` overridden; started where no kernel is current, to none."""
    seen: list[Any] = []
    with_target, overriding, outside = threading.Thread(target=lambda: seen.append(here())), Overriding(), Overriding()
    kernel.run(with_target.start)
    kernel.run(overriding.start)
    outside.start()
    for thread in (with_target, overriding, outside):
        thread.join()
    assert (seen, overriding.seen, outside.seen) == ([kernel], kernel, None)


def test_two_threads_of_one_name(kernel: StandInContext) -> None:
    """Names do not matter."""
    other = StandInContext(kernel_id="another kernel")
    first, second = Overriding(name="same"), Overriding(name="same")
    kernel.run(first.start)
    other.run(second.start)
    first.join()
    second.join()
    assert (first.seen, second.seen) == (kernel, other)
    other.close()


def test_a_thread_of_a_thread_and_a_timer(kernel: StandInContext) -> None:
    """Started by a thread of a kernel, it belongs to that kernel; so does a timer."""
    seen: list[Any] = []

    def outer() -> None:
        for thread in (
            threading.Thread(target=lambda: seen.append(here())),
            threading.Timer(0, lambda: seen.append(here())),
        ):
            thread.start()
            thread.join()

    thread = threading.Thread(target=outer)
    kernel.run(thread.start)
    thread.join()
    assert seen == [kernel, kernel]


def test_living_threads_are_counted(kernel: StandInContext) -> None:
    """A kernel's threads are those that still run; they are not taken for foreign ones."""
    go, started = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        go.wait(10)

    thread = threading.Thread(target=wait)
    kernel.run(thread.start)
    assert started.wait(10)
    assert kernel.handle().living_threads() == 1
    assert kernel.handle().foreign_threads == set()
    go.set()
    thread.join()
    assert kernel.handle().living_threads() == 0


@pytest.mark.parametrize("error", [None, SystemExit()], ids=["", "fails"])
def test_a_thread_belongs_to_its_kernel_exactly_as_long_as_it_runs(
    kernel: StandInContext, error: BaseException | None
) -> None:
    """From before `run` on to the end, however that comes; and it is no foreign thread meanwhile."""
    handle, seen = kernel.handle(), []

    def original(thread: threading.Thread) -> None:
        seen.append((here(), handle.threads.living() == [thread], set(handle.foreign_threads)))
        if error is not None:
            raise error

    thread, outside = threading.Thread(), threading.Thread()
    vars(thread)["_solara_ctx_inherited"] = handle, None
    run = threads._bootstrap_inner(original)
    # In this thread: nothing traces the first steps of a new one.
    with contextlib.suppress(SystemExit):
        contextvars.copy_context().run(run, thread)
    assert seen == [(kernel, True, set())]
    assert handle.threads.living() == []
    assert "_solara_ctx_inherited" not in vars(thread)
    with contextlib.suppress(SystemExit):
        contextvars.copy_context().run(run, outside)
    assert seen[1:] == [(None, False, set())]


def test_a_thread_that_can_not_start(kernel: StandInContext) -> None:
    """The error is upstream's; a thread that was never started, or is started twice, keeps nothing of the page."""
    thread = Overriding()
    kernel.run(thread.start)
    thread.join()
    with pytest.raises(RuntimeError, match="once"):
        kernel.run(thread.start)
    thread.__dict__.pop("_solara_ctx_inherited", None)


def test_a_thread_keeps_no_kernel() -> None:
    """Blocked in user code, finished and kept, or not yet started: closing frees the kernel."""
    gc.disable()
    try:
        with patched():
            context = StandInContext()
            go, started = threading.Event(), threading.Event()

            def wait() -> None:
                started.set()
                go.wait(10)

            blocked, finished, idle = threading.Thread(target=wait), Overriding(), Overriding()
            for thread in (blocked, finished):
                context.run(thread.start)
            assert started.wait(10)
            finished.join()
            finished.seen = None
            host, itself = weakref.ref(context.living_host), weakref.ref(context)
            context.close()
            del context
            assert (host(), itself()) == (None, None)
            go.set()
            blocked.join()
            assert not idle.is_alive()
    finally:
        gc.enable()


def test_finished_threads_are_freed(kernel: StandInContext) -> None:
    """A thread is not in a cycle of ours."""
    gc.disable()
    try:
        thread = threading.Thread(target=lambda: None)
        kernel.run(thread.start)
        thread.join()
        reference = weakref.ref(thread)
        del thread
        assert reference() is None
    finally:
        gc.enable()


# Pools


def test_a_job_belongs_to_who_submits_it(kernel: StandInContext) -> None:
    """Jobs of two kernels and of none on one worker thread; between them it belongs to nobody."""
    other = StandInContext(kernel_id="another kernel")
    with ThreadPoolExecutor(1) as pool:
        futures = [submit(pool.submit, here) for submit in (kernel.run, other.run, lambda function, *a: function(*a))]
        assert [future.result() for future in futures] == [kernel, other, None]
        assert list(kernel.run(pool.map, lambda _: here(), range(2))) == [kernel, kernel]
        assert pool.submit(here).result() is None
    other.close()


def test_a_pools_thread_belongs_to_nobody(kernel: StandInContext) -> None:
    """A worker that was started by a kernel's job does not count as that kernel's thread, and inherits nothing."""
    seen: list[Any] = []
    with ThreadPoolExecutor(1, initializer=lambda: seen.append(here())) as pool:
        assert kernel.run(pool.submit, here).result() is kernel
        assert kernel.handle().living_threads() == 0
    assert seen == [None]


def test_arguments_results_and_errors_go_through(kernel: StandInContext) -> None:
    """Keyword arguments named like ours, too."""
    with ThreadPoolExecutor(1) as pool:
        assert kernel.run(lambda: pool.submit(dict, handle=1, fn=2, self=3)).result() == {
            "handle": 1,
            "fn": 2,
            "self": 3,
        }
        with pytest.raises(ZeroDivisionError):
            kernel.run(lambda: pool.submit(divmod, 1, 0)).result()
        assert kernel.run(lambda: pool.submit(here).result()) is kernel
    with pytest.raises(RuntimeError, match="shutdown"):
        kernel.run(lambda: pool.submit(here))


def test_to_thread_and_tasks_need_no_help(kernel: StandInContext) -> None:
    """Tasks and `to_thread` copy the context variables; two tasks of one name are told apart."""
    other = StandInContext(kernel_id="another kernel")

    async def look() -> tuple[Any, Any, Any]:
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        return here(), await asyncio.to_thread(here), await loop.run_in_executor(None, here)

    async def main() -> Any:
        tasks = []
        for context in (kernel, other):
            with current.bound(context.handle()):
                tasks.append(asyncio.create_task(look(), name="same"))
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [(kernel,) * 3, (other,) * 3]
    other.close()


def test_a_pool_keeps_nothing_between_jobs() -> None:
    """An idle worker, and a future that somebody keeps, hold nothing of the kernel."""
    gc.disable()
    try:
        with patched(), ThreadPoolExecutor(1) as pool:
            context = StandInContext()
            future = context.run(pool.submit, lambda: None)
            future.result()
            pool.submit(lambda: None).result()
            itself = weakref.ref(context)
            context.close()
            del context
            assert itself() is None
            assert future.done()
    finally:
        gc.enable()


def test_a_job_of_a_thread_pool_belongs_to_who_hands_it_over(kernel: StandInContext) -> None:
    """By each way that `multiprocessing.pool.ThreadPool` has; the pool may be another kernel's."""
    other = StandInContext(kernel_id="another kernel")
    with other.run(ThreadPool, 1) as pool:
        assert other.handle().living_threads() == 0
        for context, run in ((kernel, kernel.run), (other, other.run), (None, lambda function, *a: function(*a))):
            ways: list[Callable[[], Any]] = [
                lambda: [pool.apply(here)],
                lambda: pool.map(lambda _: here(), [1]),
                lambda: pool.starmap(lambda *_: here(), [(1, 2)]),
                lambda: list(pool.imap(lambda _: here(), [1])),
                lambda: list(pool.imap_unordered(lambda _: here(), [1], 1)),
            ]
            assert [run(way) for way in ways] == [[context]] * len(ways)
    other.close()


def test_the_callbacks_of_a_thread_pool_belong_to_who_gave_them(kernel: StandInContext) -> None:
    """They run in a thread of the pool that belongs to nobody; arguments go through as they are."""
    seen: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def look(result: object) -> None:
        seen.put((here(), type(result)))

    with ThreadPool(1) as pool:
        kernel.run(lambda: pool.apply_async(dict, (), {"func": 1}, look))
        assert seen.get(timeout=PATIENCE_S) == (kernel, dict)
        kernel.run(lambda: pool.apply_async(divmod, (1, 0), callback=None, error_callback=look))
        assert seen.get(timeout=PATIENCE_S) == (kernel, ZeroDivisionError)
        kernel.run(lambda: pool.map_async(str, [1], callback=look))
        assert seen.get(timeout=PATIENCE_S) == (kernel, list)


def test_a_thread_pool_keeps_nothing_between_jobs() -> None:
    """Made and used by a kernel, it holds nothing of it."""
    gc.disable()
    try:
        with patched():
            context = StandInContext()
            with context.run(ThreadPool, 1) as pool:
                context.run(pool.apply, int)
                pool.apply(int)
                itself = weakref.ref(context)
                context.close()
                del context
                assert itself() is None
    finally:
        gc.enable()


# Foreign threads


def run_foreign(function: Callable[[], None]) -> int:
    """Run *function* in a thread that `threading` has not started; its ident, once it has ended."""
    done = _thread.allocate_lock()
    done.acquire()
    idents: list[int] = []

    def run() -> None:
        idents.append(threading.get_ident())
        function()
        done.release()

    _thread.start_new_thread(run, ())
    assert done.acquire(timeout=10)
    (ident,) = idents
    deadline = threading.Event()
    while ident in sys._current_frames():  # it has nothing left to do but to end
        deadline.wait(0.001)
    return ident


def test_dummy_threads_of_dead_threads_are_scrubbed(kernel: StandInContext) -> None:
    """What `threading` keeps of a foreign thread that used the kernel goes when the thread has ended."""

    def use() -> None:
        with current.bound(kernel.handle()):
            threading.current_thread().name = "mine"

    ident = run_foreign(use)
    assert kernel.handle().foreign_threads == {ident}
    table: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
    if ident not in table:  # from Python 3.13 on it goes by itself
        table[ident] = threading.Thread.__new__(threading._DummyThread)
    patching.scrub_dummy_threads(kernel.handle().foreign_threads)
    assert ident not in table


def test_a_foreign_thread_that_threading_does_not_know_is_forgotten() -> None:
    """It never asked for its own name; and an entry that a real thread has by now is that one's."""
    table: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
    unknown, taken = run_foreign(lambda: None), -1
    table[taken] = threading.Thread()
    try:
        patching.scrub_dummy_threads({unknown, taken})
        assert taken in table
    finally:
        del table[taken]
    assert threads._still_alive == set()


def test_living_foreign_threads_are_scrubbed_later() -> None:
    """One that still runs keeps its entry, and is looked at again with the next call; real threads keep theirs."""
    table: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
    go, ready = threading.Event(), threading.Event()

    def use() -> None:
        threading.current_thread()
        ready.set()
        go.wait(10)

    idents: list[int] = []
    helper = threading.Thread(target=lambda: idents.append(run_foreign(use)))
    helper.start()
    assert ready.wait(10)
    (foreign,) = [ident for ident, thread in table.items() if isinstance(thread, threading._DummyThread)]
    main = threading.get_ident()
    patching.scrub_dummy_threads({foreign, main})
    assert foreign in table
    go.set()
    helper.join()
    table.setdefault(foreign, threading.Thread.__new__(threading._DummyThread))
    patching.scrub_dummy_threads(set())
    assert foreign not in table
    assert main in table
    assert threads._still_alive == {main}
    threads._still_alive.clear()


# Canaries


def test_canary_a_thread_runs_bootstrap_inner() -> None:
    """CPython calls `_bootstrap_inner` in the new thread, before `run`, and puts the thread into its table in it."""
    assert "self._bootstrap_inner()" in inspect.getsource(threading.Thread._bootstrap)  # type: ignore[attr-defined]
    source = inspect.getsource(threading.Thread._bootstrap_inner)  # type: ignore[attr-defined]
    assert "_active[self._ident] = self" in source
    assert "self.run()" in source


def test_canary_a_pool_submits_through_submit() -> None:
    """`map` and `run_in_executor` go through `submit`, and a worker calls what was submitted and nothing else."""
    assert "self.submit(" in inspect.getsource(concurrent.futures.Executor.map)
    assert "executor.submit(" in inspect.getsource(asyncio.BaseEventLoop.run_in_executor)
    assert list(inspect.signature(ThreadPoolExecutor.submit).parameters) == ["self", "fn", "args", "kwargs"]


def test_canary_a_thread_pool_hands_over_by_four_methods() -> None:
    """All others go through them, with the function first and what it works on second."""
    for method, handed_over_by in (
        (ThreadPool.apply, "self.apply_async(func"),
        (ThreadPool.map, "self._map_async(func, iterable"),
        (ThreadPool.map_async, "self._map_async(func, iterable"),
        (ThreadPool.starmap, "self._map_async(func, iterable"),
        (ThreadPool.starmap_async, "self._map_async(func, iterable"),
    ):
        assert handed_over_by in inspect.getsource(method)
    for name in ("apply_async", "_map_async", "imap", "imap_unordered"):
        assert list(inspect.signature(getattr(ThreadPool, name)).parameters)[:2] == ["self", "func"]


def test_canary_dummy_threads() -> None:
    """The table, its lock and the class of foreign threads are where they were."""
    assert isinstance(threading._active, dict)  # type: ignore[attr-defined]
    assert threading._active_limbo_lock.acquire(blocking=False)  # type: ignore[attr-defined]
    threading._active_limbo_lock.release()  # type: ignore[attr-defined]
    assert issubclass(threading._DummyThread, threading.Thread)


def test_threads_of_nobody_fail_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no kernel is current, what shows a thread's error is whatever was there; as where there is no error."""
    shown: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", shown.append)
    with patched():
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        context = StandInContext()
        context.run(threading.excepthook, threading.ExceptHookArgs([LookupError, None, None, None]))
        context.close()
    assert [args.exc_type for args in shown] == [LookupError, LookupError]
