"""The search: backwards from the targets as long as that is cheap, then onwards from the roots until both meet.

Backwards, one look at all objects of the process per level finds the holders of a handful of objects at once: 20 ms,
and 1.5 ms for each of the handful, with a million objects; the GIL is held all the while.  So it goes in portions, and
not at all for hundreds of objects.  It can't see holders in `gc.freeze()`d memory.

Onwards, every object is looked at once, from Python, so that other threads get their turn: two seconds for a million.
It sees frozen memory, and ends at the first object that the search backwards has met.

The addresses of what was seen are kept, not the objects, except for those that were met backwards: another thread may
free an object, and make another one in its place.  So each step of what is found is looked up again before it is told.
"""

import gc
import time
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from solara_ctx.leaks import peek
from solara_ctx.leaks.roots import Held, Roots

# The time that one look at all objects should take, and keep all other threads waiting; it may take twice as long.
_LOOK_S = 0.03
_MOST_AT_ONCE = 64
# From how many objects on, in one level or in all, it is cheaper to search onwards from the roots: however many objects
# the process has, as both grow with it.
_WIDEST_LEVEL = 300
_MOST_BACKWARDS = 1_000
_BUDGET_EVERY = 1024


@dataclass(slots=True)
class Budget:
    """How long to go on, and how much to remember."""

    deadline: float
    max_objects: int
    spent_on: str = ""

    def is_spent(self, objects: int) -> bool:
        if time.monotonic() > self.deadline:
            self.spent_on = "time"
        elif objects > self.max_objects:
            self.spent_on = "objects"
        return bool(self.spent_on)


@dataclass(slots=True)
class Search:
    """One search.  Keeps what it meets backwards alive until it is dropped."""

    roots: Roots
    budget: Budget
    overlooked: Container[int] = frozenset()
    """Addresses of objects that don't count as holders."""
    met: Held = field(default_factory=Held)
    """The targets, and whatever was found to hold them, the nearest first."""
    levels: dict[int, int] = field(default_factory=dict)
    """How far each of these is from a target, by its address."""
    reached: dict[int, int] = field(default_factory=dict)
    """What was reached from the roots, and from where."""
    is_closed: bool = False
    """Whether all that holds a target was met, as far as it can be seen backwards."""

    def backwards(self, targets: Sequence[object]) -> Held:
        """The path from the nearest root to a target; empty where none was found."""
        self.met.extend(targets)
        self.levels.update((id(target), 0) for target in targets)
        start, portion = 0, 1
        while start < len(self.met):
            end = len(self.met)
            path = self._best(Held(self.met[start:end]))
            if path:
                return path
            if end - start > _WIDEST_LEVEL or end > _MOST_BACKWARDS:
                return Held()
            while start < end:
                if self.budget.is_spent(len(self.met)):
                    return Held()
                began = time.thread_time()  # how busy the machine is has nothing to do with it
                asked = tuple(self.met[start : min(start + portion, end)])
                found = gc.get_referrers(*asked)
                seconds = time.thread_time() - began
                start = min(start + portion, end)
                if seconds < _LOOK_S:
                    portion = min(_MOST_AT_ONCE, portion * 2)
                elif seconds > 2 * _LOOK_S:
                    portion = max(1, portion // 2)
                self._meet(found, self.levels[id(self.met[start - 1])] + 1, but=asked)
                del found, asked
        self.is_closed = True
        return Held()

    def onwards(self) -> Held:
        """The path from a root to a target, found from the roots; empty where none was found."""
        level = Held()
        for thing in self.roots.objects():
            if id(thing) not in self.reached:
                self.reached[id(thing)] = 0
                level.append(thing)
        meetings = [address for address in self.reached if address in self.levels]
        while level and not meetings:
            level = self._level_after(level, meetings)
        for meeting in sorted(meetings, key=self.levels.__getitem__):
            path = self._joined(meeting)
            if path:
                return path
        return Held()

    def _level_after(self, level: Held, meetings: list[int]) -> Held:
        """What the objects refer to that was not reached before; notes in *meetings* what was met backwards."""
        following = Held()
        for number, thing in enumerate(level):
            if number % _BUDGET_EVERY == 0 and self.budget.is_spent(len(self.reached)):
                return Held()
            if type(thing) is Held or id(thing) in self.overlooked:
                continue
            came_from = id(thing)
            for part in peek.referents(thing):
                address = id(part)
                if address in self.reached:
                    continue
                if address in self.levels:
                    meetings.append(address)
                elif not gc.is_tracked(part):
                    continue
                self.reached[address] = came_from
                following.append(part)
        return following

    def down_from(self, thing: object) -> Held:
        """The path from something that was met to a target; empty if it no longer leads to one."""
        path = Held([thing])
        for level in range(self.levels[id(thing)] - 1, -1, -1):
            following = next((part for part in peek.referents(path[-1]) if self.levels.get(id(part)) == level), None)
            if following is None:
                return Held()
            path.append(following)
        return path

    def farthest(self) -> Held:
        """How far the search backwards has come: a path from one of the last objects that it met."""
        return self.down_from(self.met[-1])

    def from_nearest_root(self, path: Held) -> Held:
        """Without what lies before the last root on the path."""
        for number in range(len(path) - 1, 0, -1):
            if self.roots.kind(path[number]):
                return Held(path[number:])
        return path

    def _meet(self, holders: list[object], level: int, *, but: tuple[object, ...]) -> None:
        for holder in holders:
            if id(holder) in self.levels or id(holder) in self.overlooked:
                continue
            if type(holder) is not Held and holder is not but:
                self.levels[id(holder)] = level
                self.met.append(holder)

    def _best(self, level: Held) -> Held:
        """The path from the root among these objects that says most; empty if none is a root."""
        kinds = [(kind, number) for number, thing in enumerate(level) if (kind := self.roots.kind(thing))]
        for _, number in sorted((self.roots.rank(level[number], kind), number) for kind, number in kinds):
            path = self.down_from(level[number])
            if path:
                return path
        return Held()

    def _joined(self, meeting: int) -> Held:
        """The path over an object that was met from both sides, looked up again from the root on."""
        addresses = [meeting]
        while self.reached[addresses[-1]]:
            addresses.append(self.reached[addresses[-1]])
        addresses.reverse()
        path = Held(thing for thing in self.roots.objects() if id(thing) == addresses[0])
        del path[1:]
        for address in addresses[1:]:
            following = next((part for part in (peek.referents(path[-1]) if path else ()) if id(part) == address), None)
            if following is None:
                return Held()
            path.append(following)
        return Held([*path[:-1], *self.down_from(path[-1])]) if path else path
