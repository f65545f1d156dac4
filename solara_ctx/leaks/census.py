"""What is there now, in numbers: objects by type, containers by size.  Holds nothing and runs no user code.

Only C-level functions touch the objects: `gc.get_referents`, `dict.__len__` and its like, called on the base class.  A
user's `__len__`, `__hash__`, `__getattr__` or metaclass is never asked, and an `__eq__` only of what was registered
with `atexit` and has one, see `outside.functions_at_exit`.
"""

import functools
import gc
import io
import itertools
import re
import sys
import threading
from array import array
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MethodDescriptorType, WrapperDescriptorType
from typing import Protocol, cast

from solara_ctx.leaks.outside import functions_at_exit

HEAVY_BYTES = 65_536
"""From this size on a value that contains no others (a string, an array) is looked at for itself."""

_CHUNK = 4096
_HAVE_GC = 1 << 14  # Py_TPFLAGS_HAVE_GC
_LRU_CACHE = type(functools.lru_cache(len))
# `type`'s own descriptors: what a metaclass says of its classes is user code.
_mro_of = cast("Callable[[type], tuple[type, ...]]", type.__dict__["__mro__"].__get__)
_flags_of = cast("Callable[[type], int]", type.__dict__["__flags__"].__get__)
_qualname_of = cast("Callable[[type], str]", type.__dict__["__qualname__"].__get__)
_dict_of = cast("Callable[[type], Mapping[str, object]]", type.__dict__["__dict__"].__get__)


class _CacheInfo(Protocol):
    maxsize: int | None
    currsize: int


@dataclass(frozen=True, slots=True)
class Kind:
    """How to look at a kind of container."""

    number: int
    base: type
    size: Callable[[object], int]
    ends: Callable[[object], tuple[object, object] | None]
    """Its first and its last item (of a dict, its keys); `None` for what has no order."""


def _size_of_cache(cache: object) -> int:
    info = cast("Callable[[object], _CacheInfo]", _LRU_CACHE.__dict__["cache_info"])(cache)
    return info.currsize


def _no_ends(_container: object) -> None:
    return None


def _ends_of_dict(container: object) -> tuple[object, object]:
    known = cast("dict[object, object]", container)
    return next(dict.__iter__(known)), next(dict.__reversed__(known))


def _ends_of_list(container: object) -> tuple[object, object]:
    known = cast("list[object]", container)
    return list.__getitem__(known, 0), list.__getitem__(known, -1)


def _ends_of_deque(container: object) -> tuple[object, object]:
    known = cast("deque[object]", container)
    return deque.__getitem__(known, 0), deque.__getitem__(known, -1)


def _ends_of_ordered(container: object) -> tuple[object, object]:
    known = cast("OrderedDict[object, object]", container)
    return next(OrderedDict.__iter__(known)), next(OrderedDict.__reversed__(known))


_Sizer = Callable[[object], int]
_KINDS = (
    # Subclasses before their bases: the first that fits counts.
    Kind(1, OrderedDict, cast("_Sizer", dict.__len__), _ends_of_ordered),
    Kind(2, dict, cast("_Sizer", dict.__len__), _ends_of_dict),
    Kind(3, list, cast("_Sizer", list.__len__), _ends_of_list),
    Kind(4, set, cast("_Sizer", set.__len__), _no_ends),
    Kind(5, deque, cast("_Sizer", deque.__len__), _ends_of_deque),
    Kind(6, bytearray, cast("_Sizer", bytearray.__len__), _no_ends),
    Kind(7, _LRU_CACHE, _size_of_cache, _no_ends),
    Kind(8, array, cast("_Sizer", array.__len__), _no_ends),
    Kind(9, io.BytesIO, cast("_Sizer", io.BytesIO.__sizeof__), _no_ends),
    # Of a StringIO nothing but its position tells how much it contains, without a copy of it.
    Kind(10, io.StringIO, cast("_Sizer", io.StringIO.tell), _no_ends),
)
# Numbers, and what is made of numbers, are never heavy, and a process has hundreds of thousands of them.
_LIGHT = frozenset(map(id, (int, float, bool, complex, type(None), type(...))))


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a census knows of one container."""

    kind: int
    size: int
    first: int
    last: int

    def may_become(self, later: "Numbers") -> bool:
        """Whether it could be the same container, later, rather than another one at the same address."""
        if self.kind != later.kind:
            return False
        if not self.first or not later.first:
            return True  # of these nothing else is known
        return bool({self.first, self.last} & {later.first, later.last})


class Containers:
    """The containers of a census, packed: a process has a hundred thousand."""

    def __init__(self) -> None:
        self._ids, self._sizes = array("Q"), array("Q")
        self._firsts, self._lasts = array("Q"), array("Q")
        self._kinds = array("B")

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, container: object, kind: Kind) -> None:
        """Note a container."""
        try:
            size = kind.size(container)
            ends = kind.ends(container) if size else None
        except (RuntimeError, IndexError, StopIteration, ValueError):
            return  # another thread changes it just now, or it is a file that is closed
        self._ids.append(id(container))
        self._sizes.append(size)
        self._kinds.append(kind.number)
        self._firsts.append(0 if ends is None else id(ends[0]))
        self._lasts.append(0 if ends is None else id(ends[1]))

    def sizes(self) -> dict[int, int]:
        """Size by id."""
        return dict(zip(self._ids, self._sizes, strict=True))

    def of(self, wanted: set[int]) -> dict[int, Numbers]:
        """What is known of some, by id."""
        rows = zip(self._ids, self._kinds, self._sizes, self._firsts, self._lasts, strict=True)
        return {row[0]: Numbers(*row[1:]) for row in rows if row[0] in wanted}


class Census:
    """What there is in the process at one moment: numbers, addresses and names, never the objects themselves.

    Attributes:
        types: How many objects there are, by the full name of their type.
        counts: What is counted where no object tells: atexit callbacks, and threads, without those of pools that have a
            bound: this library's, anyio's, asyncio's.
        containers: The containers, by address.
        objects: The addresses of all objects that the garbage collector knows.
        heavy: Values of `HEAVY_BYTES` and more that contain no others: their bytes by address.
    """

    def __init__(self) -> None:
        self.types: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.containers = Containers()
        self.objects = array("Q")
        self.heavy: dict[int, int] = {}

    @classmethod
    def take(cls) -> "Census":
        """Look at everything there is.  Any thread; takes about a second per million objects, and holds the
        interpreter for most of it.

        What is only reachable through running C code is not seen.
        """
        census = cls()
        known = gc.get_objects()
        census.objects = array("Q", map(id, known))
        census.types = _names(known)
        inner = _inside_caches(known)
        views = _Views()
        for found in known:
            view = views.get(id(type(found))) or views.of(found)
            if view.kind is not None and id(found) not in inner:
                census.containers.add(found, view.kind)
        for value in _beyond(known):
            if value is census.objects:
                continue  # its room jumps by a sixteenth when it grows, which would look like something that does
            view = views.get(id(type(value))) or views.of(value)
            if view.is_sized_in_c and (size := sys.getsizeof(value)) >= HEAVY_BYTES:
                census.heavy[id(value)] = size
            if view.kind is not None and id(value) not in inner:
                census.containers.add(value, view.kind)
        census.counts = counts()
        return census


def find(addresses: Iterable[int]) -> dict[int, object]:
    """The objects at these addresses, of all those that a census looks at."""
    wanted, found = set(addresses), dict[int, object]()
    if not wanted:
        return found
    # Not in a generator: the list would contain it, and so tie a knot of everything there is.
    known = gc.get_objects()
    for candidate in itertools.chain(known, _beyond(known)):
        if id(candidate) in wanted:
            found[id(candidate)] = candidate
            if len(found) == len(wanted):
                break
    return found


def kind_of(found: object) -> Kind | None:
    """What kind of container it is, if it is one that can grow."""
    mro = _mro_of(type(found))
    return next((kind for kind in _KINDS if any(base is kind.base for base in mro)), None)


def size_in_c(found: object) -> int | None:
    """Its bytes, where C code tells them."""
    return sys.getsizeof(found) if _is_sized_in_c(type(found)) else None


def bound_of(container: object) -> int | None:
    """How large it says that it may become: the `maxsize` of an `lru_cache`, the `maxlen` of a deque, what `re` says of
    its caches.
    """
    for cache, most in (("_cache", "_MAXCACHE"), ("_cache2", "_MAXCACHE2")):
        if container is vars(re).get(cache):
            return cast("int | None", vars(re).get(most))
    kind = kind_of(container)
    if kind is not None and kind.base is _LRU_CACHE:
        return cast("Callable[[object], _CacheInfo]", _LRU_CACHE.__dict__["cache_info"])(container).maxsize
    if kind is not None and kind.base is deque:
        return cast("int | None", deque.__dict__["maxlen"].__get__(container))
    return None


def name_of(kind: type) -> str:
    """The full name of a type, without asking it."""
    module = _dict_of(kind).get("__module__") if _flags_of(kind) & _HEAP_TYPE else None
    name = _qualname_of(kind)
    if type(module) is str:
        return name if module == "builtins" else f"{module}.{name}"
    # A type made in C: its module is part of tp_name, which only the repr of `type` itself shows.
    shown = type.__repr__(kind)
    return shown.partition("'")[2].rpartition("'")[0] or name


_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE


@dataclass(frozen=True, slots=True)
class _View:
    """What may be asked of the objects of one type."""

    kind: Kind | None
    is_sized_in_c: bool


class _Views(dict[int, _View]):
    """Views by the address of the type: a metaclass may have a `__hash__` of its own."""

    def of(self, found: object) -> _View:
        """What may be asked of an object of a type that was not seen before."""
        kind = type(found)
        view = _View(kind_of(found), id(kind) not in _LIGHT and _is_sized_in_c(kind))
        self[id(kind)] = view
        return view


def _is_sized_in_c(kind: type) -> bool:
    for base in _mro_of(kind):
        sizer = _dict_of(base).get("__sizeof__")
        if sizer is not None:
            is_in_c = type(sizer) is MethodDescriptorType or type(sizer) is WrapperDescriptorType
            # Of what has none of its own, bytes alone may be large.
            return is_in_c and (base is not object or any(each is bytes for each in _mro_of(kind)))
    return False


def _names(known: Iterable[object]) -> dict[str, int]:
    kinds: dict[int, type] = {}
    # Two passes in C; one in Python would take ten times as long.
    counts = Counter(map(id, map(type, known)))
    wanted = set(counts)
    for found in known:
        kind = type(found)
        if id(kind) in wanted:
            wanted.discard(id(kind))
            kinds[id(kind)] = kind
            if not wanted:
                break
    names: Counter[str] = Counter()
    for address, count in counts.items():
        names[name_of(kinds[address])] += count
    return dict(names)


def _inside_caches(known: Iterable[object]) -> set[int]:
    """The dicts in which `lru_cache`s keep what they have: their size is that of the cache."""
    caches = [found for found in known if type(found) is _LRU_CACHE]
    return {id(inner) for inner in gc.get_referents(*caches) if type(inner) is dict}


def _beyond(known: list[object]) -> Iterator[object]:
    """What the collector does not list, found through what it does.

    A dict that contains only numbers, strings and bytes is not listed, nor is anything that `gc.freeze()` was for; and
    what contains no others never is.
    """
    seen = set(map(id, known))
    collectable: dict[int, bool] = {}
    # Not to be asked: of Python 3.12, it shows its free list, too, whose members would be freed twice by that, and from
    # then on every collection would hang.
    fragile = sys.modules.get("_asyncio")
    seen.add(id(fragile))
    frontier: list[object] = [thing for thing in (*known, *sys.modules.values()) if thing is not fragile]
    while frontier:
        following: list[object] = []
        for start in range(0, len(frontier), _CHUNK):
            for found in gc.get_referents(*frontier[start : start + _CHUNK]):
                address = id(found)
                if address in seen:
                    continue
                seen.add(address)
                kind = type(found)
                can_hold = collectable.get(id(kind))
                if can_hold is None:
                    can_hold = collectable[id(kind)] = bool(_flags_of(kind) & _HAVE_GC)
                if can_hold:
                    following.append(found)
                yield found
        frontier = following


# Pools have a bound; how many of its threads one has by now says how much was going on at once.
_POOLS = ("solara-ctx", "AnyIO worker thread", "asyncio_")


def counts() -> dict[str, int]:
    """What is counted where no object tells, by its name."""
    # `atexit._ncallbacks` would count the slots of those that were unregistered, too: CPython never uses them again.
    return {"threads": _threads(), "atexit callbacks": len(functions_at_exit())}


def _threads() -> int:
    threads: Mapping[object, threading.Thread] = cast("Mapping[object, threading.Thread]", vars(threading)["_active"])
    names = [thread._name for thread in list(threads.values())]  # type: ignore[attr-defined]
    return sum(not str.startswith(name, _POOLS) for name in names if type(name) is str)
