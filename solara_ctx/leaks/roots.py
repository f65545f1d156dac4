"""What keeps objects alive by itself: modules, running frames, threads, pending tasks, timers, loggers, signals.

Some of these are, strictly speaking, held by others (a pending task by its event loop).  They count as roots because
the search for who to blame ends there.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable, Container
from dataclasses import dataclass
from types import FrameType, ModuleType

from solara_ctx.leaks import peek, wording

_RANKS = ("task", "timer", "thread", "signal", "frame", "logger")
_MOST_FRAMES = 5_000
_PACKAGE = __name__.rpartition(".")[0]


class Held(list[object]):
    """A list of ours that keeps objects alive during a search; as a holder, it is overlooked by its type."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A frame that a thread is executing, and what of it holds the object."""

    thread: str
    function: str
    file: str
    line: int | None
    variable: str | None


class Roots:
    """The roots of this process as they were when this was made.  Holds nothing of a user's but modules' namespaces."""

    def __init__(self, overlooked: Container[int] = frozenset()) -> None:
        self._modules = modules()
        self._overlooked = overlooked
        self._in_frames: set[int] = set()
        self._each_local(lambda _frame, _thread, _name, value: self._in_frames.add(id(value)))
        self._signals = {id(handler): number for number, handler in _signal_handlers()}

    def kind(self, thing: object) -> str:
        """What kind of root *thing* is; empty if it is none."""
        address = id(thing)
        if address in self._modules or peek.is_a(thing, ModuleType):
            return "module"
        if address in self._signals:
            return "signal"
        kind = _kind_by_type(thing)
        if not kind and address in self._in_frames and self.running_with(thing) is not None:
            return "frame"
        return kind

    def rank(self, thing: object, kind: str) -> int:
        """Which of several roots at the same distance says most: the smaller, the more."""
        if kind in {"module", "class"}:
            variables = thing if peek.is_a(thing, dict) else peek.instance_dict(thing)
            if peek.is_a(thing, type):
                variables = peek.module_namespace(peek.exact_str(peek.namespace(thing).get("__module__")))
            file = None if variables is None else peek.exact_str(dict.get(variables, "__file__"))
            return 0 if wording.is_users(file) else len(_RANKS)
        return _RANKS.index(kind) + 1

    def signal_name(self, thing: object) -> str:
        return signal.Signals(self._signals[id(thing)]).name

    def module_name(self, thing: object) -> str | None:
        return self._modules.get(id(thing))

    def variable_of(self, thing: object) -> tuple[str, str] | None:
        """File and name of a variable in users' modules that is *thing*."""
        for name in list(self._modules.values()):
            variables = peek.module_namespace(name)
            file = None if variables is None else peek.exact_str(dict.get(variables, "__file__"))
            if variables is None or file is None or not wording.is_users(file):
                continue
            key = peek.key_of(variables, thing)
            variable = None if key is None else peek.exact_str(key[0])
            if variable is not None:
                return file, variable
        return None

    def objects(self) -> Held:
        """From where to search onwards.  Holds the local variables of running frames: drop it soon."""
        found = Held()
        for module in list(sys.modules.values()):
            found.append(module)
            if peek.is_a(module, ModuleType):
                found.append(peek.instance_dict(module))
        found.extend(handler for _, handler in _signal_handlers())
        self._each_local(lambda _frame, _thread, _name, value: found.append(value))
        return found

    def running_with(self, thing: object) -> Running | None:
        """The running frame that has *thing* as a local variable, or as its namespace."""
        found: list[Running] = []

        def compare(frame: FrameType, thread: int, name: str | None, value: object) -> None:
            if value is thing and not found:
                code = frame.f_code
                found.append(
                    Running(
                        thread=thread_name(thread),
                        function=code.co_name,
                        file=code.co_filename,
                        line=frame.f_lineno,
                        variable=name,
                    )
                )

        self._each_local(compare)
        return found[0] if found else None

    def _each_local(self, visit: Callable[[FrameType, int, str | None, object], None]) -> None:
        """Show every local variable of every running frame, but of those of this package and the overlooked.

        Keeps no frame: one that is kept keeps its variables after its function has returned.
        """
        frames = sys._current_frames()
        frame: FrameType | None = None
        try:
            for thread in list(frames):
                frame = frames.pop(thread)
                for _ in range(_MOST_FRAMES):
                    if frame is None:
                        break
                    if not _is_ours(frame) and id(frame) not in self._overlooked:
                        for name, value in peek.locals_of(frame):
                            visit(frame, thread, name, value)
                        if id(frame.f_globals) not in self._modules:
                            visit(frame, thread, None, frame.f_globals)
                        if not frame.f_code.co_flags & peek.CO_OPTIMIZED and frame.f_locals is not frame.f_globals:
                            visit(frame, thread, None, frame.f_locals)
                    frame = frame.f_back
        finally:
            frames.clear()
            del frame


def modules() -> dict[int, str]:
    """The names of the imported modules, by the address of their namespace."""
    found: dict[int, str] = {}
    for name, module in list(sys.modules.items()):
        if peek.is_a(module, ModuleType):
            found.setdefault(id(peek.instance_dict(module)), name)
    return found


def thread_name(ident: int) -> str:
    thread = _threads().get(ident)
    return "" if thread is None else peek.exact_str(peek.field(thread, "_name")) or ""


def owner_class_is_root(kind: type) -> bool:
    """Whether a class can be found by its name in its module, so that it lives as long as the module."""
    module = peek.exact_str(peek.namespace(kind).get("__module__"))
    qualified = peek.exact_str(type.__dict__["__qualname__"].__get__(kind))
    if module is None or qualified is None:
        return False
    variables = peek.module_namespace(module)
    first, *rest = qualified.split(".")
    found = None if variables is None else dict.get(variables, first)
    for part in rest:
        if not peek.is_a(found, type):
            return False
        found = peek.namespace(found).get(part)
    return found is kind


def _kind_by_type(thing: object) -> str:
    if peek.is_a(thing, type):
        return "class" if owner_class_is_root(thing) else ""
    if peek.is_a(thing, threading.Thread):
        return "thread" if any(thing is alive for alive in _threads().values()) else ""
    if is_task(thing):
        return "task" if is_pending(thing) else ""
    if peek.is_a(thing, asyncio.Handle):
        return "timer" if _is_scheduled(thing) else ""
    if peek.is_a(thing, logging.Logger):
        return "logger" if _is_registered(thing) else ""
    return ""


_PY_TASK: type = vars(asyncio.tasks)["_PyTask"]


def is_task(thing: object) -> bool:
    return peek.is_a(thing, asyncio.Task) or peek.is_a(thing, _PY_TASK)


def is_pending(task: object) -> bool:
    if peek.is_a(task, asyncio.Task):
        return not asyncio.Task.done(task)  # the method of the C class, whatever a subclass says
    # An attribute of the class, until a task that is written in Python is over.
    return (peek.exact_str(peek.field(task, "_state")) or "PENDING") == "PENDING"


def _is_scheduled(handle: object) -> bool:
    """Whether an event loop has yet to run it: one that has run is held by whoever kept it."""
    loop = peek.read(handle, asyncio.Handle, "_loop")
    for name in ("_ready", "_scheduled"):
        queue = peek.field(loop, name)
        if queue is not None and any(item is handle for item in gc.get_referents(queue)):
            return True
    return False


def _is_registered(logger: object) -> bool:
    known = peek.field(logging.Logger.manager, "loggerDict")
    return logger is logging.root or (peek.is_a(known, dict) and peek.key_of(known, logger) is not None)


def _threads() -> dict[int, threading.Thread]:
    """The threads that are alive, without the lock of `threading.enumerate`: somebody may hold it while he waits."""
    known: dict[int, threading.Thread] = vars(threading)["_active"]
    for _ in range(3):
        with contextlib.suppress(RuntimeError):  # a thread has come or gone meanwhile
            return dict(known)
    return {}


def _signal_handlers() -> list[tuple[int, object]]:
    handlers = [(number, signal.getsignal(number)) for number in signal.valid_signals()]
    return [(number, handler) for number, handler in handlers if gc.is_tracked(handler) and callable(handler)]


def _is_ours(frame: FrameType) -> bool:
    name = peek.exact_str(dict.get(frame.f_globals, "__name__"))
    return name is not None and name.startswith(_PACKAGE)
