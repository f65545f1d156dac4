"""Deadlines: which kernels are due.  Pure decisions; whoever asks acts on them."""

import heapq
import itertools
from collections.abc import Iterable, Iterator


class Deadlines:
    """Names with a due time each.  Setting and taking one costs O(log n), cancelling O(1).  Not thread-safe."""

    def __init__(self) -> None:
        self._due: dict[str, tuple[float, int]] = {}
        # Cancelled and replaced entries stay in the heap until they come up or outnumber the living: a page that
        # flickers between connected and disconnected must not make it grow.
        self._heap: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._due)

    def __iter__(self) -> Iterator[str]:
        return iter(self._due)

    def set(self, name: str, due: float) -> None:
        """Let *name* be due at *due*; replaces an earlier deadline of that name."""
        number = next(self._numbers)
        self._due[name] = (due, number)
        heapq.heappush(self._heap, (due, number, name))
        if len(self._heap) > 2 * len(self._due) + 16:
            self._heap = [(due, number, name) for name, (due, number) in self._due.items()]
            heapq.heapify(self._heap)

    def cancel(self, name: str) -> None:
        """Forget the deadline of *name*; harmless when there is none."""
        self._due.pop(name, None)

    def due_of(self, name: str) -> float | None:
        """When *name* is due."""
        entry = self._due.get(name)
        return None if entry is None else entry[0]

    def next_due(self) -> float | None:
        """When the next name is due."""
        self._drop_dead_heads()
        return self._heap[0][0] if self._heap else None

    def earliest_of(self, names: Iterable[str]) -> str | None:
        """Which of *names* is due first, `None` where none has a deadline.  O(n) of them."""
        return min((name for name in names if name in self._due), key=self._due.__getitem__, default=None)

    def earliest(self) -> str | None:
        """Which name is due first of all, `None` where there is none."""
        self._drop_dead_heads()
        return self._heap[0][2] if self._heap else None

    def pop_due(self, now: float, *, at_most: int) -> list[str]:
        """Take the names that are due at *now*, the longest overdue first, *at_most* so many."""
        taken: list[str] = []
        while len(taken) < at_most:
            self._drop_dead_heads()
            if not self._heap or self._heap[0][0] > now:
                break
            name = heapq.heappop(self._heap)[2]
            del self._due[name]
            taken.append(name)
        return taken

    def _drop_dead_heads(self) -> None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)
