"""Objects that are known for as long as somebody else keeps them."""

import threading

from solara_ctx.weak import WeakBag
from tests.support.fakes import PATIENCE_S


class Thing:
    """Can be referred to weakly."""


def test_what_dies_is_not_known_any_more() -> None:
    """The bag keeps nothing, and no empty references either."""
    bag: WeakBag[Thing] = WeakBag()
    kept, dropped = Thing(), Thing()
    bag.add(kept)
    bag.add(dropped)
    assert set(bag.living()) == {kept, dropped}
    del dropped
    assert bag.living() == [kept]
    assert len(bag._references) == 1


def test_what_is_discarded_is_not_known_any_more() -> None:
    """Once is enough, for a thing that was added twice; more is harmless."""
    bag: WeakBag[Thing] = WeakBag()
    thing, other = Thing(), Thing()
    bag.add(thing)
    bag.add(thing)
    bag.add(other)
    bag.discard(thing)
    bag.discard(thing)
    assert bag.living() == [other]
    bag.clear()
    assert bag.living() == []


class Equal:
    """Compares by value, and so has no hash, like a figure of plotly's."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)

    __hash__ = None  # type: ignore[assignment]


def test_things_are_told_apart_by_identity() -> None:
    """What compares equal, and cannot be hashed, is as many things as there are."""
    bag: WeakBag[Equal] = WeakBag()
    first, second = Equal(), Equal()
    bag.add(first)
    bag.add(second)
    bag.add(second)
    assert len(bag) == 2
    bag.discard(first)
    assert len(bag) == 1
    del second
    assert bag.living() == []


def test_one_may_look_while_another_adds() -> None:
    """Looking does not fail when things are added meanwhile by another thread."""
    bag: WeakBag[Thing] = WeakBag()
    kept = [Thing() for _number in range(20_000)]
    done = threading.Event()

    def add() -> None:
        for thing in kept:
            bag.add(thing)
        done.set()

    adder = threading.Thread(target=add)
    adder.start()
    while not done.is_set():
        assert len(bag.living()) <= len(kept)
    adder.join(PATIENCE_S)
    assert len(bag.living()) == len(kept)


def test_who_wants_to_know_is_told_of_each_death() -> None:
    """Of those from then on, wherever they die; the listener is not what keeps anything."""
    bag: WeakBag[Thing] = WeakBag()
    first, second = Thing(), Thing()
    bag.add(first)
    bag.add(second)
    deaths: list[int] = []
    bag.on_death(lambda: deaths.append(len(bag)))
    del first
    assert deaths == [2]
    assert [reference() for reference in bag.references()] == [second]
    del second
    assert deaths == [2, 1]
