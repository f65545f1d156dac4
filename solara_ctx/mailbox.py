"""A kernel's jobs: one at a time, in order, on any pool of threads."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from time import sleep
from typing import Protocol

from solara_ctx import frames

log = logging.getLogger(__name__)

Job = Callable[[], None]

# So many jobs of one kernel one after the other are a page that opens, or a hand that is quick. With more, the event
# loop and all other kernels would have to take the interpreter from it for each step of theirs, 5 ms each time: beside
# a page that sent 2,000 moves at once, one answer in a hundred took 65 to 80 ms. With a pause after each it is 4 to 6.
_BREATHLESS = 16
_BREATH_S = 0.0001


def _pause() -> None:
    sleep(_BREATH_S)


class Pool(Protocol):
    """Where a mailbox runs its jobs."""

    def submit(self, job: Callable[[], Job | None]) -> None:
        """Run *job* soon on some thread, and what it returns when nothing of it is left there."""


class Mailbox:
    """Runs the jobs of one kernel in order, never two at once.  `put` is safe from any thread and never blocks.

    A mailbox occupies a thread only while it has jobs, and hands the thread back after each one: a kernel with a
    thousand messages waiting delays the others by one message, not by a thousand.

    Args:
        pool: Where jobs run.
        limit: Above so many waiting jobs, by their weight, `put` asks the caller to hold back.
        breathe: Pauses between two jobs of a long row.
    """

    def __init__(self, pool: Pool, *, limit: int, breathe: Job = _pause) -> None:
        self._pool = pool
        self._limit = limit
        self._breathe = breathe
        # Protects every field below.  Held for O(1) work only, never while a job runs.
        self._lock = threading.Lock()
        self._jobs: deque[tuple[Job, int]] = deque()
        self._weight = 0
        self._scheduled = False
        self._in_a_row = 0
        self._started = False
        self._closed = False
        self._thread_ident: int | None = None
        self._when_drained: deque[Job] = deque()
        self._when_stopped: Job | None = None

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def thread_ident(self) -> int | None:
        """The ident of the thread that runs a job of this mailbox just now."""
        return self._thread_ident

    def start(self) -> None:
        """Run what has been put so far, and from now on what is put."""
        with self._lock:
            self._started = True
            submit = self._claim_turn()
        if submit:
            self._pool.submit(self._turn)

    def put(self, job: Job, *, weight: int = 1) -> bool:
        """Queue a job; dropped when the mailbox is closed.

        Args:
            job: What to run.
            weight: For how many jobs it counts: one that holds much may wait in small numbers only.

        Returns:
            Whether there is room for more.  Where not, hold back until `when_drained` calls.
        """
        with self._lock:
            if self._closed:
                return True
            self._jobs.append((job, weight))
            self._weight += weight
            submit = self._claim_turn()
            room = self._weight < self._limit
        if submit:
            self._pool.submit(self._turn)
        return room

    def when_drained(self, callback: Job) -> None:
        """Call *callback* once, from any thread, when at most half of the limit is waiting or the mailbox closes."""
        with self._lock:
            if not self._closed and self._weight > self._limit // 2:
                self._when_drained.append(callback)
                return
        callback()

    def close(self, when_stopped: Job) -> int:
        """Drop what waits, take nothing more, and call *when_stopped* once no job runs.

        Returns:
            How many waiting jobs were dropped.
        """
        with self._lock:
            dropped, self._jobs = self._jobs, deque()
            self._weight = 0
            self._closed = True
            drained, self._when_drained = self._when_drained, deque()
            running = self._thread_ident is not None
            if running:
                self._when_stopped = when_stopped
        for callback in drained:
            _tell(callback)
        if not running:
            when_stopped()
        return len(dropped)

    def _claim_turn(self) -> bool:
        """Whether a turn has to be submitted now; the lock is held."""
        if not self._started or self._closed or not self._jobs or self._scheduled:
            return False
        self._scheduled = True
        return True

    def _turn(self) -> Job | None:
        with self._lock:
            if not self._jobs:
                self._scheduled = False
                return None
            job, weight = self._jobs.popleft()
            self._weight -= weight
            self._thread_ident = threading.get_ident()
        try:
            job()
        except BaseException as error:  # a SystemExit of user code must not end a thread that serves everybody
            log.exception("a job of a kernel failed in a way that it should have handled itself")
            frames.note(error)
        del job
        with self._lock:
            self._scheduled = False
            self._thread_ident = None
            submit = self._claim_turn()
            self._in_a_row = self._in_a_row + 1 if submit else 0
            out_of_breath = self._in_a_row >= _BREATHLESS
            drained = self._take_drained()
            stopped, self._when_stopped = self._when_stopped, None
        if out_of_breath:
            self._breathe()
        if submit:
            self._pool.submit(self._turn)
        for callback in drained:
            _tell(callback)
        # Who waits for the end is told after this frame, which refers to the mailbox, has gone.
        return None if stopped is None else partial(_tell, stopped)

    def _take_drained(self) -> deque[Job]:
        if not self._when_drained or self._weight > self._limit // 2:
            return deque()
        drained, self._when_drained = self._when_drained, deque()
        return drained


def _tell(callback: Job) -> None:
    try:
        callback()
    except Exception:  # for one, its event loop may have ended meanwhile; the others have to hear of it all the same
        log.exception("a callback of a mailbox failed")
