"""Who looks on while an app is checked, and keeps what it sees: the test itself, pytest, Playwright.

None of them is the app.  What only they keep is told apart from what the app keeps by searching once with, and once
without them: nothing of theirs is touched.
"""

import gc
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from types import CoroutineType, FrameType, FunctionType, TracebackType

from solara_ctx.leaks.census import name_of
from solara_ctx.leaks.explain import Explanation, explain

TOOLS = (
    "_pytest.",
    "pytest.",
    "pytest_",
    "pluggy.",
    "playwright.",
    "greenlet.",
    "coverage.",
    "blockbuster.",
    "execnet.",
    "xdist.",
    "hypothesis.",
    # What inspect.stack() returns: Playwright keeps it with each call that waits.
    "inspect.FrameInfo",
)
"""The beginnings of the names of their types."""
APP, TEST, TOOL = "app", "test", "tool"
_TOOL_MODULES = ("_pytest", "pluggy", "pytest", "playwright", "unittest", "anyio.pytest_plugin", "xdist", "execnet")
# Told by an explanation that has found nobody: held from C, or by nothing but itself.
_NOBODY = {"c", "cycle"}

Targets = Sequence["weakref.ref[object]"]


class Onlookers:
    """The frames that have led to the check, known by their addresses.  Made by the thread that asks for the check.

    Args:
        frame: The innermost frame of the test; it and its callers are running until the check is over.
    """

    def __init__(self, frame: FrameType | None) -> None:
        self._tests: set[int] = set()
        self._tools: set[int] = set()
        while frame is not None:
            is_tool = str(frame.f_globals.get("__name__", "")).startswith(_TOOL_MODULES)
            own = self._tools if is_tool else self._tests
            own.add(id(frame))
            # The variables that its inner functions share with it: a page function of a test's own, for example.
            own.update(id(cell) for cell in _cells_of(frame))
            frame = frame.f_back

    def explain(self, targets: Targets) -> tuple[str, Explanation]:
        """What holds the targets, and whose that is: the app's, the test's or a tool's.  As for `explain`."""
        tools = self._tools | _tool_objects()
        found = explain(targets, overlooked=tools | self._tests | _coroutines_of(self._tests))
        if _is_somebody(found):
            return APP, found
        by_test = explain(targets, overlooked=tools)
        if _is_somebody(by_test):
            return TEST, by_test
        by_tool = explain(targets)
        if _is_somebody(by_tool):
            return TOOL, by_tool
        return APP, found

    def explain_to(self, told: Callable[[str, Explanation], None]) -> Callable[[Targets], Explanation]:
        """Like `explain`, for who takes the explanation only; *told* hears whose it is."""

        def explain_and_tell(targets: Targets) -> Explanation:
            whose, explanation = self.explain(targets)
            told(whose, explanation)
            return explanation

        return explain_and_tell


def _is_somebody(explanation: Explanation) -> bool:
    return explanation.found and explanation.links[0].kind not in _NOBODY


def _cells_of(frame: FrameType) -> Iterator[object]:
    """The variables that a frame shares with its inner functions: they live as long as either."""
    code = frame.f_code
    if not code.co_cellvars:
        return
    for function in gc.get_objects():
        if type(function) is not FunctionType or function.__code__.co_filename != code.co_filename:
            continue
        if function.__code__.co_qualname.startswith(f"{code.co_qualname}.<locals>."):
            cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            yield from (cell for name, cell in cells if name in code.co_cellvars)


def _tool_objects() -> set[int]:
    """The addresses of the objects of tools, and of what the last failure has left in `sys`."""
    known = gc.get_objects()
    names: dict[int, bool] = {}
    found: set[int] = set()
    for thing in known:
        kind = type(thing)
        is_tool = names.get(id(kind))
        if is_tool is None:
            is_tool = names[id(kind)] = name_of(kind).startswith(TOOLS)
        if is_tool:
            found.add(id(thing))
    for name in ("last_exc", "last_value"):
        error: object = getattr(sys, name, None)
        if isinstance(error, BaseException):
            found.add(id(error))
            found.update(_trace_of(error.__traceback__))
    found.update(_trace_of(getattr(sys, "last_traceback", None)))
    return found


def _trace_of(trace: TracebackType | None) -> Iterator[int]:
    while trace is not None:
        yield id(trace)
        yield id(trace.tb_frame)
        trace = trace.tb_next


def _coroutines_of(frames: set[int]) -> set[int]:
    """The coroutines that these frames belong to: one that waits holds its variables itself."""
    coroutines = [thing for thing in gc.get_objects() if type(thing) is CoroutineType]
    return {id(coroutine) for coroutine in coroutines if id(coroutine.cr_frame) in frames}
