"""What a process keeps more and more of, found by counting: no weak reference to what leaks is needed.

Take a `Census` after each cycle of whatever the process does over and over, and ask `growers` what grows in step::

    censuses = []
    for _ in range(5):
        open_use_and_close(sessions=10)
        gc.collect()
        censuses.append(Census.take())
    for grower in growers(censuses, per=10):
        print(grower.text())  # myapp.py:14 module variable CACHE: dict grows by 1.0 per session; newest ...
"""

import functools
import gc
import itertools
import logging
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType, FunctionType, MethodType, ModuleType
from typing import cast

from solara_ctx.leaks import newest
from solara_ctx.leaks.census import Census, Kind, Numbers, bound_of, find, kind_of, name_of, size_in_c
from solara_ctx.leaks.explain import Explanation, explain
from solara_ctx.leaks.outside import functions_at_exit

# Growth counts only in this part of the run: what fills up to a bound and stops has stopped by then.
_LATER_PART = 0.6
_FEWEST_STEPS = 2
_EXPLAINED = 12
_OF_A_TYPE = 20
_TYPES = 3
# A heavy value has to grow by this much per step to be more than a table that was rebuilt a little larger.
_HEAVY_STEP = 65_536
# Who counts, and who keeps a record of what has ended, is not who leaks.
OWN = ("solara_ctx.leaks.", "solara_ctx.leakcheck.", "solara_ctx.ended.")
"""Types, by the beginning of their full name, whose containers grow on purpose."""
# What these keep account of is what grows, and that tells more: the task or timer itself, the object weakly held.
_INFRASTRUCTURE = ("asyncio.", "_asyncio.", "uvloop.", "weakref.", "_weakrefset.")
_ACCOUNTS = frozenset(map(id, (vars(threading)["_active"], vars(logging)["_handlerList"])))
_THREADS = frozenset({"threading.Thread", "threading.Timer", "threading._DummyThread"})
_TASKS = frozenset({"_asyncio.Task", "asyncio.tasks.Task"})
_SUSPENDED = frozenset({"generator", "coroutine", "async_generator"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grower:
    """Something that grows with every cycle."""

    what: str
    """"dict", "lru_cache", "instances of myapp.Node", "threads", ..."""
    kind: str
    """"container", "type", "value" or "count"."""
    sizes: tuple[int, ...]
    """Its size at each census of the later part."""
    per_step: float
    """By how much it grows per step; of a value its bytes."""
    bound: int | None
    """Where it says that it stops (an `lru_cache`, a deque), which it has not reached yet."""
    newest: str
    """What has come in last, if that can be told."""
    explanation: Explanation | None
    """What holds it."""
    address: int = 0
    """Where a container is in memory; 0 for what is none."""

    @property
    def place(self) -> str:
        """Where it is; empty if that was not found."""
        return self.explanation.text() if self.explanation is not None and self.explanation.found else ""

    def text(self, step: str = "session") -> str:
        """A line for people.

        Args:
            step: What `per` counts.
        """
        amount = newest.size(self.per_step) if self.kind == "value" else f"{self.per_step:.1f}"
        grow = "grows" if self.kind == "container" else "grow"
        line = f"{self.what} {grow} by {amount} per {step}"
        if self.bound is not None:
            line += f", up to {self.bound}"
        if self.place:
            line = f"{self.place}: {line}"
        return f"{line}; newest {self.newest}" if self.newest else line


__all__ = ["OWN", "Census", "Grower", "growers", "in_step"]

Explain = Callable[[Sequence["weakref.ref[object]"]], Explanation]


def growers(
    censuses: Sequence[Census],
    *,
    per: int = 1,
    ignore: Sequence[str] = (),
    explain_with: Explain | None = explain,
) -> list[Grower]:
    """Who has grown in step with the cycles, in each of the later ones.  To be asked right after the last census.

    Containers come first; types of objects are named only where no container accounts for them (a linked list, a chain
    of generators).  What stopped growing is not named; what says itself where it will stop is, with its `bound`.

    Args:
        censuses: One after each cycle, at least three; the first follows a cycle that warms everything up.
        per: How many steps (sessions) a cycle has.
        ignore: Types, by the beginning of their full names, that may hold growing containers.
        explain_with: Finds the places; `None` to do without.

    Raises:
        ValueError: three censuses are the least that can show a growth in step.
    """
    steps = len(censuses) - 1
    if steps < _FEWEST_STEPS:
        raise ValueError(f"growth shows in {_FEWEST_STEPS + 1} censuses or more, not in {len(censuses)}")
    later = censuses[-1 - max(_FEWEST_STEPS, round(steps * _LATER_PART)) :]
    search = _Search(later, (*OWN, *ignore))
    drafts = search.counts()
    drafts += search.containers()
    drafts = drafts or [*search.types(), *search.values()]
    # Only now, when no frame of the search holds any more what it has found: it would be the holder that is named.
    found = [draft.finished(per, explain_with if number < _EXPLAINED else None) for number, draft in enumerate(drafts)]
    return [grower for grower in found if not _is_noise(grower)]


def _is_noise(grower: Grower) -> bool:
    """Whether it may well be chance, or the inside of something else, and there is no place that says otherwise."""
    explanation = grower.explanation
    if explanation is None:
        return False
    if grower.kind == "type":
        # Tuples, contexts and cells come and go with whatever runs just now.
        return explanation.culprit is None and _tells(grower.what.removeprefix(_INSTANCES)) == _NOTHING
    # A StringIO gathers what is written to it in a list that nobody can see it refer to.
    is_hidden = not explanation.found or explanation.links[0].kind == "c"
    return grower.what == "list" and is_hidden and grower.newest.startswith(("'", '"', "str of"))


def in_step(sizes: Sequence[int]) -> bool:
    """Whether something of these sizes, one per cycle, grows with every cycle."""
    return all(after > before for before, after in itertools.pairwise(sizes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A grower without its place.  Holds nothing of it."""

    what: str
    kind: str
    sizes: Sequence[int]
    bound: int | None = None
    newest: str = ""
    address: int = 0
    targets: "Sequence[_AtAddress]" = ()

    def finished(self, per: int, explain_with: Explain | None) -> Grower:
        explanation = None
        if explain_with is not None and self.targets:
            explanation = explain_with(cast("Sequence[weakref.ref[object]]", self.targets))
        return Grower(
            what=self.what,
            kind=self.kind,
            sizes=tuple(self.sizes),
            per_step=(self.sizes[-1] - self.sizes[0]) / (len(self.sizes) - 1) / per,
            bound=self.bound,
            newest=self.newest,
            explanation=explanation,
            address=self.address,
        )


class _Search:
    """One search in the later part of a run."""

    def __init__(self, later: Sequence[Census], ignore: tuple[str, ...]) -> None:
        self._later = later
        self._ignore = ignore

    def containers(self) -> list[_Draft]:
        """The containers that grow, the fastest first."""
        sizes = self._growing_containers()
        drafts = [
            _Draft(
                what=_shown_kind(container),
                kind="container",
                sizes=sizes[address],
                bound=bound_of(container),
                newest=newest.in_container(container),
                address=address,
                targets=[_AtAddress(container)],
            )
            for address, container in find(sizes).items()
            if _is_of_size(container, sizes[address][-2])
            and address not in _ACCOUNTS
            and not self._is_ignored(container, _INFRASTRUCTURE)
        ]
        return sorted(drafts, key=lambda draft: draft.sizes[0] - draft.sizes[-1])

    def counts(self) -> list[_Draft]:
        """What is counted without objects."""
        drafts = []
        for name in self._later[-1].counts:
            sizes = [census.counts.get(name, 0) for census in self._later]
            if in_step(sizes):
                found = self._telling(_THREADS) if name == "threads" else self._registered_at_exit()
                drafts.append(
                    _Draft(
                        what=name,
                        kind="count",
                        sizes=sizes,
                        newest=newest.shown(found[-1]) if found else "",
                        targets=[_AtAddress(each) for each in found[-_OF_A_TYPE:]],
                    )
                )
        return drafts

    def types(self) -> list[_Draft]:
        """The types that have more and more objects, those first that tell most."""
        sizes = {name: [census.types.get(name, 0) for census in self._later] for name in self._later[-1].types}
        growing = {name for name, counted in sizes.items() if in_step(counted)}
        if not growing:
            return []
        by_type: dict[str, list[object]] = {}
        stayed = find(self._came_and_stayed())
        entries = _entries(stayed)
        if all(_tells(name_of(type(entry))) == _NOTHING for entry in entries):
            # A timer of the event loop, for example, and what tells more is what it is going to wake.
            entries = [found for found in stayed.values() if _tells(name_of(type(found))) < _NOTHING] or entries
        for entry in entries:
            name = name_of(type(entry))
            if name in growing and not self._is_ignored(entry):
                by_type.setdefault(name, []).append(entry)
        telling = sorted(by_type, key=lambda name: (_tells(name), sizes[name][0] - sizes[name][-1]))
        return [
            _Draft(
                what=f"{_INSTANCES}{name}",
                kind="type",
                sizes=sizes[name],
                newest=newest.shown(by_type[name][-1]),
                targets=[_AtAddress(entry) for entry in by_type[name][-_OF_A_TYPE:]],
            )
            for name in telling[:_TYPES]
        ]

    def values(self) -> list[_Draft]:
        """The bytes of large values that contain nothing: a string that is added to, arrays in attributes."""
        sizes = [sum(census.heavy.values()) for census in self._later]
        if not in_step(sizes) or sizes[-1] - sizes[0] < _HEAVY_STEP * (len(sizes) - 1):
            return []
        before, now = self._later[-2].heavy, self._later[-1].heavy
        # A value that has grown may be where another one was, and one that was there for a moment may be gone.
        fresh = {address: size for address, size in now.items() if before.get(address) != size}
        there = [value for address, value in find(fresh).items() if size_in_c(value) == fresh[address]]
        found = sorted(there, key=lambda value: fresh[id(value)])
        return [
            _Draft(
                what="large values",
                kind="value",
                sizes=sizes,
                newest=newest.shown(found[-1]) if found else "",
                targets=[_AtAddress(value) for value in found[-_OF_A_TYPE:]],
            )
        ]

    def _growing_containers(self) -> dict[int, list[int]]:
        """Sizes by address of those that grow in step, and are the same all the time as far as anybody can tell."""
        sizes = [census.containers.sizes() for census in self._later]
        growing = {
            address: history
            for address in sizes[-1]
            if in_step(history := [known.get(address, -1) for known in sizes]) and history[0] >= 0
        }
        numbers = [census.containers.of(set(growing)) for census in self._later]
        return {address: history for address, history in growing.items() if _is_the_same(numbers, address)}

    def _came_and_stayed(self) -> set[int]:
        """Addresses of the objects that came in the cycle before the last, and are still there after the last."""
        before, then, now = (set(census.objects) for census in self._later[-3:])
        return (then & now) - before

    def _telling(self, names: frozenset[str]) -> list[object]:
        return [found for found in find(self._came_and_stayed()).values() if name_of(type(found)) in names]

    def _registered_at_exit(self) -> list[object]:
        """The callbacks that came and stayed; where they are functions from before, what may be their arguments."""
        fresh = self._came_and_stayed()
        return [found for found in functions_at_exit() if id(found) in fresh] or self._held_by_nobody()

    def _held_by_nobody(self) -> list[object]:
        """Of those that came and stayed the ones that no object refers to: what runs in C does, `atexit` for one."""
        stayed = find(self._came_and_stayed())
        entries = _entries(stayed)
        alone = [entry for entry in entries if not any(_holders(entry, but=(stayed, entries)))]
        return sorted(alone, key=_is_callback)

    def _is_ignored(self, found: object, also: tuple[str, ...] = ()) -> bool:
        """Whether it is of a census, or held by someone who may let things grow."""
        if name_of(type(found)).startswith(self._ignore) or any(
            type(part) is Census for part in gc.get_referents(found)[:1]
        ):
            return True
        return any(name_of(type(holder)).startswith((*self._ignore, *also)) for holder in _holders(found))


def _is_of_size(found: object, least: int) -> bool:
    """Whether it is a container of that size at the least: where the censuses were taken in forks of this process, a
    container of their own may have had that address.
    """
    kind = kind_of(found)
    return kind is not None and kind.size(found) >= least


def _is_the_same(numbers: Sequence[dict[int, Numbers]], address: int) -> bool:
    return all(before[address].may_become(after[address]) for before, after in itertools.pairwise(numbers))


def _shown_kind(container: object) -> str:
    kind: Kind | None = kind_of(container)
    name = name_of(type(container)).rpartition(".")[2]
    return "lru_cache" if kind is not None and name == "_lru_cache_wrapper" else name


def _holders(found: object, *, but: Sequence[object] = ()) -> Iterator[object]:
    """The objects that refer to it, themselves or by their `__dict__`; frames left out, and *but*."""
    own = set(map(id, but))
    direct = [holder for holder in gc.get_referrers(found) if type(holder) is not FrameType and id(holder) not in own]
    yield from direct
    namespaces = [holder for holder in direct if type(holder) is dict]
    if namespaces:
        for holder in gc.get_referrers(*namespaces):
            kind = type(holder)
            if kind is not FrameType and kind is not ModuleType and holder is not namespaces and holder is not direct:
                yield holder


def _is_callback(entry: object) -> bool:
    return type(entry) is FunctionType or type(entry) is MethodType or type(entry) is functools.partial


def _entries(found: dict[int, object]) -> list[object]:
    """Those that no other of them refers to; all, where they are one cycle."""
    inner = {id(part) for part in gc.get_referents(*found.values())}
    return [entry for address, entry in found.items() if address not in inner] or list(found.values())


def _tells(name: str) -> int:
    """How much a type of that full name says beyond that something is kept: the less, the larger the number."""
    if name in _THREADS or name in _TASKS:
        return 0
    package = name.partition(".")[0]
    if "." in name and package not in sys.stdlib_module_names and package != "solara_ctx":
        return 1
    return 2 if name in _SUSPENDED else _NOTHING


_NOTHING = 3
_INSTANCES = "instances of "


class _AtAddress:
    """Stands for a weak reference to what takes none: called, it looks whether such an object is still there."""

    def __init__(self, target: object) -> None:
        self._address = id(target)
        self._kind = id(type(target))

    def __call__(self) -> object | None:
        found = find((self._address,)).get(self._address)
        return found if id(type(found)) == self._kind else None
