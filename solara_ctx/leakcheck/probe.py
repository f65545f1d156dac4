"""What the checker asks of the process of the app, while the app is at rest."""

import asyncio
import concurrent.futures
import contextlib
import ctypes
import gc
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from solara_ctx.errors import KernelContextError
from solara_ctx.leakcheck.copies import NoCopy, in_a_copy
from solara_ctx.leakcheck.messages import Chain, Diagnosis, Growth, Kernels
from solara_ctx.leakcheck.origins import Tracing, can_trace
from solara_ctx.leaks import census
from solara_ctx.leaks.census import Census
from solara_ctx.leaks.explain import Explanation, explain
from solara_ctx.leaks.growth import growers
from solara_ctx.web.app import KernelApp

T = TypeVar("T")

_POLL_S = 0.02
# Where the app's process is measured by it, it notes more and more lines of the app.
_COVERAGE = ("coverage.",)
# For how long what is freed by reference counting may take: a frame that is just about to end, a thread that wakes up.
_MOMENT_S = 0.3
_LOOP_S = 30.0
_COPY_S = 30.0
# For the search for what keeps kernels, one after the other.
_CHAINS_S = 30.0


class Probe:
    """Answers questions about the kernels and the objects of this process.  One thread, not the event loop's.

    Args:
        apps: The `KernelApp`s that are served.
    """

    def __init__(self, apps: Sequence[KernelApp]) -> None:
        self._apps = apps
        self._tracing: Tracing | None = None
        self._growing: set[int] = set()
        self._seen: list[tuple[KernelApp, list[str]]] = []

    def kernels(self) -> Kernels:
        """How many kernels there are, and what became of those that were closed."""
        counts = [_on_loop(app, partial(_kernels, app)) for app in self._apps]
        known = [each for each in counts if each is not None]
        return Kernels(
            started=sum(each.started for each in known),
            open=sum(each.open for each in known),
            busy=sum(each.busy for each in known),
            by_refcount=sum(each.by_refcount for each in known),
            by_gc=sum(each.by_gc for each in known),
            kept=sum(each.kept for each in known),
            abandoned_steps=sum(each.abandoned_steps for each in known),
        )

    def settle(self, timeout_s: float) -> Kernels:
        """Wait until every kernel is closed, and what can be freed is freed; then collect the garbage.

        Returns:
            The state then.  `open` is not 0 if the kernels were not closed in time.
        """
        if not self._wait(lambda now: now.open == 0, timeout_s):
            return self.kernels()
        self._let_go()
        _collect()
        self._let_go()
        return self.kernels()

    def rest(self, timeout_s: float) -> Kernels:
        """Wait until no job runs, and collect the garbage; kernels stay open."""
        self._wait(lambda now: now.busy == 0, timeout_s)
        _collect()
        return self.kernels()

    def idle(self, timeout_s: float) -> bool:
        """Wait until no job runs, and remember which kernels there are.

        Returns:
            Whether that came true in time.
        """
        at_rest = self._wait(lambda now: now.busy == 0, timeout_s)
        self._seen = [(app, list(app.registry)) for app in self._apps]
        return at_rest

    def census(self) -> Census:
        """What the process is made of just now.  Not kept here: it would be part of what is measured."""
        counts = census.counts()
        try:
            taken = in_a_copy(Census.take, timeout_s=_COPY_S)
        except NoCopy:
            return Census.take()
        # The copy has no other threads.
        taken.counts = counts
        return taken

    def growth(self, censuses: Sequence[Census], per: int) -> list[Growth]:
        """What has grown in step with the sessions or uses between *censuses*."""
        found = []
        for grower in growers(censuses, per=per, ignore=_COVERAGE):
            explanation = grower.explanation
            culprit = None if explanation is None else explanation.culprit
            found.append(
                Growth(
                    what=grower.what,
                    kind=grower.kind,
                    per_step=grower.per_step,
                    bound=grower.bound,
                    file=None if culprit is None else culprit.file,
                    line=None if culprit is None else culprit.line,
                    explanation=explanation,
                    address=grower.address,
                )
            )
        self._growing = {growth.address for growth in found}
        return found

    def chains(self) -> list[Chain]:
        """What holds those kernels that were there at the last `idle`, and should be gone; different holders only."""
        found: dict[str, list[Explanation]] = {}
        deadline = time.monotonic() + _CHAINS_S
        for app, kernels in self._seen:
            for kernel in kernels:
                references = app.leaks.living(kernel)
                if references and time.monotonic() < deadline:
                    explanation = explain(references)
                    found.setdefault(_holder(explanation), []).append(explanation)
        seen = sum(len(kernels) for _, kernels in self._seen)
        by_count = sorted(found.values(), key=len, reverse=True)
        return [Chain(explanation=known[0], count=len(known), of=seen) for known in by_count]

    def trace(self) -> None:
        """From now on, remember where objects are made; not where somebody else does so already."""
        self._tracing = Tracing() if can_trace() else None

    def count_from_here(self) -> None:
        """Leave out what was made since `trace` up to now: what is made but once, or takes the place of another."""
        if self._tracing is not None:
            self._tracing.begin()

    def traced(self) -> Diagnosis:
        """Where what is left was made; ends the tracing."""
        if self._tracing is None:
            return Diagnosis()
        tracing, self._tracing = self._tracing, None
        return tracing.stop(self._growing)

    def _let_go(self) -> None:
        """Wait until no closed kernel is there, or no more of them go."""
        kept, since = self.kernels().kept, time.monotonic()
        while kept and time.monotonic() - since < _MOMENT_S:
            time.sleep(_POLL_S)
            if (now := self.kernels().kept) != kept:
                kept, since = now, time.monotonic()

    def _wait(self, condition: Callable[[Kernels], bool], timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while not condition(self.kernels()):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True


def _on_loop(app: KernelApp, function: Callable[[], T]) -> T | None:
    """What *function* returns on the app's event loop; `None` if the app's service was not started yet."""
    try:
        loop: asyncio.AbstractEventLoop = app.registry.loop
    except KernelContextError:
        return None
    answer: concurrent.futures.Future[T] = concurrent.futures.Future()

    def call() -> None:
        try:
            answer.set_result(function())
        except Exception as error:  # noqa: BLE001 - whoever waits raises it
            answer.set_exception(error)

    loop.call_soon_threadsafe(call)
    return answer.result(_LOOP_S)


def _kernels(app: KernelApp) -> Kernels:
    stats, workers, leaks = app.registry.stats(), app.registry.worker_stats(), app.leaks.stats()
    return Kernels(
        started=stats.started_total,
        open=stats.total,
        busy=workers.busy + workers.queued,
        by_refcount=leaks.by_refcount_total,
        by_gc=leaks.by_gc_total,
        kept=leaks.watched + leaks.zombies,
        abandoned_steps=stats.abandoned_steps_total,
    )


def _collect() -> None:
    """Free what can be freed, and give it back to the system, so that what is measured is what is held."""
    gc.collect()
    gc.collect()  # what finalizers have let go
    # Only glibc keeps freed memory for itself, and only there it can be asked for it.
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _holder(explanation: Explanation) -> str:
    """What tells one holder from another: the same line, or the same root."""
    culprit = explanation.culprit
    return explanation.root if culprit is None else f"{culprit.file}:{culprit.line}"
