"""The threads that run user code: started on demand, shared by all kernels, replaced when one gets stuck.

Not `concurrent.futures.ThreadPoolExecutor`: the interpreter waits for that one's threads when it exits, so one
callback that blocks for ever would keep a stopped server alive; and a thread that a hook has blocked would be lost
to everybody else.
"""

import contextvars
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from solara_ctx import frames

log = logging.getLogger(__name__)

T = TypeVar("T")

# What a worker runs.  What a job returns is called once nothing of the job is left on its thread: who is told there
# that the job has ended finds nothing of it alive.
Job = Callable[[], Callable[[], None] | None]

_IDLE_S = 30.0
# A thread that lets go of the interpreter for a moment, as each wake-up of the event loop does (it writes to a socket),
# has it back before the loop's thread is awake; and who was woken in vain begins to wait for his turn anew, see
# `take_gil` in CPython's ceval_gil. So a thread with one short job after the other can keep the loop out for as long
# as there are jobs: for 280 to 420 ms while 200 kernels closed. With a real pause between two jobs it was 20 to 80 ms.
_BREATH_S = 0.0001
_numbers = itertools.count(1)


class WorkerPool:
    """Runs jobs on daemon threads, at most *limit* at a time.  Safe from any thread.

    A job takes no argument and should not raise: whoever submits knows what to do with an error.

    Args:
        limit: How many threads there may be, without those that are stuck.
        name: Of the threads.
        idle_s: How long a thread without a job waits until it ends.
    """

    def __init__(
        self,
        limit: int,
        *,
        name: str = "solara-ctx-worker",
        idle_s: float = _IDLE_S,
    ) -> None:
        self._name = name
        self._idle_s: float | None = idle_s
        # Protects every field below.  Held for O(1) work only, never while a job runs.
        self._lock = threading.Lock()
        self._limit = limit
        self._jobs: deque[Job] = deque()
        self._threads = 0
        # Each idle thread is parked at a lock of its own, and the last to come is the first to go: the processor's
        # caches have what it needs still (40 of the 260 us of a click), and those that nobody needs end.
        self._parked: list[threading.Lock] = []
        self._in_turn = False
        self._idle = 0
        self._stuck = 0
        self._starting = False
        self._closed = False

    @property
    def threads(self) -> int:
        """How many threads there are, idle and stuck ones included."""
        return self._threads

    @property
    def busy(self) -> int:
        """How many threads run a job."""
        return self._threads - self._idle

    @property
    def stuck(self) -> int:
        """How many threads run a job that somebody has given up on."""
        return self._stuck

    @property
    def queued(self) -> int:
        """How many jobs wait for a thread."""
        return len(self._jobs)

    def submit(self, job: Job) -> None:
        """Run *job* on a thread, as soon as one is free, and then what it returns.

        Raises:
            RuntimeError: the pool is closed.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError(f"the worker pool {self._name} is closed")
            self._jobs.append(job)
            self._wake_one()
            start = self._take_room()
        if start:
            self._start_thread()

    def give_up_on_one(self) -> Callable[[], None]:
        """A job is stuck: let another thread take its place.

        Returns:
            To be called once when the stuck job has ended after all.
        """
        with self._lock:
            self._stuck += 1
            start = self._take_room()
        if start:
            self._start_thread()
        return self._recover_one

    def fix(self, threads: int) -> None:
        """Have *threads* threads from now on, all of them at once: none ends for want of work, and they take turns.

        For whoever measures: otherwise their number, and when there is what each thread has, depends on chance.
        """
        with self._lock:
            self._limit, self._idle_s, self._in_turn = threads, None, True
            missing = max(0, threads - (self._threads - self._stuck))
            self._threads += missing
            # Those that wait by the old rules wait by these from now on, or end.
            self._wake_all()
        for _ in range(missing):
            self._start_thread()

    def close(self) -> None:
        """Take no more jobs; threads end when the queue is empty.  Does not wait."""
        with self._lock:
            self._closed = True
            self._wake_all()

    def _wake_one(self) -> None:
        """Wake the thread that was parked last, if there is one; the lock is held."""
        if self._parked:
            self._parked.pop(0 if self._in_turn else -1).release()

    def _wake_all(self) -> None:
        """The lock is held."""
        while self._parked:
            self._wake_one()

    def _take_room(self) -> bool:
        """Whether one more thread is to be started by the caller, without the lock.

        Not while one is on its way, which sees to the next itself.  Whoever submits a hundred jobs at once is the event
        loop: it waits for the start of each thread that it starts itself, while those that run already want the
        interpreter, and 16 took it 100 ms.
        """
        if self._starting or len(self._jobs) <= self._idle or self._threads - self._stuck >= self._limit:
            return False
        self._threads += 1
        self._starting = True
        return True

    def _recover_one(self) -> None:
        with self._lock:
            self._stuck -= 1

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self._name}-{next(_numbers)}", daemon=True)
        try:
            # From an empty context: the thread serves every kernel and must not inherit that of its first job.
            contextvars.Context().run(thread.start)
        except RuntimeError as error:
            with self._lock:
                self._threads -= 1
                self._starting = False
                others = self._threads - self._stuck
            # The other cause is that the system has no more. CPython tells the two apart by its words only (3.12).
            if not others and "interpreter shutdown" in str(error):
                # The interpreter ends, and from 3.12 on starts no threads any more: better here than never.
                self._work_here()
                return
            log.exception(
                "%s: the system has no more threads to give; %d go on, and the next job tries again", self._name, others
            )

    def _work_here(self) -> None:
        """Run what waits on the thread of whoever has submitted it."""
        while self._work_once(self._first_job):
            pass

    def _first_job(self) -> Job | None:
        with self._lock:
            return self._jobs.popleft() if self._jobs else None

    def _work_once(self, next_job: Callable[[], Job | None]) -> bool:
        """Run one job; false where there is none.  A frame of its own: that of a thread, which may be parked for a long
        time, must not be what keeps the job's kernel.
        """
        job = next_job()
        if job is None:
            return False
        frames.begin_job()
        then = self._run(job)
        del job
        frames.end_job()
        if then is not None:
            self._run(then)
        return True

    def _work(self) -> None:
        with self._lock:
            self._starting = False
        spot = threading.Lock()
        spot.acquire()
        thread = threading.current_thread()
        name = thread.name
        next_job = partial(self._next_job, spot)
        while self._work_once(next_job):
            if thread.name != name:  # user code may call it after its user, and the next job is another's
                thread.name = name
            if self._jobs:
                time.sleep(_BREATH_S)

    def _run(self, job: Callable[[], T]) -> T | None:
        try:
            return job()
        except BaseException as error:  # a thread lost here would be missing from the pool for good
            log.exception("a job of %s failed in a way that it should have handled itself", self._name)
            frames.note(error)
            return None

    def _next_job(self, spot: threading.Lock) -> Job | None:
        with self._lock:
            # Above the limit once a stuck job has come back: the surplus thread ends, whatever waits.
            while not (surplus := self._threads - self._stuck > self._limit) and not self._jobs and not self._closed:
                if not self._park(spot) and not self._jobs:
                    break
            if not self._jobs or surplus:
                self._threads -= 1
                if self._jobs:
                    self._wake_one()  # in its place
                return None
            job = self._jobs.popleft()
            start = self._take_room()
        if start:
            self._start_thread()
        return job

    def _park(self, spot: threading.Lock) -> bool:
        """Wait until woken; whether that was before the time was over.  The lock is held, but for the wait itself."""
        self._idle += 1
        self._parked.append(spot)
        self._lock.release()
        woken = spot.acquire(timeout=-1 if self._idle_s is None else self._idle_s)
        self._lock.acquire()
        self._idle -= 1
        if not woken:
            if spot in self._parked:
                self._parked.remove(spot)
            else:  # somebody has woken it since
                woken = spot.acquire()
        return woken
