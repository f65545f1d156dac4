"""Taking a kernel down: named steps, each isolated, timed and with a budget, and a report of what happened.

Worker steps run on a pool that has nothing else to do, so that a page that blocks every user thread can still be
closed.  A step over its budget is abandoned: Python can't end a thread.  It is counted and named with the stack of
the thread that is stuck, another thread takes the place of the stuck one, and the next step begins.

The budget is the step's own: a step that waits for a free thread, because many kernels close at once, has not begun.
That wait ends, as each of the others has a budget too.
"""

import asyncio
import contextlib
import contextvars
import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from solara_ctx import frames
from solara_ctx.clock import Clock, wait_within
from solara_ctx.errors import redact
from solara_ctx.workers import WorkerPool

log = logging.getLogger(__name__)


T = TypeVar("T")
Step = tuple[str, Callable[[], object]]
"""A name and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What became of one step.  Text and numbers only: a report that somebody keeps must not keep the kernel."""

    name: str
    """The step, for example "hook on_close(save_draft)"."""
    seconds: float
    """How long it took, or how long it was waited for."""
    error: str | None = None
    """The error that it raised, as "ValueError: …"."""
    abandoned: bool = False
    """Whether it was still running at the end of its budget."""
    stack: str | None = None
    """Where the thread or task of an abandoned step was stuck."""

    @property
    def ok(self) -> bool:
        """Whether the step ran to its end."""
        return self.error is None and not self.abandoned


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseReport:
    """How a kernel was taken down."""

    kernel: str
    """The redacted kernel id."""
    reason: str
    """Why the kernel ended; the first reason that was given."""
    seconds: float
    """How long the whole teardown took."""
    steps: tuple[StepResult, ...]
    """Every step, in the order in which they ran."""

    @property
    def ok(self) -> bool:
        """Whether every step ran to its end."""
        return all(step.ok for step in self.steps)


# Hooks wait, for a database for example, so that many may run at a time.  What only computes is not done sooner by more
# threads: two take turns with each other at the interpreter's lock, and the event loop comes too short.  It was late by
# 250 to 360 ms while 16 threads closed 200 kernels, by 25 to 85 ms with two, and by 14 to 50 ms with one.
_WAITING_STEPS = 16
_COMPUTING_STEPS = 1


class Closers:
    """The threads that run the steps of teardowns; one that a step blocks for longer than its budget is replaced."""

    def __init__(
        self,
        waiting: WorkerPool | None = None,
        computing: WorkerPool | None = None,
    ) -> None:
        self.waiting = waiting or WorkerPool(_WAITING_STEPS, name="solara-ctx-closer")
        """For user code: hooks, the end of the app, and widgets with a `close` of their own."""
        self.computing = computing or WorkerPool(_COMPUTING_STEPS, name="solara-ctx-closer-computing")
        """For the end of all other widgets, and of the kernel."""

    @property
    def stuck(self) -> int:
        """How many threads run a step that was abandoned."""
        return self.waiting.stuck + self.computing.stuck

    def close(self) -> None:
        """Take no more steps; the threads end.  Does not wait."""
        self.waiting.close()
        self.computing.close()


class Teardown:
    """Runs the steps of one teardown, one after the other, and collects their results.  Loop only."""

    def __init__(self, kernel_id: str, *, clock: Clock, closers: Closers, budget_s: float) -> None:
        self._kernel = redact(kernel_id)
        self._clock = clock
        self._closers = closers
        self._budget_s = budget_s
        self._started = clock.now()
        self._steps: list[StepResult] = []
        self._where: Callable[[], str] | None = None

    def where(self) -> str:
        """What is waited for just now, and where that is, as text."""
        return "another step to begin" if self._where is None else self._where()

    def report(self, reason: str) -> CloseReport:
        """The report of the steps so far."""
        return CloseReport(
            kernel=self._kernel, reason=reason, seconds=self._clock.now() - self._started, steps=tuple(self._steps)
        )

    def here(self, name: str, step: Callable[[], object]) -> None:
        """Run a step on the event loop; for steps of ours, which neither wait nor run user code."""
        started = self._clock.now()
        error: str | None = None
        try:
            step()
        except Exception as raised:
            log.exception("closing kernel %s: %s failed", self._kernel, name)
            error = summary(raised)
        self._note(name, started, error=error)

    async def waiting(self, name: str, step: Callable[[], object], context: contextvars.Context) -> None:
        """Run a step that may wait on a worker, inside *context*; abandon it when its budget is spent."""
        await self._in_worker(self._closers.waiting, [(name, step)], lambda: context)

    async def computing(self, steps: Iterable[Step], new_context: Callable[[], contextvars.Context]) -> None:
        """The same for steps that only compute: one after the other, and on one way to a worker and back.

        Args:
            steps: Each has a budget of its own.
            new_context: Makes what they run inside; anew once one was abandoned, which is still inside the old one.
        """
        await self._in_worker(self._closers.computing, list(steps), new_context)

    async def _in_worker(
        self, pool: WorkerPool, steps: list[Step], new_context: Callable[[], contextvars.Context]
    ) -> None:
        loop = asyncio.get_running_loop()
        while steps:
            done: asyncio.Future[None] = loop.create_future()
            call = _Call(self._kernel, steps, new_context(), clock=self._clock, loop=loop, done=done)
            self._where = call.where
            pool.submit(call.run)
            steps = []
            left_s = self._budget_s
            while not await wait_within(self._clock, done, left_s):
                left_s = call.left_of(self._budget_s)
                if left_s <= 0 and call.abandon(pool, self._budget_s):
                    break
            self._where = None
            results, steps = call.take()
            for result in results:
                self._add(result)

    async def until(self, name: str, future: "asyncio.Future[T]", where: Callable[[], str]) -> bool:
        """Wait for something to stop; give up when the budget is spent, and say *where* it is stuck.

        Returns:
            Whether it has stopped.
        """
        started = self._clock.now()
        self._where = lambda: f"{name}, here:\n{where()}"
        stopped = await wait_within(self._clock, future, self._budget_s)
        self._where = None
        error = future.exception() if stopped and not future.cancelled() else None
        if error is not None:
            log.error("closing kernel %s: %s failed", self._kernel, name, exc_info=error)
            frames.note(error)
        said = None if error is None else summary(error)
        self._note(name, started, error=said, stack=None if stopped else where())
        return stopped

    def _note(self, name: str, started: float, *, error: str | None = None, stack: str | None = None) -> None:
        seconds = self._clock.now() - started
        self._add(StepResult(name=name, seconds=seconds, error=error, abandoned=stack is not None, stack=stack))

    def _add(self, result: StepResult) -> None:
        if result.abandoned:
            log.error(
                "closing kernel %s: %s did not end within %g s and was abandoned; it is stuck here:\n%s",
                self._kernel,
                result.name,
                self._budget_s,
                result.stack,
            )
        self._steps.append(result)


def summary(error: BaseException) -> str:
    """One line for an error."""
    return "".join(traceback.format_exception_only(error)).strip()


def stack_of_thread(ident: int | None) -> str:
    """Where a thread is just now, as text; the frames themselves would keep everything in them alive."""
    frame = sys._current_frames().get(ident) if ident is not None else None
    if frame is None:
        return "(the thread has no Python frame)"
    try:
        return "".join(traceback.format_stack(frame))
    finally:
        del frame


class _Call:
    """Steps on a worker thread, one after the other, until one of them is abandoned."""

    def __init__(
        self,
        kernel: str,
        steps: Iterable[Step],
        context: contextvars.Context,
        *,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        done: "asyncio.Future[None]",
    ) -> None:
        self._kernel = kernel
        self._context: contextvars.Context | None = context
        self._clock = clock
        self._loop = loop
        self._done = done
        # Protects the fields below: who comes first, the end of the step or the end of its budget?
        self._lock = threading.Lock()
        self._steps = deque(steps)
        self._results: list[StepResult] = []
        self._ident: int | None = None
        self._name = ""
        self._began_at = 0.0
        self._ended = False
        self._recover: Callable[[], None] | None = None

    def run(self) -> Callable[[], None]:
        """Run the steps; called on a worker.

        Returns:
            Tells the loop of the end; to be called when nothing of the steps is left on the worker.
        """
        context, self._context = self._context, None
        while context is not None and (step := self._begin()) is not None:
            error: str | None = None
            try:
                context.run(step)
            except BaseException as raised:  # a hook may call sys.exit()
                log.exception("closing kernel %s: %s failed", self._kernel, self._name)
                error = summary(raised)
                frames.note(raised)
            del step
            self._end(error)
        return partial(_settle_from_anywhere, self._loop, self._done, None)

    def left_of(self, budget_s: float) -> float:
        """How much of the running step's budget is left, in seconds; all of it while no thread has begun."""
        with self._lock:
            return self._left_of(budget_s)

    def abandon(self, pool: WorkerPool, budget_s: float) -> bool:
        """Give up on the step that runs, unless it has just ended after all."""
        with self._lock:
            if self._ended or self._left_of(budget_s) > 0:
                return False
            self._recover = pool.give_up_on_one()
            seconds = self._clock.now() - self._began_at
            stack = stack_of_thread(self._ident)
            self._results.append(StepResult(name=self._name, seconds=seconds, abandoned=True, stack=stack))
            return True

    def where(self) -> str:
        """Which step runs, and where it is, as text."""
        with self._lock:
            if self._ident is None:
                return "a thread: all of them run other kernels' hooks"
            return f"{self._name}, here:\n{stack_of_thread(self._ident)}"

    def take(self) -> tuple[list[StepResult], list[Step]]:
        """What became of the steps, and those that were not begun."""
        with self._lock:
            results, self._results = self._results, []
            rest, self._steps = self._steps, deque()
        return results, list(rest)

    def _left_of(self, budget_s: float) -> float:
        return budget_s if self._ident is None else budget_s - (self._clock.now() - self._began_at)

    def _begin(self) -> Callable[[], object] | None:
        with self._lock:
            if self._recover is not None or not self._steps:
                self._ended = True
                recover, self._recover = self._recover, None
            else:
                self._ident, self._began_at = threading.get_ident(), self._clock.now()
                self._name, step = self._steps.popleft()
                return step
        if recover is not None:
            recover()
        return None

    def _end(self, error: str | None) -> None:
        with self._lock:
            if self._recover is None:
                seconds = self._clock.now() - self._began_at
                self._results.append(StepResult(name=self._name, seconds=seconds, error=error))


def _settle_from_anywhere(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[T]", result: T) -> None:
    # An abandoned step may outlive its event loop.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_settle, future, result)


def _settle(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)
