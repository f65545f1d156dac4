"""What code costs, in numbers that are the same on every machine: calls and bytes instead of seconds."""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType


def calls(work: Callable[[], object], times: int = 10) -> float:
    """How many functions, of Python and of C, one run of *work* calls in this thread; the mean of several."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before, collects = sys.getprofile(), gc.isenabled()
    gc.disable()  # what is called for its sake comes by chance
    sys.setprofile(note)
    try:
        for _ in range(times):
            work()
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    return count / times


def kept_bytes(make: Callable[[], object], times: int = 50) -> float:
    """How many bytes one thing that *make* makes keeps while it lives; the mean of several."""
    things: list[object] = []
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        things.extend(make() for _ in range(times))
        gc.collect()
        return (tracemalloc.get_traced_memory()[0] - before) / times
    finally:
        tracemalloc.stop()
