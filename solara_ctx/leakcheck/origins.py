"""Where what is left over was made: the lines of the app's code, by tracemalloc.

It names a line also for what C code holds, where no chain of references has a file: a callback of `atexit`, an entry of
a stdlib table.
"""

import gc
import linecache
import tracemalloc
from collections import Counter
from collections.abc import Iterator

from solara_ctx.leakcheck.messages import Diagnosis, Origin
from solara_ctx.leakcheck.places import is_user_file

# Deep enough to get from a widget's traits, through ipywidgets, to the line that makes the widget.
_FRAMES = 40
_AT_MOST = 10

_Place = tuple[str, int]


def start() -> None:
    """Remember where each object is made from now on.  Makes the process slower, and larger."""
    gc.collect()
    tracemalloc.start(_FRAMES)


def stop() -> Diagnosis:
    """The lines whose objects are still there, those first that something outside holds directly, then by size."""
    gc.collect()
    try:
        snapshot = tracemalloc.take_snapshot()
        entries = _entries()
    finally:
        tracemalloc.stop()
    counts: Counter[_Place] = Counter()
    sizes: Counter[_Place] = Counter()
    for trace in snapshot.traces:
        place = _place(trace.traceback)
        if place is not None:
            counts[place] += 1
            sizes[place] += trace.size
    del snapshot
    ranked = sorted(counts, key=lambda place: (entries[place] > 0, sizes[place]), reverse=True)
    return Diagnosis(
        origins=tuple(
            Origin(
                file=place[0],
                line=place[1],
                code=linecache.getline(*place).strip(),
                count=entries[place] or counts[place],
                size=sizes[place],
                entry=entries[place] > 0,
            )
            for place in ranked[:_AT_MOST]
        ),
        size=sizes.total(),
    )


def _entries() -> Counter[_Place]:
    """For each line, how many of its objects are held by something that was not made since `start`, or by C code."""
    objects = gc.get_objects()
    new: dict[int, _Place] = {}
    for item in objects:
        place = _place(tracemalloc.get_object_traceback(item))
        if place is not None:
            new[id(item)] = place
    entered: set[int] = set()
    held: set[int] = set()
    for holder in objects:
        inside = id(holder) in new
        for part in gc.get_referents(holder):
            number = id(part)
            if number not in new and not gc.is_tracked(part):
                place = _place(tracemalloc.get_object_traceback(part))
                if place is not None:
                    new[number] = place
            if number in new:
                (held if inside else entered).add(number)
    entered |= new.keys() - held
    entered.discard(id(new))
    return Counter(new[number] for number in entered)


def _place(traceback: tracemalloc.Traceback | None) -> _Place | None:
    """The innermost line of the app's own code."""
    if traceback is None:
        return None
    return next(_user_lines(traceback), None)


def _user_lines(traceback: tracemalloc.Traceback) -> Iterator[_Place]:
    for frame in reversed(traceback):
        if is_user_file(frame.filename):
            yield frame.filename, frame.lineno
