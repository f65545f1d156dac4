"""Where what is left over was made: the lines of the app's code, by tracemalloc.

It names a line also for what C code or the standard library holds, where no chain of references has one: a handler of
a logger, a callback of `atexit`.
"""

import _tracemalloc
import ctypes
import gc
import linecache
import os
import sys
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

import solara_ctx
from solara_ctx.leakcheck.messages import Diagnosis, Origin, Taken
from solara_ctx.leakcheck.places import is_user_file
from solara_ctx.leaks import peek

# Deep enough to get from a widget's traits, through ipywidgets, to the line that makes the widget.
_FRAMES = 40
_AT_MOST = 10
_TOLD = 5
_MOST_TAKERS = 100
_BROWSER_CHECK = str(Path(solara_ctx.__file__).parent / "leakcheck" / "pages.py")
_PLAYWRIGHT = f"{os.sep}playwright{os.sep}"
# What CPython 3.11 has in front of an instance with a `__dict__`: two pointers for that, and two for the collector.
_BEFORE_INSTANCE = 4 * ctypes.sizeof(ctypes.c_void_p)

_Place = tuple[str, int]


class Tracing:
    """Remembers where each object is made from now on.  Makes the process slower, and larger."""

    def __init__(self) -> None:
        gc.collect()  # frees the interpreter's stocks of lists and dicts, too, which would have no place
        self._before = set(map(id, gc.get_objects()))
        self._counts: Counter[_Place] = Counter()
        self._sizes: Counter[_Place] = Counter()
        tracemalloc.start(_FRAMES)

    def begin(self) -> None:
        """Count from here: what was made up to now is there anyway, and what takes its place later is not more."""
        gc.collect()
        self._counts, self._sizes = _count()
        self._before = set(map(id, gc.get_objects()))

    def stop(self, growing: Collection[int] = ()) -> Diagnosis:
        """The lines whose objects are still there: first those whose objects keep the others, then by size.

        Args:
            growing: The addresses of those objects of which it is most wanted what they have taken.
        """
        gc.collect()
        try:
            counts, sizes = _count()
            left = _Left(self._before)
            reach, taken = left.reach(), left.taken(growing)
        finally:
            tracemalloc.stop()
        # Only what has become more.
        counts -= self._counts
        sizes -= self._sizes
        ranked = sorted(sizes, key=lambda place: (reach[place], sizes[place]), reverse=True)
        origins = {
            place: Origin(
                file=place[0],
                line=place[1],
                code=linecache.getline(*place).strip(),
                count=counts[place],
                size=sizes[place],
                entry=reach[place] > 0,
            )
            for place in ranked
        }
        return Diagnosis(
            origins=tuple(origins.values())[:_AT_MOST],
            taken=tuple(
                Taken(what=what, count=count, origin=origins[place], address=address)
                for what, address, count, place in taken
                if place in origins
            ),
            size=sizes.total(),
        )


def told(diagnosis: Diagnosis) -> tuple[Origin, ...]:
    """The lines to name where there is room for a few: those whose objects hold the others."""
    entries = [origin for origin in diagnosis.origins if origin.entry]
    return tuple(entries or diagnosis.origins)[:_TOLD]


def can_trace() -> bool:
    """Whether nobody else traces: there is one `tracemalloc` in a process, and its end would be the end of theirs."""
    return not tracemalloc.is_tracing()


def _count() -> tuple[Counter[_Place], Counter[_Place]]:
    """How many blocks of memory each line has taken that are still there, and their bytes."""
    counts: Counter[_Place] = Counter()
    sizes: Counter[_Place] = Counter()
    # Raw, the innermost frame first: `take_snapshot` makes an object of each of millions of frames, and takes seconds.
    for _domain, size, frames, *_ in _tracemalloc._get_traces():
        place = _user_line(frames)
        if place is not None:
            counts[place] += 1
            sizes[place] += size
    return counts, sizes


class _Left:
    """The objects that were made while it was traced, and who of them holds whom."""

    def __init__(self, before: set[int]) -> None:
        objects = gc.get_objects()
        self._places: dict[int, _Place | None] = {
            id(item): _place_of(item) for item in objects if id(item) not in before
        }
        for known in (objects, self._places):
            self._places.pop(id(known), None)
        self._holds: dict[int, list[int]] = defaultdict(list)
        self._taken: list[tuple[str, int, int, _Place]] = []
        held: set[int] = set()
        self._entries: set[int] = set()
        # Most texts and numbers are referred to over and over; and all that is made here is traced, too.
        unplaced: set[int] = set()
        places: Counter[_Place] = Counter()
        for holder in objects:
            inside = id(holder) in self._places
            for part in peek.referents(holder):
                number = id(part)
                if number in unplaced:
                    continue
                if number not in self._places:
                    if gc.is_tracked(part) or (place := _place_of(part)) is None:
                        unplaced.add(number)
                        continue
                    self._places[number] = place
                if inside:
                    self._holds[id(holder)].append(number)
                    held.add(number)
                else:
                    self._entries.add(number)
                    if (place := self._places[number]) is not None:
                        places[place] += 1
            if places:
                most_of_them = places.most_common(1)[0][0]
                self._taken.append((type(holder).__name__, id(holder), places.total(), most_of_them))
                places.clear()
        # Those that no object holds, C code does, or a running frame.
        self._entries |= self._places.keys() - held

    def taken(self, growing: Collection[int]) -> list[tuple[str, int, int, _Place]]:
        """Which objects from before have taken new ones: type, address, how many, and the line that has made most of
        them; those that are *growing* first.
        """
        return sorted(self._taken, key=lambda taken: (taken[1] in growing, taken[2]), reverse=True)[:_MOST_TAKERS]

    def reach(self) -> Counter[_Place]:
        """For each line, how much is held by those of its objects that something from before holds, or C code."""
        by_place: dict[_Place, list[int]] = defaultdict(list)
        for number in self._entries:
            place = self._places.get(number)
            if place is not None:
                by_place[place].append(number)
        return Counter({place: self._count(numbers) for place, numbers in by_place.items()})

    def _count(self, numbers: Iterable[int]) -> int:
        seen = set(numbers)
        waiting = list(seen)
        while waiting:
            for part in self._holds.get(waiting.pop(), ()):
                if part not in seen:
                    seen.add(part)
                    waiting.append(part)
        return len(seen)


def _place_of(item: object) -> _Place | None:
    """The innermost line of the app's own code that was running when *item* was made."""
    frames = _tracemalloc._get_object_traceback(item)
    if frames is not None:
        return _user_line(frames)
    if sys.version_info < (3, 12) and gc.is_tracked(item) and hasattr(type(item), "__dict__"):
        # There tracemalloc looks for an instance at a wrong address; 3.12 does not.
        frames = _traceback_at(id(item) - _BEFORE_INSTANCE)
        return None if frames is None else _user_line(frames)
    return None


def _traceback_at(address: int) -> tuple[_Place, ...] | None:
    look = ctypes.pythonapi["_PyTraceMalloc_GetTraceback"]
    look.restype = ctypes.py_object
    found: object = look(ctypes.c_uint(0), ctypes.c_size_t(address))
    return found if isinstance(found, tuple) else None


def _user_line(frames: Iterable[_Place]) -> _Place | None:
    """The first of *frames*, the innermost first, that is the app's own."""
    for place in frames:
        if is_user_file(place[0]):
            return place
        # What a test's browser makes is made by a line of the test, and not by the app.
        if _BROWSER_CHECK in place[0] or _PLAYWRIGHT in place[0]:
            return None
    return None
