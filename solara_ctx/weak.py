"""Objects that are known for as long as somebody else keeps them."""

import weakref
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


class _Reference(weakref.ref[T]):
    """A weak reference that knows what it referred to once that is gone."""

    __slots__ = ("key",)
    key: int


class WeakBag(Generic[T]):
    """Objects, weakly, by identity.  Safe from any thread: one may be added while another looks.

    Not a `weakref.WeakSet`: to iterate over that takes Python code, in the midst of which another thread may add to it.
    And it asks the objects for their hash, which those have not that are compared by value, like plotly's figures.
    """

    __slots__ = ("_forget", "_listeners", "_references")

    def __init__(self) -> None:
        # By the objects' ids: none is given away again before the reference to its owner is out.
        self._references: dict[int, _Reference[T]] = {}
        self._listeners: list[Callable[[], object]] = []
        # One callback for all, which does not know the bag.
        self._forget = partial(_forget, self._references, self._listeners)

    def __len__(self) -> int:
        return len(self._references)

    def add(self, item: T) -> None:
        """Know *item* for as long as it lives."""
        key = id(item)
        if key not in self._references:
            reference = _Reference(item, self._forget)
            reference.key = key
            self._references[key] = reference

    def discard(self, item: T) -> None:
        """Know *item* no more; harmless when it was not known."""
        self._references.pop(id(item), None)

    def clear(self) -> None:
        """Know nothing any more."""
        self._references.clear()

    def references(self) -> list[weakref.ref[T]]:
        """Weak references to what is alive just now."""
        # The copy is one step of the interpreter.
        return list(self._references.values())

    def living(self) -> list[T]:
        """What is alive just now."""
        return [item for reference in self.references() if (item := reference()) is not None]

    def on_death(self, listener: Callable[[], object]) -> None:
        """Call *listener* at the death of each from now on: in any thread, between any two instructions, also in the
        midst of a garbage collection.
        """
        self._listeners.append(listener)


def _forget(
    references: dict[int, _Reference[T]], listeners: list[Callable[[], object]], reference: _Reference[T]
) -> None:
    # Before it is out: whoever finds the bag empty finds that all deaths were told.
    for listener in listeners:
        listener()
    references.pop(reference.key, None)
