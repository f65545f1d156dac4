"""How single objects are looked at.  What a census finds in a whole process is in test_growth.py."""

import functools
import gc
import io
import re
from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any, Never

import pytest

from solara_ctx.leaks import census
from solara_ctx.leaks.census import Census, Containers, Numbers, bound_of, find, kind_of, name_of


class Guarded(dict[str, int]):
    """A dict that answers nothing."""

    def _fail(self, *_: object) -> Never:
        raise AssertionError("user code was run")

    __len__ = __iter__ = __reversed__ = __getitem__ = keys = items = values = __sizeof__ = _fail


@pytest.fixture
def nothing_but_the_test() -> Iterator[None]:
    """What was there before is out of the collector's sight: a look at all objects is quick."""
    gc.freeze()
    yield
    gc.unfreeze()


def cached(number: int) -> int:
    return number


def written(text: str) -> io.StringIO:
    stream = io.StringIO()
    stream.write(text)
    return stream


def sizes(*containers: object) -> list[int]:
    """What is noted of their sizes."""
    noted = Containers()
    for each in containers:
        kind = kind_of(each)
        assert kind is not None
        noted.add(each, kind)
    known = noted.sizes()
    assert len(noted) == len(known)
    return [known[id(each)] for each in containers if id(each) in known]


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: {"a": 1, "b": 2}, 2),
        (lambda: OrderedDict(a=1), 1),
        (lambda: Guarded(a=1), 1),
        (lambda: [1, 2, 3], 3),
        (lambda: {1, 2}, 2),
        (lambda: deque([1, 2]), 2),
        (lambda: bytearray(7), 7),
        (lambda: array("Q", [1, 2]), 2),
        (lambda: written("text"), 4),
        (list, 0),
    ],
)
def test_a_container_is_counted_without_being_asked(make: Callable[[], object], size: int) -> None:
    """By the methods of the builtin type; those of a user's class don't run."""
    assert sizes(make()) == [size]


def test_a_cache_is_counted_by_what_it_says() -> None:
    """Of an `lru_cache` the number of its results."""
    cache = functools.lru_cache(cached)
    cache(1)
    cache(2)
    assert sizes(cache) == [2]


def test_what_can_not_be_counted_just_now_is_left_out() -> None:
    """A file in memory that is closed has no size, and the census goes on."""
    stream = written("text")
    stream.close()
    assert sizes(stream, [1]) == [1]


def test_what_is_no_container_can_not_grow() -> None:
    """A tuple, a string, a frozenset."""
    assert [kind_of(each) for each in ((1,), "text", frozenset((1,)), b"", object())] == [None] * 5


@pytest.mark.parametrize(
    ("later", "same"),
    [
        (Numbers(3, 9, 11, 13), True),
        (Numbers(3, 9, 10, 12), True),
        (Numbers(3, 9, 12, 13), True),
        (Numbers(3, 9, 13, 14), False),
        (Numbers(3, 9, 0, 0), True),
        (Numbers(2, 9, 11, 12), False),
    ],
    ids=["first", "last", "last is first", "neither", "unknown", "another kind"],
)
def test_a_container_is_told_from_its_successor_at_the_same_address(later: Numbers, same: bool) -> None:
    """By its kind, and by its first or last item, one of which is there still."""
    assert Numbers(3, 8, 11, 12).may_become(later) is same
    assert Numbers(3, 0, 0, 0).may_become(later) is (later.kind == 3)


def test_a_container_knows_its_ends() -> None:
    """The addresses of its first and last item, of a dict of its keys; zero where there is no order."""
    first, last = object(), object()
    containers = [[first, last], deque([first, last]), {first: 1, last: 2}, OrderedDict({first: 1, last: 2})]
    noted = Containers()
    for each in (*containers, {first, last}):
        kind = kind_of(each)
        assert kind is not None
        noted.add(each, kind)
    known = noted.of({id(each) for each in containers})
    assert [(each.first, each.last) for each in known.values()] == [(id(first), id(last))] * 4
    (unordered,) = noted.of(set(noted.sizes()) - set(known)).values()
    assert (unordered.first, unordered.last) == (0, 0)


def test_the_bound_of_a_container_is_what_it_says_itself() -> None:
    """Of a cache of `re` what `re` does."""
    assert bound_of(functools.lru_cache(7)(cached)) == 7
    assert bound_of(functools.lru_cache(None)(cached)) is None
    assert bound_of(deque(maxlen=5)) == 5
    assert bound_of(deque()) is None
    assert bound_of({}) is None
    assert bound_of(vars(re)["_cache"]) == vars(re)["_MAXCACHE"]


def test_a_type_is_named_in_full_without_asking_it() -> None:
    """A builtin without its module; one made in C as it calls itself; whatever `__module__` a user's class has."""

    class Odd:
        __module__ = 7  # type: ignore[assignment]

    assert name_of(int) == "int"
    assert name_of(deque) == "collections.deque"
    assert name_of(Guarded) == f"{__name__}.Guarded"
    assert name_of(Odd).endswith("Odd")


def test_a_size_is_asked_of_c_only() -> None:
    """What a class of a user's says of its size is not asked, nor is it of numbers, which are never large."""

    class WithoutBase(type):
        def mro(cls) -> list[type]:
            return [cls]

    class Bytes(bytes):
        """Says nothing of its own."""

    class Lying(bytes):
        __sizeof__ = Guarded._fail

    views = census._Views()
    answers = [views.of(each).is_sized_in_c for each in (b"", "", Bytes(), array("Q"), Lying(), 1, object())]
    assert answers == [True, True, True, True, False, False, False]
    strange: Any = WithoutBase("Strange", (), {})
    assert not census._is_sized_in_c(strange)


@pytest.mark.usefixtures("nothing_but_the_test")
def test_objects_are_found_by_their_addresses() -> None:
    """Those that the collector does not list, too: a dict of plain values, a string in a list."""
    plain, text = {"key": 1}, "a text of its own".upper()
    holder: list[object] = [plain, text]
    wanted = (id(plain), id(text), id(holder))
    assert not gc.is_tracked(text)
    assert find(wanted) == {id(plain): plain, id(text): text, id(holder): holder}
    assert find([]) == {}


def test_types_are_counted_by_their_names() -> None:
    """Two classes of one name count together; of nothing there is nothing."""
    first, second = (type("Twin", (), {"__module__": "made.up"}) for _ in range(2))
    assert census._names([first(), second(), first(), 1]) == {"made.up.Twin": 3, "int": 1}
    assert census._names([]) == {}


def test_an_empty_census_is_one() -> None:
    """For whoever fills it himself."""
    empty = Census()
    assert (len(empty.containers), empty.types, empty.counts, empty.heavy, list(empty.objects)) == (0, {}, {}, {}, [])


def test_a_census_does_not_count_itself() -> None:
    """What it notes takes the more room the more there is, in jumps."""
    census = Census.take()
    own = [census.objects, *(value for value in vars(census.containers).values() if isinstance(value, array))]
    assert len(own) == 6
    assert not census.heavy.keys() & set(map(id, own))
