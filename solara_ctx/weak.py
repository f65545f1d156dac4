"""Objects that are known for as long as somebody else keeps them."""

import weakref
from typing import Generic, TypeVar

T = TypeVar("T")


class WeakBag(Generic[T]):
    """Objects, weakly.  Safe from any thread: one may be added while another looks.

    Not a `weakref.WeakSet`: to iterate over that takes Python code, in the midst of which another thread may add to it.
    The objects have to be hashable, by identity best.
    """

    __slots__ = ("_references",)

    def __init__(self) -> None:
        self._references: set[weakref.ref[T]] = set()

    def add(self, item: T) -> None:
        """Know *item* for as long as it lives."""
        self._references.add(weakref.ref(item, self._references.discard))

    def discard(self, item: T) -> None:
        """Know *item* no more; harmless when it was not known."""
        self._references.discard(weakref.ref(item))

    def clear(self) -> None:
        """Know nothing any more."""
        self._references.clear()

    def living(self) -> list[T]:
        """What is alive just now."""
        # The copy is one step of the interpreter.
        found = (reference() for reference in tuple(self._references))
        return [item for item in found if item is not None]
