"""Call-backs that run when something ends, last registered first."""

import threading
import weakref
from collections.abc import Callable
from functools import partial

Hook = Callable[[], object]


class _Entry:
    """Identity for one registration: the same function may be registered twice."""

    __slots__ = ("__weakref__", "hook")

    def __init__(self, hook: Hook) -> None:
        self.hook = hook


class HookStack:
    """A stack of hooks that may be added and removed while it is being emptied.  Safe from any thread."""

    def __init__(self) -> None:
        # Protects the two fields below.  Never held while a hook runs: a hook may take the user's own locks.
        # Re-entrant: a garbage collection may begin anywhere, and a user's `__del__` in it may come here again.
        self._lock = threading.RLock()
        self._entries: list[_Entry] = []
        self._floor: _Entry | None = None
        self._sealed = False

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, hook: Hook) -> Callable[[], None] | None:
        """Put *hook* on top.

        Returns:
            A function that removes it again, harmless to call twice, and that keeps neither hook nor stack alive;
            `None` when the stack has been emptied for good: then the caller has to run the hook.
        """
        entry = _Entry(hook)
        with self._lock:
            if self._sealed:
                return None
            self._entries.append(entry)
        return partial(_remove, weakref.ref(self), weakref.ref(entry))

    def pop(self) -> Hook | None:
        """Take the top hook off; `None`, and no more hooks are taken, when there is none left."""
        with self._lock:
            if self._entries:
                return self._entries.pop().hook
            self._sealed = True
            return None

    def lay_floor(self) -> None:
        """What is on the stack by now is not for `pop_to_floor`."""
        with self._lock:
            self._floor = self._entries[-1] if self._entries else None

    def pop_to_floor(self) -> Hook | None:
        """Take the top hook off; `None` when there is none left above the floor."""
        with self._lock:
            if not self._entries or self._entries[-1] is self._floor:
                return None
            return self._entries.pop().hook

    def _discard(self, entry: _Entry) -> None:
        with self._lock:
            if entry not in self._entries:
                return
            below = self._entries.index(entry) - 1
            self._entries.remove(entry)
            if entry is self._floor:
                self._floor = self._entries[below] if below >= 0 else None


def _remove(stack_ref: weakref.ref[HookStack], entry_ref: weakref.ref[_Entry]) -> None:
    stack, entry = stack_ref(), entry_ref()
    if stack is not None and entry is not None:
        stack._discard(entry)
