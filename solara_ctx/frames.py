"""Emptying the frames of errors that were reported, so that a kept traceback keeps nothing of a page.

Log handlers, error trackers and tests keep exceptions.  Each has a traceback, each frame of it has locals, and each
frame also refers to its caller's, up to the bottom of the thread: widgets, kernel and all.  What remains is what the
user's function has closed over, which CPython keeps with its frame.
"""

import dis
import inspect
import threading
from collections.abc import Iterable
from types import FrameType, MemberDescriptorType

_KEPT_ERRORS = 8
_MAY_WAIT = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_YIELD = dis.opmap["YIELD_VALUE"]
# Not by assignment: a class of the user's may do as it likes with that.
_OBJECT: MemberDescriptorType = vars(AttributeError)["obj"]


class _Job(threading.local):
    """What the job of a worker has noted on this thread and is still running; `None` between jobs and elsewhere."""

    running: list[FrameType] | None = None


_job = _Job()


def begin_job() -> None:
    """This thread begins a job, at whose end all frames of errors that it notes can be cleared."""
    _job.running = []


def end_job() -> None:
    """The job has ended."""
    for frame in _job.running or ():
        _cleared(frame)
    _job.running = None


def note(error: BaseException) -> list[FrameType]:
    """An error was reported: let it forget what it is about, and the frames that it came through, if they have ended.

    Any thread.

    Returns:
        Those that still run, and that nobody will clear; none in a job, which clears them at its end.
    """
    chain = _chain(error)
    for link in chain:
        if isinstance(link, AttributeError):
            _OBJECT.__set__(link, None)  # what has no such attribute: a widget, most of the time
    frames = _uncleared(_frames_of(chain))
    if _job.running is None:
        return frames
    # Those of earlier errors, too: a job that notes one error after the other must not pile them up.
    _job.running = _uncleared({id(frame): frame for frame in (*_job.running, *frames)}.values())
    return []


class FrameSweeper:
    """Clears the frames of reported errors outside jobs, once they have ended.  Any thread."""

    def __init__(self) -> None:
        # Bounded: until they are swept, they are kept by us.
        # No deque, which takes 760 bytes when it is empty.
        self._errors: list[list[FrameType]] = []
        self._severed = False

    def note(self, error: BaseException) -> None:
        """An error was reported; the functions that it came through may still be running."""
        self.sweep()
        running = note(error)
        if running:
            self._errors.append(running)
            del self._errors[:-_KEPT_ERRORS]
        if self._severed:
            self._errors.clear()

    def sweep(self) -> None:
        """Clear what has ended by now."""
        for _ in range(len(self._errors)):
            try:
                frames = self._errors.pop(0)
            except IndexError:
                return  # another thread was faster
            running = _uncleared(frames)
            if running:
                self._errors.append(running)

    def sever(self) -> None:
        """The kernel has ended: clear what can be cleared, forget the rest, now and from now on."""
        self.sweep()
        self._severed = True
        self._errors.clear()


def _frames_of(errors: Iterable[BaseException]) -> list[FrameType]:
    """The frames of the tracebacks of errors, and those that led to them."""
    frames: dict[int, FrameType] = {}
    for error in errors:
        trace = error.__traceback__
        caller = None if trace is None else trace.tb_frame.f_back
        while trace is not None:
            frames[id(trace.tb_frame)] = trace.tb_frame
            trace = trace.tb_next
        while caller is not None and id(caller) not in frames:
            frames[id(caller)] = caller
            caller = caller.f_back
    return list(frames.values())


def _chain(error: BaseException) -> list[BaseException]:
    """An error and all errors that it refers to."""
    chain: dict[int, BaseException] = {}
    found: list[BaseException | None] = [error]
    while found:
        link = found.pop()
        if link is not None and id(link) not in chain:
            chain[id(link)] = link
            found += (link.__cause__, link.__context__)
            if isinstance(link, BaseExceptionGroup):
                found += link.exceptions
    return list(chain.values())


def _uncleared(frames: Iterable[FrameType]) -> list[FrameType]:
    return [frame for frame in frames if not _cleared(frame)]


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
