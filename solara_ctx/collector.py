"""The interpreter's garbage collector, set for a server whose closed kernels do not need it."""

import gc
import threading
from collections.abc import Callable

Thresholds = tuple[int, int, int]
"""As for `gc.set_threshold`."""

# A run over the young takes as long as there are young objects: 2 ms with 5,000 of them, 20 ms with 50,000.
# A run over all, which stops everybody for a time that grows with the number of pages, comes after a hundred million
# objects that were not freed, instead of each time that they have become a quarter more.
PRODUCTION_THRESHOLDS: Thresholds = (5_000, 10, 2_000)
"""For a process that does nothing but serve pages."""

# CPython 3.12 begins with 375 frozen objects of its own.
_FROZEN_BY_CPYTHON = 1000

_lock = threading.Lock()
_settings: list[object] = []  # one entry for each app that has set the collector and has not ended
_before: Thresholds = (0, 0, 0)
_was_frozen = False


def set_collector(*, freeze: bool, thresholds: Thresholds | None) -> Callable[[], None]:
    """Set the collector of this process for as long as an app runs.  Any thread; it stops for a collection of all.

    Args:
        freeze: Take what there is now, the program above all, out of the collector's sight, as it will not be garbage
            before the end: each full collection from now on is shorter by so much.  Not for a second app: what there
            is then are the first one's kernels, too.
        thresholds: For `gc.set_threshold`; `None` leaves them.

    Returns:
        Puts back what was before, once the last app that has set something has called it; harmless to call twice.
    """
    global _before, _was_frozen
    entry = object()
    with _lock:
        is_first = not _settings
        if is_first:
            _before, _was_frozen = gc.get_threshold(), gc.get_freeze_count() > _FROZEN_BY_CPYTHON
        _settings.append(entry)
        if thresholds is not None:
            gc.set_threshold(*thresholds)
    if freeze and is_first:
        # What is garbage by now would be kept for good.
        gc.collect()
        gc.freeze()

    def restore() -> None:
        with _lock:
            if entry not in _settings:
                return
            _settings.remove(entry)
            if _settings:
                return
            gc.set_threshold(*_before)
            if not _was_frozen:  # else there is no telling the host's own from ours
                gc.unfreeze()

    return restore
