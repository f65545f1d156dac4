"""Threads that a page has to do with do not keep it, whether they end before it or long after."""

import _thread
import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from typing import Any

import ipywidgets as widgets
import pytest
from IPython import get_ipython

from solara_ctx import get_current_context, has_current_context
from tests.support.everything import everything
from tests.support.fakes import PATIENCE_S
from tests.support.reclaim import Deaths, used
from tests.support.visits import serving

pytestmark = pytest.mark.uncovered

# What a thread inside user code can't hold, whatever that code refers to.
NOT_OF_THE_USER = (
    "context", "claims", "page", "run", "mailbox", "tasks", "hooks", "values", "host", "kernel", "session", "comm",
    "reporter", "control", "outbox", "websocket", "connection", "handlers",
)  # fmt: skip


class Gate:
    """User code that a test lets begin and end."""

    def __init__(self) -> None:
        self.inside, self.open = threading.Event(), threading.Event()

    def wait(self, box: widgets.Widget | None = None) -> int:
        """Be stuck."""
        self.inside.set()
        assert self.open.wait(PATIENCE_S)
        return 0 if box is None else len(box.children)

    async def entered(self) -> None:
        """Wait until the user code is stuck."""
        assert await asyncio.to_thread(self.inside.wait, PATIENCE_S)


async def test_a_finished_thread() -> None:
    """Though its object is kept."""
    kept: list[threading.Thread] = []

    def page() -> widgets.Widget:
        box = everything()
        thread = threading.Thread(target=lambda: (box, get_current_context()))
        thread.start()
        thread.join()
        kept.append(thread)
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
    assert not kept[0].is_alive()


async def test_a_thread_that_was_never_started() -> None:
    """Its object is kept, and has nothing to do with the page but that it was made there."""
    kept: list[threading.Thread] = []

    def page() -> widgets.Widget:
        kept.append(threading.Thread(target=print))
        return everything()

    async with serving(page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
    kept[0].start()
    await asyncio.to_thread(kept[0].join, PATIENCE_S)


@pytest.mark.parametrize("subclass", [False, True])
async def test_a_thread_inside_user_code(subclass: bool) -> None:
    """It holds what it refers to itself; that goes as it returns, and everything else with the kernel."""
    gate = Gate()

    class Own(threading.Thread):
        def __init__(self, box: widgets.Widget) -> None:
            super().__init__()
            self.box = box

        def run(self) -> None:
            gate.wait(self.box)
            assert not has_current_context()

    def page() -> widgets.Widget:
        box = everything()
        thread = Own(box) if subclass else threading.Thread(target=lambda: gate.wait(box))
        thread.start()
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        await gate.entered()
        await visit.leave()
        await deaths.at_once(*NOT_OF_THE_USER)
        deaths.end_now()
        gate.open.set()
        await deaths.at_once()


async def test_a_thread_that_refers_to_nothing() -> None:
    """Nothing at all waits for such a thread, one of a timer that is due in an hour for example."""
    timers: list[threading.Timer] = []

    def page() -> widgets.Widget:
        timer = threading.Timer(3600, print)
        timer.start()
        timers.append(timer)
        return everything()

    async with serving(page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
    timers[0].cancel()
    await asyncio.to_thread(timers[0].join, PATIENCE_S)


async def test_a_thread_that_a_cell_has_started() -> None:
    """`threading` keeps with each thread what `sys.excepthook` was when it was made."""
    timers: list[threading.Timer] = []

    def page() -> widgets.Widget:
        shell = get_ipython()
        shell.push({"timers": timers, "Timer": threading.Timer})
        shell.run_cell("timer = Timer(3600, print)\ntimer.start()\ntimers.append(timer)").raise_error()
        return everything()

    async with serving(page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
    timers[0].cancel()
    await asyncio.to_thread(timers[0].join, PATIENCE_S)


async def test_a_callback_that_does_not_return() -> None:
    """It is abandoned; its own locals go as it returns, everything else with the kernel."""
    gate = Gate()

    def page() -> widgets.Widget:
        box, button = everything(), widgets.Button(description="stuck")
        button.on_click(lambda clicked: gate.wait(box))
        return widgets.VBox([box, button])

    async with serving(page, kernel_close_timeout="500ms") as site:
        visit, deaths = await used(site)
        visit.say("comm_msg", click(visit.model_id("stuck")))
        await gate.entered()
        await visit.leave()
        await deaths.at_once("context", "claims", "page", "outbox", "websocket", "connection")
        deaths.end_now()
        gate.open.set()
        await deaths.at_once()


def click(model_id: str) -> dict[str, Any]:
    return {"comm_id": model_id, "data": {"method": "custom", "content": {"event": "click"}}}


async def test_a_hook_that_does_not_return() -> None:
    """It is abandoned, too."""
    gate = Gate()

    def page() -> widgets.Widget:
        box = everything()
        get_current_context().on_close(lambda: gate.wait(box))
        return box

    async with serving(page, kernel_close_timeout="500ms") as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once(*NOT_OF_THE_USER)
        deaths.end_now()
        gate.open.set()
        await deaths.at_once()


Submit = Callable[[Callable[[], object]], object]


class Pools:
    """The pools that user code may have, and that outlive its pages."""

    def __init__(self) -> None:
        self.executor = concurrent.futures.ThreadPoolExecutor(2)
        self.thread_pool = ThreadPool(2)

    def submit(self, kind: str, job: Callable[[], object]) -> object:
        """Hand a job to the pool of that kind; what the pool returns."""
        if kind == "ThreadPoolExecutor":
            return self.executor.submit(job)
        if kind == "ThreadPool":
            return self.thread_pool.apply_async(job)
        return get_current_context().create_task(asyncio.to_thread(job))

    def close(self) -> None:
        """End their threads."""
        self.executor.shutdown()
        self.thread_pool.terminate()
        self.thread_pool.join()


KINDS = ["ThreadPoolExecutor", "ThreadPool", "to_thread"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_finished_job_of_a_pool(kind: str) -> None:
    """Neither the pool's thread nor the job's future keeps anything, a failed job's included but for its own locals."""
    pools, kept, done = Pools(), [], threading.Event()

    def page() -> widgets.Widget:
        box = everything()
        kept.append(pools.submit(kind, lambda: len(box.children) and get_current_context().id))
        pools.submit(kind, done.set)
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        assert await asyncio.to_thread(done.wait, PATIENCE_S)
        await visit.leave()
        await deaths.at_once()
    assert len(kept) == 1
    await asyncio.to_thread(pools.close)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_job_of_a_pool_inside_user_code(kind: str) -> None:
    """It holds what it refers to itself; that goes as it returns."""
    pools, gate = Pools(), Gate()

    def page() -> widgets.Widget:
        box = everything()
        pools.submit(kind, lambda: gate.wait(box))
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        await gate.entered()
        await visit.leave()
        await deaths.at_once(*NOT_OF_THE_USER)
        deaths.end_now()
        gate.open.set()
        await deaths.at_once()
    await asyncio.to_thread(pools.close)


def foreign(job: Callable[[], object]) -> None:
    """Run *job* in a thread that `threading` knows nothing of, as threads of C libraries are."""
    _thread.start_new_thread(job, ())


async def test_a_foreign_thread_that_still_runs() -> None:
    """It has asked for its `current_thread()`, which makes a _DummyThread, and keeps nothing of the page."""
    gate = Gate()
    idents: list[int] = []
    done = threading.Event()

    def page() -> widgets.Widget:
        handle = get_current_context().handle()

        def job() -> None:
            context = handle.context()
            context.__enter__()
            del context
            assert has_current_context()
            assert isinstance(threading.current_thread(), threading._DummyThread)
            idents.append(threading.get_ident())
            gate.wait()
            assert not has_current_context()
            done.set()

        foreign(job)
        return everything()

    async with serving(page) as site:
        visit, deaths = await used(site)
        await gate.entered()
        await visit.leave()
        await deaths.at_once()
        assert idents[0] in threading._active  # type: ignore[attr-defined]
        gate.open.set()
        assert await asyncio.to_thread(done.wait, PATIENCE_S)


async def test_a_foreign_thread_that_has_ended() -> None:
    """What `threading` has kept of it, up to Python 3.12 for ever, goes with a kernel that ends after it."""
    dummies = Deaths()
    gone = threading.Event()
    local = threading.local()

    class EndOfThread:
        def __del__(self) -> None:
            gone.set()

    def page() -> widgets.Widget:
        box = everything()
        context = get_current_context()

        def job() -> None:
            with context:
                dummies.watch("dummy", threading.current_thread())
                local.end = EndOfThread()
                assert box is not None

        foreign(job)
        assert gone.wait(PATIENCE_S)
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
        # It may take a dying thread a moment to leave the interpreter's list; the next close looks again.
        for _ in range(100):
            if "dummy #0" not in dummies.alive:
                break
            gone.clear()
            another, deaths = await used(site)
            await another.leave()
            await deaths.at_once()
        assert "dummy #0" not in dummies.alive


async def test_a_thread_that_prints_into_an_output_for_ever() -> None:
    """A thread that captures into an Output of the page, and goes on, keeps the Output no longer than the page."""
    gate = Gate()

    def page() -> widgets.Widget:
        out = widgets.Output()
        with out:
            threading.Thread(target=gate.wait).start()
            threading.Thread(target=print, args=("one",)).start()
        return widgets.VBox([out, everything()])

    async with serving(page) as site:
        visit, deaths = await used(site)
        await gate.entered()
        await visit.leave()
        await deaths.at_once()
        gate.open.set()
