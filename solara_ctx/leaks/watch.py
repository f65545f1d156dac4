"""The eye on one closed kernel: weak references to its parts, whose callbacks note the deaths, and who freed them."""

import contextlib
import gc
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar, cast

from solara_ctx.errors import redact
from solara_ctx.stats import ZombieStats
from solara_ctx.weak import WeakBag

T = TypeVar("T")


class KernelWatch:
    """Implements `ports.Watch` for one closed kernel.  Holds weak references and texts only."""

    def __init__(
        self,
        kernel: str,
        session: str,
        reason: str,
        *,
        collector: "CollectorWatch",
        on_closed: "Callable[[KernelWatch], None]",
    ) -> None:
        self.kernel, self.session, self.reason = kernel, session, reason
        self.closed_at = 0.0
        """On the tracker's clock."""
        self.collected = False
        """A garbage collection has run since it should have been gone."""
        self.by_gc = False
        """Something of it was freed by a garbage collection."""
        self.held_by: str | None = None
        """What was found to hold it."""
        self._on_closed: Callable[[KernelWatch], None] | None = on_closed
        self._collector = collector
        self._parts: dict[int, _Part] = {}
        self._bags: list[WeakBag[object]] = []
        self._added = 0

    def add(self, part: object) -> None:
        """Watch *part* too; harmless where nothing can refer to it weakly.  Any thread."""
        self._added += 1
        with contextlib.suppress(TypeError):
            reference = _Part(part, _tell_of)
            reference.watch, reference.number = weakref.ref(self), self._added
            self._parts[self._added] = reference

    def add_all(self, parts: WeakBag[T]) -> None:
        """Watch all that is and comes into the bag, which is not to be cleared any more.  Any thread."""
        self._bags.append(cast("WeakBag[object]", parts))
        parts.on_death(partial(_tell, weakref.ref(self)))

    def closed(self) -> None:
        """The kernel is closed: from now on nothing should refer to its parts.  Loop only, once."""
        on_closed, self._on_closed = self._on_closed, None
        if on_closed is not None:
            on_closed(self)

    @property
    def gone(self) -> bool:
        """Whether nothing of it is alive."""
        return not self._parts and not any(self._bags)

    def is_called(self, kernel: str) -> bool:
        """Whether *kernel* is the id as it is shown, with or without the ellipsis, or the whole id."""
        return kernel.rstrip("…") == self.kernel.rstrip("…") or redact(kernel) == self.kernel

    def parts(self) -> "list[weakref.ref[object]]":
        """What is alive.  Any thread."""
        # A copy in one step: any thread may drop the last reference to a part meanwhile.
        return [*self._parts.copy().values(), *(part for bag in self._bags for part in bag.references())]

    def alive(self) -> dict[str, int]:
        """What is alive, by type.  Any thread."""
        return alive_by_type(self.parts())

    def as_zombie(self, now: float | None) -> ZombieStats:
        """A snapshot, at *now* on the tracker's clock."""
        return ZombieStats(
            id=self.kernel,
            session=self.session,
            reason=self.reason,
            age_seconds=0.0 if now is None else now - self.closed_at,
            alive=self.alive(),
            held_by=self.held_by,
        )

    def _died(self, number: int | None = None) -> None:
        # Called in any thread, between any two instructions, also in the midst of a collection: no lock, no log.
        if self._collector.thread == threading.get_ident():
            self.by_gc = True
        if number is not None:
            self._parts.pop(number, None)


def alive_by_type(parts: "Iterable[weakref.ref[object]]") -> dict[str, int]:
    """How many of some are alive, by the name of their type.

    What is let go of by its last owner meanwhile ends here, on the thread that looks.
    """
    alive = (reference() for reference in parts)
    return dict(Counter(type(part).__name__ for part in alive if part is not None))


class _Part(weakref.ref[object]):
    """A weak reference to a part of a kernel, that tells the part's watch of its death."""

    __slots__ = ("number", "watch")

    number: int
    watch: "weakref.ref[KernelWatch]"
    """Weakly: watch, part, callback and watch again would be a reference cycle of our own."""


def _tell_of(part: "weakref.ref[object]") -> None:
    if isinstance(part, _Part):
        _tell(part.watch, part.number)


def _tell(reference: "weakref.ref[KernelWatch]", number: int | None = None) -> None:
    if (watch := reference()) is not None:
        watch._died(number)


class CollectorWatch:
    """Knows in which thread a garbage collection is running just now.  Only while somebody wants to know: the
    collector calls it twice for each of its thousands of small runs.
    """

    def __init__(self) -> None:
        self.thread: int | None = None

    def start(self) -> None:
        """Look from now on; harmless when it does already."""
        if self not in gc.callbacks:
            gc.callbacks.append(self)

    def stop(self) -> None:
        """Look no more; harmless when it does not."""
        self.thread = None
        with contextlib.suppress(ValueError):
            gc.callbacks.remove(self)

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        self.thread = threading.get_ident() if phase == "start" else None
