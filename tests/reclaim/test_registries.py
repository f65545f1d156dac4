"""What the process keeps for all time does not grow with its kernels: upstream's tables, and objects of any type."""

import asyncio
import atexit
import contextvars
import gc
import itertools
import linecache
import logging
import sys
import threading
import warnings
import weakref
from collections import Counter
from collections.abc import Callable
from types import FunctionType
from typing import Any

import comm
import ipywidgets as widgets
import pytest
from ipykernel.kernelbase import Kernel
from IPython import get_ipython
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from ipywidgets.widgets import widget as widget_module

from solara_ctx import KernelApp, ended, get_current_context
from tests.support.everything import all_widgets, one_button
from tests.support.fakes import PATIENCE_S
from tests.support.kernels import request
from tests.support.service import silent, turns
from tests.support.visits import serving

pytestmark = pytest.mark.uncovered

WARM_UP, ROUNDS = 10, 30
NOISE = 8
"""Less than one for each fourth round does not come from kernels: a pool has started another thread, perhaps."""


class Sink:
    """A page's connection that keeps nothing, and tells when the page function was answered for."""

    subprotocol: str | None = None
    hears_widgets = is_listening = True
    outlives_connection = False
    queued_frames = queued_bytes = replay_bytes = 0

    def __init__(self) -> None:
        self.answered = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def put(self, frame: str | bytes) -> None:
        """Look for the answer."""
        if '"roots"' in (frame if isinstance(frame, str) else str(frame, "latin-1")):
            self._loop.call_soon_threadsafe(self.answered.set)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self, code: int, reason: str) -> None:
        """Nothing."""


async def round_of(app: KernelApp, page: Callable[[], object]) -> None:
    """Start a kernel, ask it what a page asks, and close it.  Below HTTP: the tests' client leaves objects behind."""
    registry = app.registry
    kernel_id, sink = registry.issue("session"), Sink()
    context = registry.connect(kernel_id, "session", "page", sink=sink, page=page).context
    context.receive("page", request("comm_open", {"comm_id": "page", "target_name": "solara_ctx.page", "data": {}}))
    async with asyncio.timeout(PATIENCE_S):
        await sink.answered.wait()
    for model_id in list(context.widgets):
        event = {"method": "custom", "content": {"event": "click"}}
        context.receive("page", request("comm_msg", {"comm_id": model_id, "data": event}))
    assert (await context.aclose()).ok


def working_shell() -> widgets.Widget:
    """A shell with nothing that fails."""
    shell, button = get_ipython(), one_button()
    display(button, {"a": 1})
    shell.push({"button": button})
    shell.run_cell("x = 1\ndef f():\n    return f, button\nx", store_history=True)
    shell.run_line_magic("who", "")
    with provisionalcompleter():
        list(shell.Completer.completions("button.desc", 11))
        list(shell.Completer.completions("import jso", 10))
    return button


def busy_page() -> widgets.Widget:
    """All widgets, and a task, a thread, a hook and a comm target."""
    box, context = all_widgets(), get_current_context()

    async def task() -> None:
        await asyncio.get_running_loop().create_future()
        print(box)

    context.create_task(task())
    context.on_close(lambda: box.children)
    thread = threading.Thread(target=lambda: box.children)
    thread.start()
    thread.join()
    comm.get_comm_manager().register_target("mine", lambda *_: box)
    return box


def tables() -> Counter[str]:
    """The sizes of what lives as long as the process."""
    scheduled: list[Any] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    sizes = {
        "atexit handlers": atexit._ncallbacks(),
        "threads": len(threading._active),  # type: ignore[attr-defined]
        "threads in limbo": len(threading._limbo),  # type: ignore[attr-defined]
        "loggers": len(logging.root.manager.loggerDict),
        "handlers of the root logger": len(logging.root.handlers),
        "handlers of any logger": len(logging._handlers),  # type: ignore[attr-defined]
        "handlers in order": len(logging._handlerList),  # type: ignore[attr-defined]
        "finalizers": len(weakref.finalize._registry),  # type: ignore[attr-defined]
        "modules": len(sys.modules),
        "cached sources": len(linecache.cache),
        "warnings filters": len(warnings.filters),
        "paths": len(sys.path),
        "timers of the loop": sum(not timer.cancelled() for timer in scheduled),
        "tasks": len(asyncio.all_tasks()),
        "widgets outside kernels": len(widget_module._instances),
        "widget types": len(list(widgets.widget._registry.items())),
        "targets outside kernels": len(comm.get_comm_manager().targets),
        "comms outside kernels": len(comm.get_comm_manager().comms),
        "shells of the process": int(InteractiveShell._instance is not None),
        "kernels of the process": int(Kernel._instance is not None),
        "context variables set here": len(contextvars.copy_context()),
    }
    return Counter(sizes)


def objects() -> Counter[str]:
    """How many objects there are, by type."""
    return Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.get_objects())


async def later(app: KernelApp, page: Callable[[], object]) -> None:
    """Let the loop believe that ten seconds have passed: it keeps cancelled timers until they would have been due."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + 10  # type: ignore[method-assign]
    await turns()
    await round_of(app, page)


async def growth_of(page: Callable[[], object]) -> Counter[str]:
    """By how much which table and which type of object has grown with thirty kernels, and again with thirty more.

    What grows once only is a cache: modules are imported, abstract base classes learn which classes are theirs.
    """
    sizes: list[Counter[str]] = []
    with silent():  # pytest keeps every record
        async with serving(page, kernel_connect_timeout="1s") as site:
            for rounds in (WARM_UP, ROUNDS, ROUNDS):
                for _ in itertools.repeat(None, rounds):
                    await round_of(site.app, page)
                await later(site.app, page)
                sizes.append(tables() + objects())
    return Counter({name: more for name, more in (sizes[1] - sizes[0] & sizes[2] - sizes[1]).items() if more >= NOISE})


@pytest.fixture(autouse=True)
def no_memory_of_the_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reasons of so many ends are remembered, for pages that come back; that is a table of its own size."""
    monkeypatch.setattr(ended, "_REMEMBERED", 0)


@pytest.mark.parametrize("page", [one_button, busy_page, working_shell])
async def test_nothing_grows_with_the_number_of_kernels(page: Callable[[], widgets.Widget]) -> None:
    """Kernels that were used and closed: no table and no type of object has grown with them."""
    assert await growth_of(page) == {}


def failing_cell() -> None:
    get_ipython().run_cell("1/0")


def timeit() -> None:
    get_ipython().run_line_magic("timeit", "-n1 -r1 -q pass")


@pytest.mark.parametrize(
    ("use", "culprit"),
    [
        (failing_cell, "InteractiveShell.showtraceback.<locals>.contains_exceptiongroup"),
        (timeit, "fix_missing_locations.<locals>._fix"),
    ],
)
async def test_what_upstream_leaves_behind(use: Callable[[], None], culprit: str) -> None:
    """A function inside a function that calls itself is a cycle of three objects, and refers to nothing of ours.

    A failing cell leaves one of IPython's, `%timeit` one of the standard library's `ast`.
    """
    grown = await growth_of(use)
    assert set(grown) == {"builtins.cell", "builtins.function", "builtins.tuple"}
    assert max(grown.values()) < ROUNDS + NOISE
    left = [thing for thing in gc.get_objects() if type(thing) is FunctionType and thing.__qualname__ == culprit]
    assert len(left) >= ROUNDS
