"""Interrupting the code of one kernel, and of no other, on a thread that all kernels share.

CPython can raise an exception in another thread (`PyThreadState_SetAsyncExc`): between two instructions of Python code,
so that what waits inside a function of C ends first.  Three things have to hold: it must never arrive in another
kernel's job that the thread has taken up meanwhile, nor in our own code, half-way through a message, nor where it would
leave a lock of the process locked for ever.
"""

import ctypes
import functools
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from solara_ctx import page_code

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exc.argtypes = (ctypes.c_ulong, ctypes.py_object)
_OURS = str(Path(__file__).parent)
_WAIT = threading.Condition.wait.__code__
_STDLIB = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen ")


class Interrupted(KeyboardInterrupt):
    """A page has asked for the end of what its kernel is doing."""


class Interrupts:
    """Runs the jobs of one kernel so that each can be interrupted.  One job at a time."""

    def __init__(self) -> None:
        # Held while the exception is sent on its way, and while a job ends: the one or the other comes first.
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._asked = False

    def run(self, job: Callable[[], object]) -> None:
        """Run *job* on this thread.

        Raises:
            Interrupted: it was interrupted, and did not catch that.
        """
        try:
            try:
                with self._lock:
                    self._thread = threading.get_ident()
                job()
            finally:
                self._end()
        finally:
            # Where it arrived on the way to the line above.
            self._end()

    def ask(self) -> bool:
        """Let the job that runs just now be interrupted, by `deliver`.  Any thread.

        Returns:
            Whether one runs.
        """
        with self._lock:
            self._asked = self._thread is not None
            return self._asked

    def deliver(self) -> bool:
        """Raise `Interrupted` in the job, unless it is in the midst of what must not be interrupted.  Any thread.

        Returns:
            Whether that is done with, also by the job's own end; else call again, soon.
        """
        with self._lock:
            if self._asked and self._thread is not None:
                # Nothing moves over there from this look on: we have the interpreter's lock.
                frame = sys._current_frames().get(self._thread)
                if frame is None or not _may_arrive(frame):
                    return False
                _set_async_exc(self._thread, Interrupted)
            self._asked = False
            return True

    def _end(self) -> None:
        while True:
            try:
                with self._lock:
                    self._thread, self._asked = None, False
                # One that is on its way arrives here, at the next turn of a loop, and not in what the thread does next.
                # It can't be called back: told to forget it, CPython 3.11 looks for it from then on at every turn of
                # every thread, and one that is traced comes no further.
                for _ in range(2):
                    pass
            except Interrupted:
                continue
            return


def _may_arrive(frame: FrameType) -> bool:
    """Whether the thread is in somebody's own code, or waits for something there.

    Neither in ours, nor in the standard library: functions there that take a lock, those of `logging` for example,
    would end without giving it back, and all kernels would wait for it. `Condition.wait`, which all that waits comes
    down to, is made for it.
    """
    innermost: FrameType | None = frame
    if frame.f_code is _WAIT:
        while innermost is not None and _is_of_stdlib(innermost.f_code.co_filename):
            innermost = innermost.f_back
    name = "" if innermost is None else innermost.f_code.co_filename
    return not _is_of_stdlib(name) and (not name.startswith(_OURS) or name == page_code.__file__)


@functools.cache
def _is_of_stdlib(filename: str) -> bool:
    return filename.startswith(_STDLIB) and "site-packages" not in filename
