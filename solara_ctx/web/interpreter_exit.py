"""Hear that the interpreter ends, while all threads still run.

A server in a daemon thread does not hear of it: the script is through, and its event loop stops wherever it is. Before
that, the interpreter waits for the threads that are no daemons, and those may wait for their kernel's end.
"""

import threading
from collections.abc import Callable

# Protects both below.
_lock = threading.Lock()
_callbacks: dict[object, Callable[[], None]] = {}
_is_registered = False


def on_interpreter_exit(callback: Callable[[], None]) -> Callable[[], None]:
    """Call *callback* once the main thread has ended, and before the interpreter waits for any other.  Any thread.

    It may take its time: the interpreter waits for it.  From that moment on, Python's own pools take no jobs.

    Returns:
        A function that takes the callback off again, harmless to call twice.
    """
    global _is_registered  # noqa: PLW0603 - one for the process: what `threading` is given it keeps for ever
    entry = object()  # the same function may be registered twice
    with _lock:
        _callbacks[entry] = callback
        if not _is_registered:
            # Private, and the only way to come before the wait for threads; `atexit` comes after it. What
            # concurrent.futures does with its pools, in all of CPython 3.11 to 3.13, and what is said above of them.
            threading._register_atexit(_call_all)  # type: ignore[attr-defined]
            _is_registered = True

    def unregister() -> None:
        with _lock:
            _callbacks.pop(entry, None)

    return unregister


def _call_all() -> None:
    with _lock:
        callbacks = list(_callbacks.values())
    for callback in callbacks:
        callback()
