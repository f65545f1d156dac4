"""Threads and pool jobs see the kernel of the code that started them.

asyncio needs no patch: tasks and callbacks copy the context variables.
"""

import concurrent.futures
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial, wraps
from multiprocessing.pool import ThreadPool
from typing import Any

from solara_ctx import current
from solara_ctx.errors import ContextClosed
from solara_ctx.jupyter import outputs
from solara_ctx.jupyter.host import current_host
from solara_ctx.patching.stack import Patch

Future = concurrent.futures.Future[Any]

_INHERITED = "_solara_ctx_inherited"
_CPYTHON = "CPython 3.11 to 3.13"

# Idents, not threads, of foreign threads that were still alive when their kernel ended.
_still_alive: set[int] = set()


def patches() -> Sequence[Patch]:
    """The patches of threads and pools, in the order in which they are applied."""
    return (
        Patch(
            target=threading.Thread,
            attribute="start",
            make=_start,
            why="a new thread begins with empty context variables; this notes what it is to inherit",
            upstream=_CPYTHON,
        ),
        Patch(
            target=threading.Thread,
            attribute="_bootstrap_inner",
            make=_bootstrap_inner,
            why="runs in the new thread before `run`, which subclasses override",
            upstream=_CPYTHON,
        ),
        Patch(
            target=threading,
            attribute="excepthook",
            make=_excepthook,
            why="the traceback of a kernel's thread is for its Output or its pages, as that of a callback",
            upstream=_CPYTHON,
        ),
        Patch(
            target=concurrent.futures.ThreadPoolExecutor,
            attribute="submit",
            make=_submit,
            why="a job belongs to who submits it, not to who made the pool's thread start",
            upstream=_CPYTHON,
        ),
        Patch(
            target=ThreadPool,
            attribute="__init__",
            make=_start_pool,
            why="the pool's threads serve everybody, and must not inherit the kernel of who happened to make the pool",
            upstream=_CPYTHON,
        ),
        *(
            Patch(
                target=ThreadPool,
                attribute=attribute,
                make=_hand_to_pool,
                why="as for ThreadPoolExecutor; joblib's threads are of this pool, for example",
                upstream=_CPYTHON,
            )
            for attribute in ("apply_async", "_map_async", "imap", "imap_unordered")
        ),
    )


def _start(original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def start(self: threading.Thread) -> None:
        """Start the thread's activity, in the kernel that is current here."""
        handle, capture = current.peek_handle(), outputs.peek()
        if handle is not None or capture is not None:
            # Both are weak: a thread that never runs keeps nothing of the page.
            self.__dict__[_INHERITED] = handle, capture
        original(self)

    return start


def _bootstrap_inner(original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def _bootstrap_inner(self: threading.Thread) -> None:
        handle, capture = self.__dict__.pop(_INHERITED, (None, None))
        if handle is None:
            original(self)
            return
        current.bind(handle)
        # The thread is not yet in threading's table and looks like a foreign one.
        handle.foreign_threads.discard(threading.get_ident())
        outputs.bind(capture)
        handle.threads.add(self)
        try:
            original(self)
        finally:
            handle.threads.discard(self)

    return _bootstrap_inner


def _excepthook(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def excepthook(args: Any) -> None:
        """Report what has ended a thread of a kernel as an error of the user's code."""
        host = current_host()
        if issubclass(args.exc_type, ContextClosed) and current.peek_handle() is not None:
            return  # its kernel has ended, and `sleep` or what else it asked of it has told it so
        if host is None or args.exc_value is None:
            original(args)
        elif not issubclass(args.exc_type, SystemExit):
            host.reporter.user_error(args.exc_value, f"thread {threading.current_thread().name!r}")

    return excepthook


def _submit(original: Callable[..., Future]) -> Callable[..., Future]:
    def submit(
        self: concurrent.futures.ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future:
        """Submit a job, to run in the kernel that is current here; the pool's threads belong to none."""
        handle, capture = current.peek_handle(), outputs.peek()
        if handle is None and capture is None:
            return original(self, fn, *args, **kwargs)
        with current.without_context(), outputs.suspended():
            return original(self, _run_job, handle, capture, fn, *args, **kwargs)

    return submit


def _start_pool(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def __init__(self: ThreadPool, *args: Any, **options: Any) -> None:  # noqa: N807 - replaces it
        with current.without_context(), outputs.suspended():
            original(self, *args, **options)

    return __init__


def _hand_to_pool(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def hand_to_pool(self: ThreadPool, func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Let *func*, and the callbacks for its result, run in the kernel that is current here."""
        handle, capture = current.peek_handle(), outputs.peek()
        if handle is None and capture is None:
            return original(self, func, *args, **options)
        bound = partial(partial, _run_job, handle, capture)
        # The first of the other arguments is what the job works on: none of our business, even where it is callable.
        first, others = args[:1], (bound(other) if callable(other) else other for other in args[1:])
        for name in ("callback", "error_callback"):
            if options.get(name) is not None:
                options[name] = bound(options[name])
        return original(self, bound(func), *first, *others, **options)

    return hand_to_pool


def _run_job(
    handle: current.Handle | None,
    capture: outputs.Capture | None,
    fn: Callable[..., Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    before = outputs.peek()
    outputs.bind(capture)
    try:
        return current.call_bound(handle, fn, *args, **kwargs)
    finally:
        outputs.bind(before)


def scrub_dummy_threads(idents: set[int]) -> None:
    """Drop what `threading` keeps of foreign threads (made by C code or `_thread`) that have ended.  Any thread.

    Python makes a `_DummyThread` for such a thread when it asks for `current_thread()`, and up to 3.12 keeps it for
    ever.  Threads that still run are looked at again with the next call.

    Args:
        idents: Of foreign threads in which a kernel was current.
    """
    with threading._active_limbo_lock:  # type: ignore[attr-defined]
        _still_alive.update(idents)
        if not _still_alive:
            return
        # Only the idents: the frames of all threads, this one's included, would tie this frame into a cycle, and with
        # it the kernel that is just being closed.
        alive = frozenset(sys._current_frames())
        for ident in _still_alive - alive:
            if isinstance(threading._active.get(ident), threading._DummyThread):  # type: ignore[attr-defined]
                del threading._active[ident]  # type: ignore[attr-defined]
        _still_alive.intersection_update(alive)
