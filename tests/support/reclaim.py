"""When did everything of a kernel die?  Weak references that note the time, and the end that they are held against."""

import asyncio
import contextlib
import contextvars
import gc
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ipywidgets import CallbackDispatcher
from starlette.websockets import WebSocket
from traitlets import HasTraits

from solara_ctx import VirtualKernelContext
from solara_ctx.jupyter import KernelHost
from solara_ctx.leaks.explain import explain
from tests.support.fakes import PATIENCE_S
from tests.support.visits import Site, Visit

AT_ONCE_S = 0.05
"""How long after the end of its kernel something may still be there."""


class Ending(NamedTuple):
    """What died last of something that has ended, and how long after the end; negative for before it."""

    test: str
    last: str
    after_s: float


endings: list[Ending] = []
"""Those of this run of the tests."""


class _Moment(NamedTuple):
    """A point in time."""

    at_s: float
    waited_s: float
    """For how long the threads of this process had been ready to run without a processor to run on."""

    def after_s(self, earlier: "_Moment") -> float:
        """The time since then, but for the part of it in which the machine was busy with others."""
        return self.at_s - earlier.at_s - max(0.0, self.waited_s - earlier.waited_s)


_TASKS = Path("/proc/self/task")
_LOOK_EVERY_S = 0.001


class _Clock:
    """Tells moments.

    One process among many on a small machine may have to wait for its turn longer than anything here may take, and
    all of its threads wait for the one that has the interpreter's lock and no processor.  Linux counts that.
    """

    def __init__(self) -> None:
        self._last = _Moment(0.0, 0.0)

    def now(self) -> _Moment:
        """The moment.  Any thread."""
        at_s = time.monotonic()
        last = self._last
        if at_s - last.at_s < _LOOK_EVERY_S:
            return _Moment(at_s, last.waited_s)
        self._last = _Moment(at_s, sum(map(_waited_s, _TASKS.iterdir())) if _TASKS.exists() else 0.0)
        return self._last


def _waited_s(thread: Path) -> float:
    try:
        return int((thread / "schedstat").read_text().split()[1]) / 1e9
    except OSError:  # it has just ended, or this kernel does not count
        return 0.0


_clock = _Clock()


class _Announced(threading.Event):
    """A `closed_event` that notes when it was set."""

    def __init__(self, told: Callable[[], object]) -> None:
        super().__init__()
        self._told: Callable[[], object] | None = told

    def set(self) -> None:
        told, self._told = self._told, None
        if told is not None:
            told()
        super().set()


class Deaths:
    """Weak references to what has to die, and the moment after which it has to die at once.

    References only: it never holds a kernel, and what it is called with it forgets.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._change = asyncio.Event()
        self._numbers = 0
        self._living: dict[str, weakref.ref[Any]] = {}
        self._died: dict[str, _Moment] = {}
        self._end: _Moment | None = None

    def __len__(self) -> int:
        return self._numbers

    @property
    def alive(self) -> list[str]:
        """What is still there."""
        return list(self._living)

    @property
    def names(self) -> list[str]:
        """What is watched, alive or not."""
        return [*self._living, *self._died]

    @property
    def has_ended(self) -> bool:
        """Whether the moment has come."""
        return self._end is not None

    def watch(self, name: str, thing: object) -> None:
        """Note when *thing* dies."""
        name = f"{name} #{self._numbers}"
        self._numbers += 1
        self._living[name] = weakref.ref(thing, partial(self._note, name))

    def watch_kernel(self, context: VirtualKernelContext) -> None:
        """Note when a kernel and everything in it dies, and when it says that it is closed."""
        context._life.closed_event = _Announced(self.end_now)
        self.watch("context", context)
        self.watch("life", context._life)
        self.watch("claims", context._life._claims)
        self.watch("presence", context._presence)
        self.watch("page table", context._presence.table)
        for page in context._presence.table._pages.values():
            self.watch("page", page)
            if page.sink is not None:
                self.watch("outbox", page.sink)
        self.watch("bound page function", context._life._page)
        self.watch_run(context)

    def watch_connections(self, kernel_id: str) -> None:
        """Note when the websockets of a kernel's pages die, and the tasks that serve them.  On the server's loop."""
        sockets = {
            id(thing): thing
            for thing in gc.get_objects()
            if type(thing) is WebSocket and thing.path_params["kernel_id"] == kernel_id
        }
        for socket in sockets.values():
            self.watch("websocket", socket)
        for task in asyncio.all_tasks():
            coroutine = task.get_coro()
            if any(id(part) in sockets for part in gc.get_referents(coroutine)):
                self.watch("connection task", task)
                self.watch("connection coroutine", coroutine)

    def watch_connection(self, visit: Visit) -> None:
        """Note when the server's side of a page's websocket dies, the task included that the page has started."""
        self.watch_connections(visit.kernel_id)
        self.watch("connection task", visit.connection)
        self.watch("connection coroutine", visit.connection.get_coro())

    def watch_run(self, context: VirtualKernelContext) -> None:
        """Note when that dies of a kernel which dies with a restart, too."""
        run = context._life.run
        assert run is not None
        self.watch("run", run)
        self.watch("mailbox", run.mailbox)
        self.watch("tasks", run.tasks)
        self.watch("hooks", run.hooks)
        self.watch("values", run.values)
        self.watch("variables", run._variables)
        for task in run.tasks._running:
            self.watch(f"task {task.get_name()}", task)
            self.watch(f"coroutine of task {task.get_name()}", task.get_coro())
        assert isinstance(run.host, KernelHost)
        self._watch_host(run.host)

    def _watch_host(self, host: KernelHost) -> None:
        self.watch("host", host)
        self.watch("kernel", host.kernel)
        self.watch("session", host.session)
        self.watch("comm manager", host.comm_manager)
        self.watch("reporter", host.reporter)
        self.watch("control target", host.control)
        self.watch("printing", host.printing)
        if host.printing._console is not None:
            self.watch("console", host.printing._console)
        for comm in host.comm_manager.comms.values():
            self.watch(f"comm {comm.target_name}", comm)
        for widget in host._widgets.made.living():
            self.watch(type(widget).__name__, widget)
            for value in (*widget.__dict__.values(), *widget._trait_values.values()):
                if isinstance(value, CallbackDispatcher):
                    self.watch(f"handlers of a {type(widget).__name__}", value)
        if host.shell_if_made is not None:
            for part in parts_of_shell(host.shell_if_made):
                self.watch(f"{type(part).__name__} of the shell", part)

    def end_now(self) -> None:
        """From now on nothing may be alive any more.  Any thread."""
        self._end = _clock.now()
        self._tell()

    async def ended(self) -> None:
        """Wait for the end."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._until(lambda: self.has_ended)
        except TimeoutError:
            raise AssertionError(f"no end within {PATIENCE_S:g} s") from None

    async def at_once(self, *names: str) -> None:
        """Wait for the end, and hold that everything has died by then, or right after it.

        Args:
            names: Hold it of those only whose names begin so; of all where none is given.
        """
        await self.ended()
        names = names or ("",)
        try:
            async with asyncio.timeout(PATIENCE_S / 10):
                await self._until(lambda: not self._of(self._living, names))
        except TimeoutError:
            raise AssertionError(self._explained(names)) from None
        assert self._end is not None
        after_s = {name: self._died[name].after_s(self._end) for name in self._of(self._died, names)}
        last = max(after_s, key=after_s.__getitem__)
        endings.append(Ending(os.environ["PYTEST_CURRENT_TEST"], last, after_s[last]))
        late = {name: f"{seconds * 1000:.1f} ms" for name, seconds in after_s.items() if seconds > AT_ONCE_S}
        assert not late, f"died more than {AT_ONCE_S * 1000:g} ms after the end: {late}"

    @staticmethod
    def _of(known: Mapping[str, object], names: tuple[str, ...]) -> list[str]:
        return [name for name in list(known) if name.startswith(names)]

    def _explained(self, names: tuple[str, ...]) -> str:
        living = self._of(self._living, names)
        holder = explain([self._living[name] for name in living])
        return f"still alive: {', '.join(living)}\nheld by: {holder.text() or holder.note}"

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._change.clear()
            if not condition():
                await self._change.wait()

    def _note(self, name: str, reference: "weakref.ref[Any]") -> None:
        self._died[name] = _clock.now()
        del self._living[name]
        if self.has_ended:
            self._tell()

    def _tell(self) -> None:
        # From an empty context: a copy of that of whoever lets go would be one more thing to die.
        with contextlib.suppress(RuntimeError):  # of a test that has failed, the rest dies after its loop
            self._loop.call_soon_threadsafe(self._change.set, context=contextvars.Context())


def parts_of_shell(shell: HasTraits) -> Iterator[HasTraits]:
    """A shell and its children, at any depth."""
    seen: set[int] = set()
    waiting: list[Any] = [shell]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list | tuple):
            waiting += item
        elif isinstance(item, HasTraits) and id(item) not in seen and _is_of_shell(item):
            seen.add(id(item))
            waiting += (*vars(item).values(), *item._trait_values.values())
            yield item


def _is_of_shell(item: object) -> bool:
    module = type(item).__module__
    return module.startswith(("IPython.", "ipykernel.", "solara_ctx.jupyter.shell")) and not isinstance(
        item, KernelHost
    )


def watched(visit: Visit) -> Deaths:
    """Watch the kernel of a page, and its connection."""
    deaths = Deaths()
    deaths.watch_kernel(visit.context)
    deaths.watch_connection(visit)
    return deaths


async def used(site: Site) -> tuple[Visit, Deaths]:
    """A page of a site, loaded, and what is to die of it."""
    visit = await site.visit()
    await visit.states()
    return visit, watched(visit)
