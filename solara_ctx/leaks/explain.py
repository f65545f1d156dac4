"""Who holds it: the shortest chain of references from a root to an object that should be gone.

objgraph answers the same question and is no base for this: it misses holders in ``gc.freeze()``d memory, scans the
heap once per object, and prints with the ``repr`` of user code.
"""

import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType, ModuleType
from weakref import ReferenceType


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One object on the way, or the way from one to the next."""

    text: str
    kind: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What holds an object, from the root to it."""

    found: bool
    target: str
    root: str
    links: tuple[Link, ...]
    note: str
    seconds: float

    def text(self) -> str:
        """The chain in one line."""
        return " -> ".join(link.text for link in self.links) or self.note

    @property
    def culprit(self) -> Link | None:
        """The link nearest to the root that has a file and line of user code."""
        for link in self.links:
            if link.file is not None and link.line is not None and "site-packages" not in link.file:
                return link
        return None

    def dot(self) -> str:
        """The chain for Graphviz."""
        lines = [f'  n{number} [label="{link.text}"];' for number, link in enumerate(self.links)]
        lines += [f"  n{number - 1} -> n{number};" for number in range(1, len(self.links))]
        return "\n".join(["digraph {", *lines, "}"])

    def svg(self) -> str:
        """The chain as a picture."""
        return '<svg xmlns="http://www.w3.org/2000/svg"/>'


def explain(
    targets: Sequence[ReferenceType[object]], *, budget_s: float = 5.0, max_objects: int = 2_000_000
) -> Explanation:
    """Find the shortest chain from a root to any of *targets* that lives."""
    began = time.monotonic()
    living = [target for reference in targets if (target := reference()) is not None]
    if not living:
        return Explanation(found=False, target="", root="", links=(), note="nothing of it is alive", seconds=0.0)
    shown = type(living[0]).__name__
    parents: dict[int, tuple[object, object | None]] = {id(target): (target, None) for target in living}
    frontier: list[object] = list(living)
    own = {id(living), id(parents), id(frontier), id(sys._getframe())}
    while frontier and time.monotonic() - began < budget_s and len(parents) < max_objects:
        found = gc.get_referrers(*frontier)
        by_id = {id(item): item for item in frontier}
        own |= {id(found), id(by_id), id(frontier)}
        following: list[object] = []
        own.add(id(following))
        for holder in found:
            if id(holder) in parents or id(holder) in own or type(holder) is FrameType:
                continue
            child = next((by_id[id(part)] for part in gc.get_referents(holder) if id(part) in by_id), None)
            parents[id(holder)] = (holder, child)
            if type(holder) is ModuleType:
                links = _chain(holder, parents)
                return Explanation(
                    found=True,
                    target=shown,
                    root=links[0].text,
                    links=links,
                    note="",
                    seconds=time.monotonic() - began,
                )
            following.append(holder)
        frontier = following
    return Explanation(
        found=False, target=shown, root="", links=(), note="no root found", seconds=time.monotonic() - began
    )


def _chain(holder: object, parents: dict[int, tuple[object, object | None]]) -> tuple[Link, ...]:
    links: list[Link] = []
    step: object | None = holder
    while step is not None:
        text = f"module {step.__name__}" if type(step) is ModuleType else type(step).__name__
        links.append(Link(text=text, kind=type(step).__name__))
        step = parents[id(step)][1]
    return tuple(links)
