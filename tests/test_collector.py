"""How an app sets the garbage collector, and puts it back."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from solara_ctx import KernelApp, Settings
from solara_ctx.collector import set_collector

OURS = (5_000, 10, 2_000)
OTHERS = (1_000, 5, 5)


def frozen() -> bool:
    """Whether the program is; CPython 3.12 begins with a few hundred objects of its own."""
    return gc.get_freeze_count() > 1000


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[tuple[int, int, int]]:
    """The collector is as the test has found it."""
    before = gc.get_threshold()
    assert not frozen()
    yield before
    assert gc.get_threshold() == before
    assert not frozen()


async def test_an_app_sets_it_while_it_runs(as_it_was: tuple[int, int, int]) -> None:
    """As its settings say; by itself it leaves it alone."""
    async with KernelApp(lambda: None, settings=Settings()).lifespan():
        assert gc.get_threshold() == as_it_was
        assert not frozen()
    settings = Settings(gc_freeze=True, gc_thresholds=OURS)
    async with KernelApp(lambda: None, settings=settings).lifespan():
        assert gc.get_threshold() == OURS
        assert frozen()


@pytest.mark.parametrize(
    ("settings", "freezes", "thresholds"),
    [
        ({}, True, OURS),
        ({"gc_freeze": False}, False, OURS),
        ({"gc_thresholds": (700, 10, 9)}, True, (700, 10, 9)),
        ({"debug": True}, False, None),
    ],
)
async def test_an_app_that_owns_its_process_sets_it_by_itself(
    settings: dict[str, Any],
    freezes: bool,
    thresholds: tuple[int, int, int] | None,
    as_it_was: tuple[int, int, int],
) -> None:
    """Where its settings do not say otherwise, and not in debug mode."""
    app = KernelApp(lambda: None, settings=Settings(**settings))
    app.owns_process = True
    async with app.lifespan():
        assert gc.get_threshold() == (thresholds or as_it_was)
        assert frozen() is freezes


def test_a_second_app_freezes_nothing() -> None:
    """What there is then are the kernels of the first one, whose cycles have to be found."""
    first = set_collector(freeze=True, thresholds=None)
    circle = Circle()
    second = set_collector(freeze=True, thresholds=None)
    gone = weakref.ref(circle)
    del circle
    gc.collect()
    assert gone() is None
    first()
    second()


class Circle:
    """In a cycle with itself."""

    def __init__(self) -> None:
        self.me = self


def test_thresholds_are_put_back(as_it_was: tuple[int, int, int]) -> None:
    """At the end, however often it is called; nothing is frozen meanwhile."""
    restore = set_collector(freeze=False, thresholds=OURS)
    assert gc.get_threshold() == OURS
    assert not frozen()
    restore()
    assert gc.get_threshold() == as_it_was
    gc.set_threshold(*OTHERS)
    restore()
    assert gc.get_threshold() == OTHERS
    gc.set_threshold(*as_it_was)


def test_what_is_there_is_out_of_sight() -> None:
    """What is garbage already goes before that; what comes later is collected as ever."""
    circle = Circle()
    early = weakref.ref(circle)
    del circle
    kept = Circle()
    restore = set_collector(freeze=True, thresholds=None)
    assert early() is None
    assert frozen()
    assert not any(each is kept for each in gc.get_objects())
    circle = Circle()
    late = weakref.ref(circle)
    del circle
    gc.collect()
    assert late() is None
    restore()
    assert any(each is kept for each in gc.get_objects())


def test_the_last_app_puts_it_back(as_it_was: tuple[int, int, int]) -> None:
    """Two in one process, which end in any order; the newer one's thresholds hold."""
    first = set_collector(freeze=True, thresholds=OURS)
    second = set_collector(freeze=False, thresholds=OTHERS)
    assert gc.get_threshold() == OTHERS
    first()
    assert gc.get_threshold() == OTHERS
    assert frozen()
    second()
    assert gc.get_threshold() == as_it_was


def test_what_the_host_has_frozen_stays_so() -> None:
    """It is not ours to put back."""
    gc.freeze()
    set_collector(freeze=True, thresholds=None)()
    assert frozen()
    gc.unfreeze()
