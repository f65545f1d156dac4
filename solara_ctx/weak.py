"""Objects that are known for as long as somebody else keeps them."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


class WeakBag(Generic[T]):
    """Objects, weakly.  Safe from any thread: one may be added while another looks.

    Not a `weakref.WeakSet`: to iterate over that takes Python code, in the midst of which another thread may add to it.
    The objects have to be hashable, by identity best.
    """

    __slots__ = ("_forget", "_listeners", "_references")

    def __init__(self) -> None:
        self._references: set[weakref.ref[T]] = set()
        self._listeners: list[Callable[[], object]] = []
        # One callback for all, which does not know the bag.
        self._forget = partial(_forget, self._references, self._listeners)

    def __len__(self) -> int:
        return len(self._references)

    def add(self, item: T) -> None:
        """Know *item* for as long as it lives."""
        self._references.add(weakref.ref(item, self._forget))

    def discard(self, item: T) -> None:
        """Know *item* no more; harmless when it was not known."""
        self._references.discard(weakref.ref(item))

    def clear(self) -> None:
        """Know nothing any more."""
        self._references.clear()

    def references(self) -> list[weakref.ref[T]]:
        """Weak references to what is alive just now."""
        # The copy is one step of the interpreter.
        return list(self._references)

    def living(self) -> list[T]:
        """What is alive just now."""
        return [item for reference in self.references() if (item := reference()) is not None]

    def on_death(self, listener: Callable[[], object]) -> None:
        """Call *listener* at the death of each from now on: in any thread, between any two instructions, also in the
        midst of a garbage collection.
        """
        self._listeners.append(listener)


def _forget(references: set[weakref.ref[T]], listeners: list[Callable[[], object]], reference: weakref.ref[T]) -> None:
    # Before it is out: whoever finds the bag empty finds that all deaths were told.
    for listener in listeners:
        listener()
    references.discard(reference)
