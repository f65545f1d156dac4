"""Emptying the frames of errors that were reported, so that a kept traceback keeps nothing of a page.

Log handlers, error trackers and tests keep exceptions.  Each has a traceback, each frame of it has locals, and each
frame also refers to its caller's, up to the bottom of the thread: widgets, kernel and all.  What remains is what the
user's function has closed over, which CPython keeps with its frame.
"""

import dis
import inspect
from collections import deque
from types import FrameType

_KEPT_ERRORS = 8
_MAY_WAIT = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_YIELD = dis.opmap["YIELD_VALUE"]


class FrameSweeper:
    """Clears the frames of reported errors, once they have ended.  Any thread."""

    def __init__(self) -> None:
        # Bounded: until they are swept, they are kept by us.
        self._errors: deque[list[FrameType]] = deque(maxlen=_KEPT_ERRORS)

    def note(self, error: BaseException) -> None:
        """An error was reported; the functions that it came through may still be running."""
        self.sweep()
        frames: list[FrameType] = []
        seen: set[int] = set()
        link: BaseException | None = error
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            frames += _frames_of(link)
            link = link.__cause__ or link.__context__
        self._errors.append(frames)

    def sweep(self) -> None:
        """Clear what has ended by now."""
        for _ in range(len(self._errors)):
            try:
                frames = self._errors.popleft()
            except IndexError:
                return  # another thread was faster
            running = [frame for frame in frames if not _cleared(frame)]
            if running:
                self._errors.append(running)

    def sever(self) -> None:
        """The kernel has ended: clear what can be cleared, forget the rest."""
        self.sweep()
        self._errors.clear()


def _frames_of(error: BaseException) -> list[FrameType]:
    """The frames of a traceback, and those that led to it."""
    frames: list[FrameType] = []
    trace = error.__traceback__
    caller = None if trace is None else trace.tb_frame.f_back
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    while caller is not None:
        frames.append(caller)
        caller = caller.f_back
    return frames


def _cleared(frame: FrameType) -> bool:
    code = frame.f_code
    if code.co_flags & _MAY_WAIT and code.co_code[frame.f_lasti] == _YIELD:
        # A generator or coroutine that waits, and that up to 3.12 would be ended.
        return False
    try:
        frame.clear()
    except RuntimeError:
        return False  # it is still running
    # Up to 3.12 the snapshot that a debugger or traceback formatter has had of the locals outlives them; looking at
    # it brings it up to date.
    _ = frame.f_locals
    return True
