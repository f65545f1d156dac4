"""Watching closed kernels until they are gone.

Each part of a kernel is watched by a weak reference whose callback notes the death, so that the usual case, where
everything dies at once, needs neither a timer nor a look.  Only what is still there after a moment is looked at again:

- a moment after the close, one garbage collection runs on a background thread, for all such kernels together;
- after `SOLARA_KERNEL_ZOMBIE_AFTER` a kernel that still is not gone is a zombie: it is logged once, and listed until it
  is gone after all.

The collector stops every thread for as long as it runs, hundreds of milliseconds on a large heap.  So it runs rarely,
the more so the longer it takes, and never in a process that has switched the automatic collection off: whoever does
that wants no pauses.
"""

import contextlib
import gc
import logging
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from solara_ctx.clock import Clock, Timer
from solara_ctx.leaks.watch import CollectorWatch, KernelWatch
from solara_ctx.stats import LeakStats, ZombieStats

log = logging.getLogger(__name__)

# For how long a frame, a thread or a callback that is just about to end may keep a closed kernel.
_MOMENT_S = 1.0
# Collections run no more often than this, and take no more than this part of the time.
_COLLECT_EVERY_S = 10.0
_COLLECT_SHARE = 0.01
# With a zombie time that is set as short as in a test, everything else has to be shorter still.
_PARTS_OF_ZOMBIE_TIME = 4
_LONGEST_PAUSE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a tracker needs of a running service."""

    clock: Clock
    """The time that it goes by."""
    in_background: Callable[[Callable[[], None]], None]
    """Runs a job on another thread."""
    on_loop: Callable[[Callable[[], None]], object]
    """Runs a job on the event loop; from any thread."""


class LeakTracker:
    """What became of the kernels that were closed.  Holds none of them.

    Loop only, but for `living`, which any thread may call.

    Args:
        zombie_after_s: How long a closed kernel may take to be gone.
        on_zombie: Called with the redacted id of a kernel that has become a zombie.
        collect: Runs a full garbage collection.
        collects_automatically: Whether this process wants garbage collections.
    """

    def __init__(
        self,
        *,
        zombie_after_s: float,
        on_zombie: Callable[[str], None] | None = None,
        collect: Callable[[], object] = gc.collect,
        collects_automatically: Callable[[], bool] = gc.isenabled,
    ) -> None:
        self._zombie_after_s = zombie_after_s
        self._moment_s = min(_MOMENT_S, zombie_after_s / _PARTS_OF_ZOMBIE_TIME)
        self._collect_every_s = min(_COLLECT_EVERY_S, zombie_after_s / _PARTS_OF_ZOMBIE_TIME)
        self._on_zombie = on_zombie
        self._collect = collect
        self._collects_automatically = collects_automatically
        self._around: Surroundings | None = None
        self._timer: Timer | None = None
        self._timer_due = 0.0
        self._collector = CollectorWatch()
        self._closing: set[KernelWatch] = set()
        # In the order in which they were closed.
        self._watched: list[KernelWatch] = []
        self._zombies: list[KernelWatch] = []
        self._collecting = self._no_more = False
        self._next_collection = 0.0
        self._by_refcount = self._by_gc = self._zombies_gone = self._collections = 0

    def start(self, around: Surroundings) -> None:
        """Look after closed kernels from now on."""
        self._around = around
        self._collecting = self._no_more = False
        self._next_collection = around.clock.now()
        self._look()

    def stop(self) -> None:
        """The service ends, and with it its timers.  What dies from now on is still counted."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._around = None
        self._closing.clear()
        self._collector.stop()

    def collect_no_more(self) -> None:
        """The service is about to stop: it has other things to do, and soon no memory that could be got back."""
        self._no_more = True

    def watch(self, kernel: str, session: str, reason: str) -> "KernelWatch":
        """Watch what belongs to a kernel that is about to be closed.

        Args:
            kernel: Its redacted id.
            session: The redacted id of its session.
            reason: Why it is closed.
        """
        watch = KernelWatch(kernel, session, reason, collector=self._collector, on_closed=self._closed)
        self._closing.add(watch)
        self._collector.start()
        return watch

    def stats(self) -> LeakStats:
        """A snapshot."""
        self._settle()
        return LeakStats(
            by_refcount_total=self._by_refcount,
            by_gc_total=self._by_gc,
            zombies_gone_total=self._zombies_gone,
            watched=len(self._watched),
            zombies=len(self._zombies),
            collections_total=self._collections,
        )

    def zombies(self, at_most: int = 100) -> list[ZombieStats]:
        """The zombies, the oldest first."""
        self._settle()
        now = None if self._around is None else self._around.clock.now()
        return [watch.as_zombie(now) for watch in self._zombies[:at_most]]

    def living(self, kernel: str | None = None) -> "list[weakref.ref[object]]":
        """Weak references to what is alive of closed kernels.  Any thread.

        Args:
            kernel: The beginning of a kernel's id, as it is shown, for that kernel only.
        """
        watches = [watch for watch in (*self._zombies, *self._watched) if kernel is None or watch.is_called(kernel)]
        return [part for watch in watches for part in watch.parts()]

    def note_holder(self, kernel: str, text: str) -> None:
        """Keep with a zombie what was found to hold it."""
        for watch in self._zombies:
            if watch.is_called(kernel):
                watch.held_by = text

    # From close to gone

    def _closed(self, watch: "KernelWatch") -> None:
        self._closing.discard(watch)
        if watch.gone:
            # The usual case: nothing is left, and nothing has to be looked at later.
            self._count(watch)
            self._rest()
            return
        self._watched.append(watch)
        if self._around is not None:
            watch.closed_at = self._around.clock.now()
            self._set_timer(self._around, self._collection_due(watch))

    def _count(self, watch: "KernelWatch") -> None:
        self._by_gc += watch.by_gc
        self._by_refcount += not watch.by_gc

    def _settle(self) -> None:
        """Count what is gone."""
        if any(watch.gone for watch in self._watched):
            # One look each: a part may die in another thread at any time.
            looks = [(watch, watch.gone) for watch in self._watched]
            self._watched = [watch for watch, gone in looks if not gone]
            for watch in (watch for watch, gone in looks if gone):
                self._count(watch)
        if any(watch.gone for watch in self._zombies):
            living = [watch for watch in self._zombies if not watch.gone]
            self._zombies_gone += len(self._zombies) - len(living)
            self._zombies = living
        self._rest()

    def _rest(self) -> None:
        if not self._watched and not self._closing:
            self._collector.stop()

    def _look(self) -> None:
        """Act on what is not gone in time, and come back when there is more to do."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._settle()
        around = self._around
        if around is None:
            return
        now, may_collect = around.clock.now(), self._collects_automatically()
        overdue = [
            watch
            for watch in self._watched
            if now >= watch.closed_at + self._zombie_after_s and (watch.collected or not may_collect)
        ]
        for watch in overdue:
            self._becomes_zombie(watch)
        uncollected = [watch for watch in self._watched if not watch.collected] if may_collect else []
        ready = [watch for watch in uncollected if now >= self._collection_due(watch)]
        if ready and not self._collecting and not self._no_more:
            self._begin_collection(around, ready)
        # In the order in which they were closed, so that the first is the first that is due.  Those that are overdue
        # wait for a collection, which looks again when it is done.
        due = [watch.closed_at + self._zombie_after_s for watch in self._watched]
        if not self._collecting:
            due += [self._collection_due(watch) for watch in uncollected[:1]]
        due = [when for when in due if when > now]
        if due:
            self._set_timer(around, min(due))

    def _collection_due(self, watch: "KernelWatch") -> float:
        return max(watch.closed_at + self._moment_s, self._next_collection)

    def _set_timer(self, around: Surroundings, due: float) -> None:
        if self._timer is not None:
            if self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer = around.clock.call_at(due, self._look)
        self._timer_due = due

    def _begin_collection(self, around: Surroundings, ready: "list[KernelWatch]") -> None:
        self._collecting = True
        self._collections += 1
        collect = self._collect

        def job() -> None:
            # The thread's own time: a collection stops the event loop, too, and with it the time of a loop's clock.
            began = time.perf_counter()
            try:
                collect()
            finally:
                took = time.perf_counter() - began
                # The service may have stopped meanwhile, and its loop with it.
                with contextlib.suppress(RuntimeError):
                    around.on_loop(lambda: self._collected(around, ready, took))

        around.in_background(job)

    def _collected(self, around: Surroundings, ready: "list[KernelWatch]", took_s: float) -> None:
        if around is not self._around:
            return
        self._collecting = False
        # Never so long that a zombie of a short time, as in a test, would be found when nobody waits for it any more.
        pause_s = min(took_s / _COLLECT_SHARE, _LONGEST_PAUSE * self._zombie_after_s)
        self._next_collection = around.clock.now() + max(self._collect_every_s, pause_s)
        for watch in ready:
            watch.collected = True
        self._look()

    def _becomes_zombie(self, watch: "KernelWatch") -> None:
        self._watched.remove(watch)
        self._zombies.append(watch)
        log.warning(
            "kernel %s was closed %g s ago (%s) and is not gone: something keeps %s; ask what it is with "
            "/resourcez?why=%s, or check the app with `solara-ctx leakcheck`",
            watch.kernel,
            self._zombie_after_s,
            watch.reason,
            ", ".join(f"{name} x{count}" if count > 1 else name for name, count in watch.alive().items()),
            watch.kernel.rstrip("…"),
        )
        if self._on_zombie is not None:
            self._on_zombie(watch.kernel)
