"""What a check has found, counted and in words."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from solara_ctx.errors import redact
from solara_ctx.leaks.census import Census
from solara_ctx.leaks.explain import Explanation, explain
from solara_ctx.leaks.growth import Grower, growers, in_step
from solara_ctx.leaks.tracker import LeakTracker

_CHAINS = 3
_SHOWN_ERRORS = 3
TOOLS = ("_pytest.", "pytest_", "pluggy.", "coverage.", "playwright.", "blockbuster.", "execnet.", "xdist.")
"""Who looks on and keeps what it sees, by the beginning of the names of its types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Closed kernels that something keeps."""

    explanation: Explanation
    parts: str
    """What of them is alive, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is left of the sessions of a check."""

    closed: int
    """How many kernels were closed."""
    per_cycle: int
    """How many in each cycle."""
    by_refcount: int
    """Freed at once, by reference counting."""
    by_gc: int
    """Freed by the garbage collector only: some code makes reference cycles."""
    alive: tuple[int, ...]
    """How many were alive after each cycle, and the collection at its end."""
    kept: tuple[Kept, ...]
    """What keeps those that still are."""
    growers: tuple[Grower, ...]
    """What has grown with each cycle."""
    errors: tuple[str, ...]
    """What went wrong in callbacks."""

    @property
    def never(self) -> int:
        """Not freed at all."""
        return self.alive[-1]

    @property
    def kernels_leak(self) -> bool:
        """Whether more closed kernels are kept with each of the later cycles."""
        return in_step(self.alive[len(self.alive) // 2 :]) or (self.never > 0 and in_step(self.alive[-2:]))

    @property
    def leaks(self) -> bool:
        """Whether something grows with the sessions, and does not say where it stops."""
        return self.kernels_leak or any(grower.bound is None for grower in self.growers)

    def text(self) -> str:
        """For people: what leaks, what holds it, and how much it is per session."""
        lines = [f"{self.closed} sessions were opened, used and closed, {self.per_cycle} at a time."]
        if self.never:
            more = (
                f"{(self.alive[-1] - self.alive[0]) / (len(self.alive) - 1):.1f} more with each {self.per_cycle}"
                if self.kernels_leak
                else "no more with further sessions"
            )
            lines.append(f"{self.never} of {self.closed} closed kernels are kept, {more}:")
            for kept in self.kept:
                lines += ["", f"  {kept.explanation.text()}", f"    keeps {kept.parts}"]
        if self.growers:
            lines += ["", "What grows with the sessions:"]
            lines += [f"  {grower.text()}" for grower in self.growers]
        lines += [
            "",
            f"Freed by reference counting: {self.by_refcount}, by the collector: {self.by_gc}, never: {self.never}.",
        ]
        return "\n".join(lines)


class _Closed(NamedTuple):
    kernel_id: str
    tracker: LeakTracker


class Tally:
    """Counts while a check runs.  Holds nothing of what it counts."""

    def __init__(self, trackers: Sequence[LeakTracker], *, per_cycle: int) -> None:
        self._trackers = tuple(trackers)
        self._per_cycle = per_cycle
        self._kernels: list[str] = []
        self._cycle: list[str] = []
        self._errors: list[str] = []
        self._censuses: list[Census] = []
        self._alive: list[int] = []
        self._by_refcount = self._by_gc = 0

    def session_closed(self, kernel_id: str, errors: Sequence[str]) -> None:
        """A session has ended."""
        self._kernels.append(kernel_id)
        self._cycle.append(kernel_id)
        self._errors += errors[: max(0, _SHOWN_ERRORS - len(self._errors))]

    def anything_alive(self) -> bool:
        """Whether something of the sessions of this cycle is alive."""
        return any(self._is_alive(kernel_id) for kernel_id in self._cycle)

    def cycle_ended(self) -> None:
        """Count what was freed by itself, collect, and count what is left."""
        alive = sum(self._is_alive(kernel_id) for kernel_id in self._cycle)
        self._by_refcount += len(self._cycle) - alive
        gc.collect()
        left = sum(self._is_alive(kernel_id) for kernel_id in self._cycle)
        self._by_gc += alive - left
        self._cycle.clear()
        self._alive.append(sum(self._is_alive(kernel_id) for kernel_id in self._kernels))
        self._censuses.append(Census.take())

    def report(self) -> Report:
        """The sums, with what holds what is left."""
        found = growers(self._censuses, per=self._per_cycle, ignore=TOOLS)
        return Report(
            closed=len(self._kernels),
            per_cycle=self._per_cycle,
            by_refcount=self._by_refcount,
            by_gc=self._by_gc,
            alive=tuple(self._alive),
            kept=tuple(self._explained()),
            growers=tuple(found),
            errors=tuple(self._errors),
        )

    def _explained(self) -> list[Kept]:
        """Why the youngest are still there: in a few different ways, where there are."""
        kept: dict[str, Kept] = {}
        alive = [kernel_id for kernel_id in self._kernels if self._is_alive(kernel_id)]
        # One search takes as long as a few collections: some of them, old and young, tell what there is to tell.
        for kernel_id in alive[:: -max(1, len(alive) // _CHAINS)][:_CHAINS]:
            living = [part for tracker in self._trackers for part in tracker.living(redact(kernel_id))]
            explanation = explain(living)
            kept.setdefault(_way(explanation), Kept(explanation=explanation, parts=_in_words(living)))
        return list(kept.values())

    def _is_alive(self, kernel_id: str) -> bool:
        return any(tracker.living(redact(kernel_id)) for tracker in self._trackers)


def _way(explanation: Explanation) -> str:
    """The same for chains that differ in a key only."""
    culprit = explanation.culprit
    return explanation.text() if culprit is None else f"{culprit.file}:{culprit.line} {explanation.links[-1].kind}"


def _in_words(living: Sequence[object]) -> str:
    names: dict[str, int] = {}
    for part in living:
        name = getattr(part, "type_name", "object")
        names[name] = names.get(name, 0) + 1
    return ", ".join(f"{count} {name}" if count > 1 else name for name, count in names.items())
