"""What came into a container last, in a few words."""

import asyncio
import functools
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Never

import pytest

from solara_ctx.leaks.newest import in_container, shown, size


class Page:
    """A page of a user's."""

    def on_click(self) -> None:
        """Do nothing."""


class Guarded:
    """Looking at it in the usual ways runs its code."""

    def _fail(self, *_: object) -> Never:
        raise AssertionError("user code was run")

    __class__ = property(_fail)
    __hash__ = __eq__ = __repr__ = __len__ = _fail


class GuardedDict(Guarded, dict[Any, Any]):  # type: ignore[misc]
    """A dict that answers nothing."""

    keys = items = values = __iter__ = __reversed__ = __getitem__ = Guarded._fail


class GuardedSet(Guarded, set[Any]):  # type: ignore[misc]
    """A set that answers nothing."""


def numbers() -> Iterator[int]:
    yield 1


async def stream() -> AsyncIterator[int]:
    yield 1


async def wait() -> None:
    """Do nothing."""


def where(function: Callable[..., object]) -> str:
    return f"{function.__qualname__} (test_newest.py:{function.__code__.co_firstlineno})"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (-999, "-999 bytes"),
        (1000, "1.0 KB"),
        (1_250_000, "1.2 MB"),
        (-3_000_000_000, "-3.0 GB"),
        (5_000_000_000_000, "5000.0 GB"),
    ],
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    """In the largest unit of which there is one at the least; there is none beyond GB."""
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"x" * 2000, "bytes of 2.0 KB"),
        (bytearray(10), "bytearray of 10 bytes"),
        ("twelve chars", "'twelve chars'"),
        ("thirteen char", "'thirteen cha'…"),
        ("x" * 2000, "str of 2.0 KB"),
        (None, "None"),
        (3, "3"),
        (0.5, "0.5"),
        (True, "True"),
        ([1, 2, 3], "list of 3"),
        (OrderedDict(x=1), "OrderedDict of 1"),
        (Page(), "Page"),
        (GuardedDict(), "GuardedDict"),
    ],
    ids=lambda value: type(value).__name__ if type(value) is not str else value[:13],
)
def test_a_value_is_shown_by_type_and_size(value: object, text: str) -> None:
    """As far as that is known without asking an object of a user's."""
    assert shown(value) == text


def test_what_runs_code_is_shown_with_its_place() -> None:
    """A function, a bound method, a partial of either, and what a generator or a coroutine runs."""
    coroutine = wait()
    try:
        assert shown(coroutine) == f"coroutine {where(wait)}"
    finally:
        coroutine.close()
    assert shown(numbers) == f"function {where(numbers)}"
    assert shown(Page().on_click) == f"method {where(Page.on_click)}"
    assert shown(functools.partial(Page().on_click)) == f"partial {where(Page.on_click)}"
    assert shown(functools.partial(numbers)) == f"partial {where(numbers)}"
    assert shown(numbers()) == f"generator {where(numbers)}"
    assert shown(stream()) == f"async_generator {where(stream)}"
    assert shown(functools.partial(print)) == "partial"


@pytest.mark.parametrize(
    ("container", "text"),
    [
        ({"a": 1, "b": b"xyz"}, "['b'] -> bytes of 3 bytes"),
        (OrderedDict(a=1, b=2), "['b']"),
        ([1, 2], "2"),
        (deque([1, 2]), "2"),
        ({1, 2}, ""),
        (bytearray(b"xyz"), ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_newest_of_a_container_is_its_last(container: object, text: str) -> None:
    """Of a dict the key as well; where there is no order, nothing is said."""
    assert in_container(container) == text


@pytest.mark.parametrize("empty", [{}, OrderedDict(), [], deque()], ids=lambda value: type(value).__name__)
def test_an_empty_container_has_no_newest(empty: object) -> None:
    """Somebody may have emptied it since it was counted."""
    assert in_container(empty) == ""


def test_containers_of_users_are_not_asked() -> None:
    """Neither their methods nor what they pretend to be: the newest is told by the methods of the base."""
    guarded = GuardedDict()
    dict.__setitem__(guarded, "key", 1)
    assert in_container(guarded) == "['key'] -> 1"
    assert in_container(GuardedSet()) == ""


def test_a_task_is_shown_by_its_type() -> None:
    """What is not known is shown by its type's name without the module."""
    loop = asyncio.new_event_loop()
    try:
        assert shown(loop.create_future()) == "Future"
    finally:
        loop.close()
