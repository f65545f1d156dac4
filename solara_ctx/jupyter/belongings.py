"""What a kernel has of its own, where a library keeps one for the whole process."""

import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class Belonging(Protocol):
    """Stands for a library's global state in one kernel."""

    def sever(self) -> None:
        """The kernel is closed: hold nothing any more.  On a worker, once."""


T = TypeVar("T", bound=Belonging)


class Belongings:
    """One kernel's, made as they are first asked for.  Any thread."""

    def __init__(self) -> None:
        # Re-entrant: to make one may take a look at another.
        self._lock = threading.RLock()
        self._made: dict[Callable[[], Any], Any] = {}
        self._severed = False

    def __len__(self) -> int:
        return len(self._made)

    def of(self, make: Callable[[], T]) -> T:
        """What *make* has made for this kernel; once the kernel is closed, something new that is not kept."""
        made = self._made.get(make)
        return self._make(make) if made is None else made

    def _make(self, make: Callable[[], T]) -> T:
        with self._lock:
            if self._severed:
                return make()
            if make not in self._made:
                self._made[make] = make()
            return self._made[make]  # type: ignore[no-any-return]

    def sever(self) -> None:
        """Let go of all of them."""
        with self._lock:
            self._severed = True
            made, self._made = self._made, {}
        for belonging in made.values():
            belonging.sever()
