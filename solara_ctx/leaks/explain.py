"""Who holds it: the shortest chain of references from a root to an object that should be gone, in words.

objgraph answers the same question and is no base for this: it misses holders in `gc.freeze()`d memory and the variables
of running frames, looks through the whole heap once per object, and prints with the `repr` of user code.
"""

import gc
import threading
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass
from weakref import ReferenceType

from solara_ctx.leaks import callables, naming, outside, peek, picture, wording
from solara_ctx.leaks.chain import Link, Place
from solara_ctx.leaks.roots import Held, Roots
from solara_ctx.leaks.walk import Budget, Search

__all__ = ["Explanation", "Link", "explain"]

_MOST_GUESSES = 3
# One search at a time: each would take what the other keeps for a moment for a holder.
_searching = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What keeps an object alive.  Holds nothing of it: strings and numbers only."""

    found: bool
    """Whether the links begin at what keeps it alive in the end."""
    target: str
    """The type of the object that the chain ends at."""
    root: str
    """The first link in words; empty if nothing was found."""
    links: tuple[Link, ...]
    """From the root to the object."""
    note: str
    """What else is to be said, as why nothing was found."""
    seconds: float
    """How long the search took."""

    def text(self) -> str:
        """The chain in one line."""
        chain = " -> ".join(link.text for link in self.links)
        if self.links and self.links[0].kind == "cycle":
            chain = f"{self.links[0].text}: {' -> '.join(link.text for link in self.links[1:])}"
        return "; ".join(part for part in (chain, self.note) if part)

    @property
    def culprit(self) -> Link | None:
        """The link nearest to the root that has a place in users' code, neither Python's library nor a package."""
        return next((link for link in self.links if link.line is not None and wording.is_users(link.file)), None)

    def dot(self) -> str:
        """The chain in Graphviz's language."""
        return picture.dot(self.links, self.note)

    def svg(self) -> str:
        """The chain as a picture, an SVG document."""
        return picture.svg(self.links, self.note)


def explain(
    targets: Sequence[ReferenceType[object]],
    *,
    budget_s: float = 5.0,
    max_objects: int = 2_000_000,
    overlooked: Container[int] = frozenset(),
) -> Explanation:
    """Find the shortest chain from a root to any of the targets that are alive.  For any thread but an event loop's.

    Runs no code of users, and leaves nothing behind that holds an object. It looks through the whole memory of the
    process, which costs other threads time: not for every request.

    Args:
        targets: Weak references, since the caller's own variables would be found as holders.
        budget_s: After how many seconds to give up; then `found` is false, and the note says so.
        max_objects: How many objects to remember before giving up: 150 bytes each.
        overlooked: Addresses of objects, frames among them, that don't count as holders: those of whoever looks on.
    """
    began = time.monotonic()
    if not _searching.acquire(timeout=max(0.0, budget_s)):
        return _nothing(f"another search took longer than {budget_s:g} seconds", began)
    try:
        return _explained(targets, Budget(began + budget_s, max_objects), began, overlooked)
    finally:
        _searching.release()


def _explained(
    targets: Sequence[ReferenceType[object]], budget: Budget, began: float, overlooked: Container[int]
) -> Explanation:
    living = Held()
    for reference in targets:
        target = reference()
        if target is not None:
            living.append(target)
        del target
    if not living:
        return _nothing("none of it is alive", began)
    search = Search(Roots(overlooked), budget, overlooked)
    shown = peek.type_name(living[0])
    path = search.backwards(living)
    living.clear()
    found = _told(naming.links_of(path, search.roots), "", began) if path else _explained_further(search, began)
    if found is not None:
        return found
    if budget.spent_on == "objects":
        note = f"gave up after {budget.max_objects} objects (max_objects)"
    elif budget.spent_on:
        note = f"gave up after {time.monotonic() - began:.1f} seconds (budget_s)"
    else:
        note = "nothing found that holds it; it may be gone by now"
    links = naming.links_of(search.farthest(), search.roots)
    return Explanation(
        found=False, target=shown, root="", links=tuple(links), note=note, seconds=time.monotonic() - began
    )


def _explained_further(search: Search, began: float) -> Explanation | None:
    """What can be said where the search backwards has found no root."""
    is_frozen = gc.get_freeze_count() > 0
    beyond = outside.look(search) if search.is_closed else None
    # A cycle that nothing else holds is one whatever frozen memory has, out of sight; the rest may be held there.
    if beyond is not None and (beyond.kind == "cycle" or (beyond.kind != "c" and not is_frozen)):
        return _told_of(beyond, search.roots, began)
    if search.budget.is_spent(0):
        return None
    path = search.from_nearest_root(search.onwards())
    if path:
        return _told(naming.links_of(path, search.roots), "", began)
    if search.budget.is_spent(0) and is_frozen:
        return None
    if beyond is None and not search.budget.is_spent(0):
        beyond = outside.look(search)
    return None if beyond is None else _told_of(beyond, search.roots, began)


def _told_of(beyond: outside.Outside, roots: Roots, began: float) -> Explanation:
    links = naming.links_of(beyond.path, roots)
    if beyond.kind == "cycle":
        first = Link(text="only a reference cycle of its own", kind="cycle")
        return _told([first, *links], "the garbage collector has not run", began)
    if beyond.kind == "atexit":
        return _told([Link(text="atexit", kind="atexit"), *links], "", began)
    if beyond.kind == "contextvar":
        return _told(links, "in the context of a thread", began)
    return _told([_held_from_c(beyond), *links], "", began)


def _held_from_c(beyond: outside.Outside) -> Link:
    plural = "reference" if beyond.references == 1 else "references"
    text = f"held from C: {beyond.references} {plural}, none visible to Python"
    guesses = {callables.title(function): callables.place_of(function) for function in beyond.functions}
    # Python's library and packages register functions without a kernel's objects for arguments.
    guesses = {title: place for title, place in guesses.items() if place.file is None or wording.is_users(place.file)}
    if not guesses:
        return Link(text=text, kind="c")
    text += f" (perhaps the arguments of atexit's {' or '.join(list(guesses)[:_MOST_GUESSES])})"
    place = next(iter(guesses.values())) if len(guesses) == 1 else Place()
    return Link(text=text, kind="c", file=place.file, line=place.line)


def _told(links: Sequence[Link], note: str, began: float) -> Explanation:
    return Explanation(
        found=True,
        target=links[-1].text,
        root=links[0].text,
        links=tuple(links),
        note=note,
        seconds=time.monotonic() - began,
    )


def _nothing(note: str, began: float) -> Explanation:
    return Explanation(found=False, target="", root="", links=(), note=note, seconds=time.monotonic() - began)
