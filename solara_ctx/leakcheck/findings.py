"""What a check has found, counted and in words."""

import gc
import weakref
from collections.abc import Sequence
from dataclasses import dataclass

from solara_ctx.errors import redact
from solara_ctx.leakcheck.messages import Origin
from solara_ctx.leakcheck.onlookers import APP, TEST, TOOL, TOOLS, Onlookers
from solara_ctx.leakcheck.places import is_user_file, shown
from solara_ctx.leaks.census import Census
from solara_ctx.leaks.explain import Explanation
from solara_ctx.leaks.growth import Grower, growers, in_step
from solara_ctx.leaks.tracker import LeakTracker
from solara_ctx.leaks.watch import alive_by_type

_CHAINS = 3
_SHOWN_ERRORS = 3
FEWEST_TO_SEE = 3
"""How many counts in a row show a growth."""
_BY = {APP: "", TEST: "kept by your test, not by the app: ", TOOL: "kept by a tool, not by the app: "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Closed kernels that something keeps."""

    explanation: Explanation
    whose: str
    """Who holds them: the `app`, the `test`, or a `tool` such as pytest."""
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
    """What has grown in the app with each cycle."""
    growers_of_test: tuple[Grower, ...]
    """What has grown with each cycle, and is held by the test itself only."""
    errors: tuple[str, ...]
    """What went wrong in callbacks."""
    origins: tuple[Origin, ...] = ()
    """The lines of the app that have made what stays; looked for where the chains name none of its lines."""
    doubted: tuple[Grower, ...] = ()
    """What had grown in the app with each cycle when the check was to end, which is why it went on."""

    @property
    def names_lines(self) -> bool:
        """Whether each leak has a chain with a line of the app's own code: C code and libraries hold things, too."""
        chains: list[Explanation | None] = [grower.explanation for grower in self.growers if grower.bound is None]
        if self.kernels_leak:
            chains += [kept.explanation for kept in self.kept if kept.whose == APP]
        culprits = [None if chain is None else chain.culprit for chain in chains]
        return all(one is not None and one.file is not None and is_user_file(one.file) for one in culprits)

    @property
    def never(self) -> int:
        """Not freed at all."""
        return self.alive[-1]

    @property
    def keeper(self) -> str:
        """Who keeps the closed kernels that are kept: the `app` rather than the `test` rather than a `tool`."""
        owners = {kept.whose for kept in self.kept}
        return next((whose for whose in (APP, TEST, TOOL) if whose in owners), APP)

    @property
    def kernels_leak(self) -> bool:
        """Whether more closed kernels are kept with each of the later cycles."""
        return in_step(self.alive[-FEWEST_TO_SEE:])

    @property
    def leaks(self) -> bool:
        """Whether something of the app grows with the sessions, and does not say where it stops."""
        if self.kernels_leak and self.keeper == APP:
            return True
        return any(grower.bound is None for grower in self.growers)

    @property
    def may_be_bounded(self) -> bool:
        """Whether all that speaks of a leak is growth, which may have a bound that was not reached."""
        return self.leaks and not self.kernels_leak

    @property
    def test_keeps(self) -> bool:
        """Whether it is the test itself that keeps more and more."""
        return bool(self.growers_of_test) or (self.kernels_leak and self.keeper == TEST)

    def text(self) -> str:
        """For people: what leaks, what holds it, and how much it is per session."""
        lines = [f"{self.closed} sessions were opened, used and closed, {self.per_cycle} at a time."]
        if self.never:
            rate = (self.alive[-1] - self.alive[0]) / (len(self.alive) - 1) / self.per_cycle
            more = f"{rate:.1f} more with each session" if self.kernels_leak else "no more with further sessions"
            lines.append(f"{self.never} of {self.closed} closed kernels are kept, {more}:")
            for kept in self.kept:
                lines += ["", f"  {_BY[kept.whose]}{kept.explanation.text()}", f"    keeps {kept.parts}"]
        if self.growers or self.growers_of_test:
            lines += ["", "What grows with the sessions:"]
            lines += [f"  {line}" for line in _one_of_each(self.growers)]
            lines += [f"  {_BY[TEST]}{line}" for line in _one_of_each(self.growers_of_test)]
        if self.doubted and not self.leaks:
            lines += ["", "Ran for longer than asked, for what grew at first, and then no more:"]
            lines += [f"  {line}" for line in _one_of_each(self.doubted)]
        if self.origins:
            lines += ["", "What stays was made by:"]
            lines += [f"  {shown(origin.file, origin.line)}: {origin.code}" for origin in self.origins]
        lines += [
            "",
            f"Freed by reference counting: {self.by_refcount}, by the collector: {self.by_gc}, never: {self.never}.",
        ]
        return "\n".join(lines)


class Tally:
    """Counts while a check runs.  Holds nothing of what it counts."""

    def __init__(self, trackers: Sequence[LeakTracker], *, per_cycle: int, onlookers: Onlookers) -> None:
        self._trackers = tuple(trackers)
        self._per_cycle = per_cycle
        self._onlookers = onlookers
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
        kept = tuple(self._explained())
        growing: dict[str, list[Grower]] = {APP: [], TEST: [], TOOL: []}
        owners: dict[int, str] = {}
        explanations: list[Explanation] = []

        def told(whose: str, explanation: Explanation) -> None:
            owners[id(explanation)] = whose
            explanations.append(explanation)

        explain_with = self._onlookers.explain_to(told)
        for grower in growers(self._censuses, per=self._per_cycle, ignore=TOOLS, explain_with=explain_with):
            growing[owners.get(id(grower.explanation), APP)].append(grower)
        return Report(
            closed=len(self._kernels),
            per_cycle=self._per_cycle,
            by_refcount=self._by_refcount,
            by_gc=self._by_gc,
            alive=tuple(self._alive),
            kept=kept,
            growers=tuple(growing[APP]),
            growers_of_test=tuple(growing[TEST]),
            errors=tuple(self._errors),
        )

    def _explained(self) -> list[Kept]:
        """Why the youngest are still there: in a few different ways, where there are."""
        alive = [kernel_id for kernel_id in self._kernels if self._is_alive(kernel_id)]
        if not alive:
            return []
        # All at once first: the app may keep one that is not among the few that are looked at one by one.
        groups = [alive, *([kernel_id] for kernel_id in alive[:: -max(1, len(alive) // _CHAINS)][:_CHAINS])]
        kept: dict[str, Kept] = {}
        for group in groups:
            living = [part for kernel_id in group for part in self._living(kernel_id)]
            whose, explanation = self._onlookers.explain(living)
            found = Kept(explanation=explanation, whose=whose, parts=_in_words(self._living(group[-1])))
            kept.setdefault(_way(explanation), found)
        return list(kept.values())

    def _living(self, kernel_id: str) -> "list[weakref.ref[object]]":
        return [part for tracker in self._trackers for part in tracker.living(redact(kernel_id))]

    def _is_alive(self, kernel_id: str) -> bool:
        return bool(self._living(kernel_id))


def _way(explanation: Explanation) -> str:
    """The same for chains that differ in a key only."""
    culprit = explanation.culprit
    return explanation.text() if culprit is None else f"{culprit.file}:{culprit.line} {explanation.links[-1].kind}"


def _one_of_each(found: Sequence[Grower]) -> list[str]:
    """A line for each place that something of a kind grows at: what every page has brought along grows in many."""
    alike: dict[tuple[str, str], list[Grower]] = {}
    for grower in found:
        culprit = None if grower.explanation is None else grower.explanation.culprit
        alike.setdefault((grower.what, "" if culprit is None else f"{culprit.file}:{culprit.line}"), []).append(grower)
    return [
        f"{first.text()} (and {len(others)} more like it)" if others else first.text()
        for first, *others in alike.values()
    ]


def _in_words(living: "Sequence[weakref.ref[object]]") -> str:
    return ", ".join(f"{count} {name}" if count > 1 else name for name, count in alive_by_type(living).items())
