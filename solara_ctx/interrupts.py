"""Interrupting the code of one kernel, and of no other, on a thread that all kernels share.

The exception must never arrive in another kernel's job that the thread has taken up meanwhile.
"""

import threading
from collections.abc import Callable

from solara_ctx.interruptible import raise_in

# After so many tries, that a library is interrupted, too, is better than that nothing is.
_PATIENCE = 20


class Interrupted(KeyboardInterrupt):
    """A page has asked for the end of what its kernel is doing."""


class Interrupts:
    """Runs the jobs of one kernel so that each can be interrupted.  One job at a time."""

    def __init__(self) -> None:
        # Held while the exception is sent on its way, and while a job ends: the one or the other comes first.
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._asked = False
        self._tries = 0

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
            self._asked, self._tries = self._thread is not None, 0
            return self._asked

    def deliver(self) -> bool:
        """Raise `Interrupted` in the job, unless it is in the midst of what must not be interrupted.  Any thread.

        Returns:
            Whether that is done with, also by the job's own end; else call again, soon.
        """
        with self._lock:
            if self._asked and self._thread is not None:
                self._tries += 1
                if not raise_in(self._thread, Interrupted, also_in_libraries=self._tries > _PATIENCE):
                    return False
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
