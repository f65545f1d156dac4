"""What a process keeps more and more of."""

import asyncio
import atexit
import functools
import gc
import io
import itertools
import logging
import re
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import pytest

from solara_ctx.leaks.census import HEAVY_BYTES, Census
from solara_ctx.leaks.growth import Grower, growers

# Each looks at every object of the process, several times.
pytestmark = pytest.mark.uncovered

CACHE: dict[str, bytearray] = {}
FILLING: dict[int, int] = {}
LIST: list[object] = []
SET: set[int] = set()
DEQUE: deque[int] = deque()
LATEST: deque[int] = deque(maxlen=100)
ORDERED: OrderedDict[int, object] = OrderedDict()
HEAD: list[object] = [None]
TEXT: list[Any] = [""]
BUFFER = bytearray()
STREAM = io.StringIO()
numbers = itertools.count()


@functools.lru_cache(maxsize=100)
def square(number: int) -> int:
    return number * number


@functools.cache
def cube(number: int) -> int:
    return number * number * number


class Hostile(dict[Any, Any]):
    """A dict whose every method is the user's own, and fails."""

    def _fail(self, *_: object) -> Any:
        raise AssertionError("user code was run")

    __len__ = __iter__ = __repr__ = __reversed__ = __contains__ = __getitem__ = keys = items = _fail
    __sizeof__ = __eq__ = _fail
    __hash__ = None


class HostileMeta(type):
    """A class of classes that answers nothing."""

    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError(f"user code was run: {name}")

    def __hash__(cls) -> int:
        raise AssertionError("user code was run")

    def __eq__(cls, other: object) -> bool:
        raise AssertionError("user code was run")


class Node:
    """Of a list that is linked by hand."""

    def __init__(self, following: object) -> None:
        self.following = following


HOSTILE = Hostile()


@pytest.fixture(autouse=True)
def nothing_is_kept_for_the_next() -> Iterator[None]:
    yield
    for kept in (CACHE, FILLING, LIST, SET, DEQUE, LATEST, ORDERED, BUFFER):
        kept.clear()
    dict.clear(HOSTILE)
    HEAD[:], TEXT[:] = [None], [""]
    square.cache_clear()
    cube.cache_clear()


def observe(step: Callable[[], object], *, cycles: int = 3, per: int = 3) -> list[Grower]:
    """What grows while *step* is done over and over.  Collects, as who takes a census does."""
    censuses = []
    for _ in range(cycles):
        for _ in range(per):
            step()
        gc.collect()
        censuses.append(Census.take())
    return growers(censuses, per=per)


def only(found: list[Grower]) -> Grower:
    assert len(found) == 1, [grower.text() for grower in found]
    return found[0]


def test_a_process_that_does_nothing_keeps_nothing() -> None:
    """No growth is found where nothing grows."""
    assert observe(lambda: None) == []


def test_plain_values_in_a_module_variable_are_found() -> None:
    """A dict that the garbage collector does not even list, as it contains bytes only, is named with its place."""
    grower = only(observe(lambda: CACHE.update({f"user {next(numbers)}": bytearray(200_000)})))
    assert (grower.what, grower.kind, grower.per_step, grower.bound) == ("dict", "container", 1.0, None)
    assert grower.newest.startswith("['user ")
    assert grower.newest.endswith("'] -> bytearray of 200.0 KB")
    assert "test_growth.py" in grower.place
    assert "CACHE" in grower.place


@pytest.mark.parametrize(
    ("what", "step"),
    [
        ("list", lambda: LIST.append(1)),
        ("list", lambda: LIST.insert(0, object())),
        ("set", lambda: SET.add(next(numbers))),
        ("deque", lambda: DEQUE.append(1)),
        ("OrderedDict", lambda: ORDERED.update({next(numbers): object()})),
        ("lru_cache", lambda: cube(next(numbers))),
        ("bytearray", lambda: BUFFER.append(1)),
    ],
)
def test_every_kind_of_container_is_looked_at(what: str, step: Callable[[], object]) -> None:
    """By how much each grows is said per step."""
    grower = only(observe(step))
    assert (grower.what, grower.per_step, grower.bound) == (what, 1.0, None)


def test_two_at_a_time_are_two_per_step() -> None:
    """The rate is per step, whatever a cycle has of them."""
    assert only(observe(lambda: LIST.extend((1, 2)), per=3)).per_step == 2.0


def test_what_stops_growing_is_no_grower() -> None:
    """A cache that is full by the later part of the run has stopped."""

    def cache() -> None:
        FILLING[next(numbers)] = 0
        while len(FILLING) > 5:
            del FILLING[next(iter(FILLING))]

    assert observe(cache) == []


def test_what_grows_only_in_the_beginning_is_no_grower() -> None:
    """Warming up is not leaking."""
    steps = iter(range(100))
    assert observe(lambda: LIST.append(1) if next(steps) < 5 else None) == []


@pytest.mark.parametrize("step", [lambda: square(next(numbers)), lambda: LATEST.append(next(numbers))])
def test_a_bound_that_is_known_is_told(step: Callable[[], object]) -> None:
    """An lru_cache and a deque say themselves where they will stop."""
    grower = only(observe(step))
    assert grower.bound == 100
    assert "up to 100" in grower.text()


def test_the_patterns_that_re_keeps_have_a_bound() -> None:
    """A page that makes patterns of its own fills a cache of Python's library."""
    re.purge()
    found = observe(lambda: re.compile(f"unheard of {next(numbers)}"))
    assert found
    assert all(grower.bound for grower in found), [grower.text() for grower in found]


def test_a_bound_that_is_reached_ends_the_growth() -> None:
    """A full lru_cache grows no more."""
    for number in range(100):
        square(-number)
    assert observe(lambda: square(next(numbers))) == []


def test_a_linked_list_is_found_by_its_type() -> None:
    """No container grows, and still there are more and more nodes, reachable from a module variable."""

    def link() -> None:
        HEAD[0] = Node(HEAD[0])

    grower = only(observe(link))
    assert (grower.kind, grower.per_step) == ("type", 1.0)
    assert grower.what == f"instances of {__name__}.Node"
    assert "HEAD" in grower.place


def test_a_chain_of_generators_is_found() -> None:
    """Each generator holds the one before."""

    def count(before: object) -> Iterator[object]:
        yield before
        yield before

    def chain() -> None:
        HEAD[0] = following = count(HEAD[0])
        next(following)

    assert "instances of generator" in [grower.what for grower in observe(chain)]


@pytest.mark.parametrize("more", ["x", b"x"], ids=["str", "bytes"])
def test_a_text_that_grows_is_found(more: Any) -> None:
    """A string is a new object each time, and contains nothing: its bytes are counted."""
    TEXT[0] = more

    def write() -> None:
        TEXT[0] += more * HEAVY_BYTES

    grower = only(observe(write))
    assert grower.kind == "value"
    assert grower.per_step == HEAVY_BYTES
    assert "TEXT" in grower.place


def test_a_file_in_memory_is_found_once() -> None:
    """What is written to a StringIO is kept in a list that nobody can see; the StringIO is what is named."""
    assert only(observe(lambda: STREAM.write("a line of text, and another one\n"))).what == "StringIO"


def test_threads_are_found_with_what_they_run() -> None:
    """More and more threads are named as such, and not as the table that they are in."""
    enough = threading.Event()
    threads: list[threading.Thread] = []

    def start() -> None:
        thread = threading.Thread(target=enough.wait, daemon=True)
        thread.start()
        threads.append(thread)

    try:
        found = observe(start, per=2)
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert ("threads", 1.0) in [(grower.what, grower.per_step) for grower in found]


def test_callbacks_of_atexit_that_are_unregistered_do_not_grow() -> None:
    """What each cycle registers with `atexit` and takes back is no leak, though CPython keeps its empty slot."""

    def cycle() -> None:
        def at_the_end() -> None:
            return None

        atexit.register(at_the_end)
        atexit.unregister(at_the_end)

    assert not observe(cycle)


def test_callbacks_of_atexit_are_found() -> None:
    """They are held from C, and still counted."""

    def register() -> None:
        def at_the_end() -> None: ...

        atexit.register(at_the_end)

    try:
        found = observe(register)
    finally:
        functions = [each for each in gc.get_objects() if type(each) is FunctionType and each.__name__ == "at_the_end"]
        for function in functions:
            atexit.unregister(function)
    grower = only(found)
    assert (grower.what, grower.per_step) == ("atexit callbacks", 1.0)
    assert "at_the_end (test_growth.py:" in grower.newest


def test_handlers_of_a_logger_are_found() -> None:
    """The list of handlers grows, and the logger is named."""
    logger = logging.getLogger("tests.growing")
    try:
        grower = only(observe(lambda: logger.addHandler(logging.NullHandler())))
    finally:
        logger.handlers.clear()
    assert grower.newest == "NullHandler"
    assert "tests.growing" in grower.place


def test_pending_tasks_are_found() -> None:
    """Not the timers of the loop are named, but the tasks that they will wake."""
    loop = asyncio.new_event_loop()

    async def wait_long() -> None:
        await asyncio.sleep(86_400)

    def start() -> None:
        task = loop.create_task(wait_long())
        loop.run_until_complete(asyncio.wait((task,), timeout=0))

    try:
        found = observe(start)
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()
    first = found[0]
    assert first.what == "instances of _asyncio.Task"
    assert "wait_long" in first.place


def test_no_code_of_users_is_run() -> None:
    """Neither the methods of a container nor those of a metaclass: the growth is found all the same."""
    strange = HostileMeta("Strange", (), {"__module__": __name__})

    def grow() -> None:
        dict.__setitem__(HOSTILE, next(numbers), type.__call__(strange))

    grower = only(observe(grow))
    assert (grower.what, grower.per_step) == ("Hostile", 1.0)


def test_what_is_in_frozen_memory_is_seen() -> None:
    """After gc.freeze() the collector lists nothing of what there was; a dict that grows is found all the same."""
    CACHE["before"] = bytearray()
    gc.freeze()
    try:
        grower = only(observe(lambda: CACHE.update({f"user {next(numbers)}": bytearray()})))
    finally:
        gc.unfreeze()
    assert grower.what == "dict"


def test_a_census_keeps_nothing() -> None:
    """What was counted dies as it would have."""
    node = Node(None)
    died = threading.Event()
    node.following = _Tells(died)
    census = Census.take()
    assert census.types[f"{__name__}.Node"] == 1
    del node
    assert died.is_set()


class _Tells:
    """Tells of its death."""

    def __init__(self, died: threading.Event) -> None:
        self._died = died

    def __del__(self) -> None:
        self._died.set()


def test_too_few_censuses_are_refused() -> None:
    """Two points show no growth in step."""
    with pytest.raises(ValueError, match="3 censuses or more, not in 2"):
        growers([Census.take(), Census.take()])


def test_the_censuses_themselves_are_no_growth() -> None:
    """Whoever keeps them in a list is not told of that list."""
    assert observe(lambda: LIST.append(Census.take()), cycles=3, per=1) == []


@pytest.mark.parametrize(("name", "counted"), [("poll", 1), ("AnyIO worker thread", 0), ("asyncio_3", 0)])
def test_threads_of_pools_with_a_bound_do_not_count(name: str, counted: int) -> None:
    """How many of them there are tells how much was going on at once."""
    stop = threading.Event()
    before = Census.take().counts["threads"]
    thread = threading.Thread(target=stop.wait, name=name)
    thread.start()
    try:
        assert Census.take().counts["threads"] - before == counted
    finally:
        stop.set()
        thread.join()
