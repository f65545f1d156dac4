"""Where the code of a kernel may be interrupted, without harm to the process that it shares with others.

CPython can raise an exception in another thread (`PyThreadState_SetAsyncExc`): at the next instruction of Python code
that looks for one, so that what waits inside a function of C ends first.  It must never arrive in our own code, half-
way through a message, nor where a lock of the process would be left locked for ever, or a module half imported.  Who
has written `lock.acquire()`, and `try` in the next line, has not reckoned with an exception in between.  So it arrives
in the app's own code, as far as that can be had.
"""

import ctypes
import dis
import functools
import inspect
import os
import re
import sys
import sysconfig
import threading
from collections.abc import Iterator
from itertools import takewhile
from operator import itemgetter
from pathlib import Path
from types import CodeType, FrameType

from solara_ctx import page_code

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exc.argtypes = (ctypes.c_ulong, ctypes.py_object)
_OURS = f"{Path(__file__).parent}{os.sep}"
_WAIT = threading.Condition.wait.__code__
_STDLIB = (*(f"{sysconfig.get_path(name)}{os.sep}" for name in ("stdlib", "platstdlib")), "<frozen ")
_IMPORT_SYSTEM = "<frozen importlib"
# Where packages are installed: Debian's own Python has a name of its own for it.
_INSTALLED = frozenset({"site-packages", "dist-packages"})
# What one half of makes no sense without the other, and what an exception is lost in.
_UNDIVIDED = frozenset({"__enter__", "__exit__", "__aenter__", "__aexit__", "__del__", "acquire", "release"})
# Of what a function may be called that has to do with one.
_OF_LOCKS = re.compile("acquire|release|mutex|semaphore|cond(?:ition)?$|(?<![bc])lock", re.IGNORECASE)
_CALLS = frozenset({"PRECALL", "CALL", "CALL_KW", "CALL_FUNCTION_EX"})
# So many times None is what `__exit__` is called with where a block has come to its end.
_OF_EXIT = 3
_REMEMBERED = 500
_app_packages: set[str] = set()


def add_app_code(function: object) -> None:
    """The package that *function* is from is the app's own, also where it is installed like a library.  Any thread."""
    while isinstance(function, functools.partial):
        function = function.func
    module: object = getattr(inspect.unwrap(function) if callable(function) else function, "__module__", None)
    if isinstance(module, str):
        _app_packages.add(module.partition(".")[0])


def raise_in(thread: int, error: type[BaseException], *, also_in_libraries: bool) -> bool:
    """Raise *error* in a thread, unless it is where that must not arrive.  Any other thread.

    Returns:
        Whether that was done; else try again, soon.
    """
    frame = sys._current_frames().get(thread)
    at = None if frame is None else frame.f_lasti
    if frame is None or not _may_arrive(frame, also_in_libraries=also_in_libraries):
        return False
    # The other thread may have had its turn since, and be elsewhere. From the beginning of the loop's turn to the call
    # in it no thread gets one: Python looks who else is waiting after calls, and where a loop goes back, but not where
    # an iterator made of functions of C takes its step.
    for now in map(itemgetter(thread), iter(sys._current_frames, None)):
        if now is frame and now.f_lasti == at:
            _set_async_exc(thread, error)
            return True
        break
    return False


def _may_arrive(frame: FrameType, *, also_in_libraries: bool) -> bool:
    """Whether a thread whose innermost frame is that may be interrupted there.

    In the app's own code, but not where that is about to hold a lock or to give it back, as far as one can tell; and
    where it waits for something.  In a library, of which one does not know what it does, only if need be.  Never in an
    import, which would leave modules behind that everybody finds half executed.
    """
    frames = list(_outwards(frame))
    libraries = list(takewhile(lambda each: not _is_own(each), frames))
    own = frames[len(libraries) :]
    if not own or any(
        each.f_code.co_filename.startswith(_IMPORT_SYSTEM) or (each.f_code.co_name in _UNDIVIDED and _is_own(each))
        for each in frames
    ):
        return False
    if not libraries:
        return not _is_acquiring(frame) and _is_looked_for_in_own(frame)
    if frame.f_code is _WAIT and _is_acquiring(frame):
        # Made for it: what all that waits in Python comes down to, as long as it is not about to go on.
        return all(_is_of_stdlib(each.f_code.co_filename) for each in libraries)
    return (
        also_in_libraries
        and not _is_of_stdlib(frame.f_code.co_filename)
        and _next_look(frame.f_code, frame.f_lasti) is True
        and not any(_is_ours(each) or _is_about_locks(each.f_code) for each in libraries)
    )


def _is_about_locks(code: CodeType) -> bool:
    """Whether a function may take a lock or give one back, by the names that it uses."""
    return code.co_name in _UNDIVIDED or any(map(_OF_LOCKS.search, code.co_names))


def _is_looked_for_in_own(frame: FrameType) -> bool:
    """Whether Python looks for an exception in the app's own code next, or where that calls something.

    An operator may have called a function of C, and it looks later only.  In between the app's code may come to an end,
    and ours go on; or a `with`, whose end would never be called.
    """
    found, outer = _next_look(frame.f_code, frame.f_lasti), frame.f_back
    while found is None and outer is not None and _is_own(outer):
        found, outer = _next_look(outer.f_code, outer.f_lasti + 1), outer.f_back
    return found is True


def _outwards(frame: FrameType) -> Iterator[FrameType]:
    outer: FrameType | None = frame
    while outer is not None:
        yield outer
        outer = outer.f_back


def _is_acquiring(frame: FrameType) -> bool:
    """Whether a frame is in a line that calls a method `acquire`: it may have the lock by now, or any moment."""
    return "acquire" in frame.f_code.co_names and frame.f_lineno in _lines_that_acquire(frame.f_code)


# Remembered, as the thread goes on while this is found out, and is likely to be met there again.
@functools.lru_cache(_REMEMBERED)
def _lines_that_acquire(code: CodeType) -> frozenset[int | None]:
    return frozenset(
        each.positions.lineno
        for each in dis.get_instructions(code)
        if each.argval == "acquire" and each.positions is not None
    )


@functools.lru_cache(_REMEMBERED)  # for the same reason
def _next_look(code: CodeType, offset: int) -> bool | None:
    """Whether Python looks for an exception next, from an offset on, where one does no harm; `None` where the function
    ends before.
    """
    called, in_a_row = "", 0
    instructions = dis.Bytecode(code)
    for each in instructions:
        if each.offset < offset:
            continue
        kind = each.opname
        if kind == "RESUME":
            return True
        if "JUMP_BACKWARD" in kind and kind != "JUMP_BACKWARD_NO_INTERRUPT":
            # It has jumped by then. Where it has come to the very beginning of a `try`, CPython up to 3.12 takes what
            # is raised for raised before that: `finally` would not run.
            blocks = instructions.exception_entries  # type: ignore[attr-defined]  # typeshed does not know it
            return all(each.argval != block.start for block in blocks)
        if kind in _CALLS:
            return in_a_row < _OF_EXIT and called not in _UNDIVIDED
        if kind.startswith(("RETURN", "YIELD", "RERAISE", "RAISE")):
            return None
        in_a_row = in_a_row + 1 if kind == "LOAD_CONST" and each.argval is None else 0
        if kind in {"LOAD_METHOD", "LOAD_ATTR"}:
            called = each.argval
    return None


def _is_own(frame: FrameType) -> bool:
    """Whether a frame is of the app's own code, or of ours that waits for page code."""
    filename = frame.f_code.co_filename
    if filename.startswith("<") and not _is_of_stdlib(filename):
        # Was made of a string, which libraries do, too.
        filename = str(frame.f_globals.get("__file__", ""))
    if _is_of_stdlib(filename) or _is_ours(frame):
        return False
    return not _is_installed(filename) or str(frame.f_globals.get("__name__")).partition(".")[0] in _app_packages


def _is_ours(frame: FrameType) -> bool:
    filename = frame.f_code.co_filename
    return filename.startswith(_OURS) and filename != page_code.__file__


@functools.cache
def _is_of_stdlib(filename: str) -> bool:
    return filename.startswith(_STDLIB) and not _is_installed(filename)


@functools.cache
def _is_installed(filename: str) -> bool:
    return not _INSTALLED.isdisjoint(Path(filename).parts)
