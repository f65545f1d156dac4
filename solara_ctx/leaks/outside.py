"""What no root leads to: objects that are held from C, or by nothing but a reference cycle of their own.

References from C leave a trace: the reference count is higher than what all visible holders account for.
"""

import atexit
import contextvars
import functools
import gc
import sys
from dataclasses import dataclass, field

from solara_ctx.leaks import peek
from solara_ctx.leaks.roots import Held
from solara_ctx.leaks.walk import Search

_UNSEEN_SINCE = 0x030D0000
# A cycle of more objects than that can't be read anyway.
_LONGEST_CYCLE = 50
_COUNTED_BETWEEN_LOOKS = 1024

_registered: list[object] = []


class _Asks:
    """Equal to nothing, and notes what it was compared with.  In C: no other thread runs meanwhile."""

    __eq__ = _registered.append  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What was found out about targets that no root leads to.

    `path` leads to a target from what is held from C, or around the cycle; `kind` is `c`, `contextvar`, `atexit` or
    `cycle`.
    """

    kind: str
    path: Held
    references: int = 0
    functions: Held = field(default_factory=Held)
    """Those of `atexit` whose arguments it may be: which has which can't be told."""


def look(search: Search) -> Outside | None:
    """Tell what holds the targets of a search that has found no root; `None` if the budget does not suffice."""
    if not search.is_closed and not _close(search):
        return None
    found = _held_from_c(search)
    if search.budget.spent_on or found is not None:
        return None if search.budget.spent_on else found
    cycle = _cycle(search)
    return None if cycle is None else Outside(kind="cycle", path=cycle)


def functions_at_exit() -> Held:
    """The functions that `atexit` is going to call.  There is no list of them, but `unregister` compares with each.

    The one place of this package that may run code of a user's: a registered callable whose class has an `__eq__` of
    its own is asked by that.  (If it claims to be equal to anything there is, it is taken off `atexit`, as it would be
    by whoever unregisters another one.)  Functions, methods and partials are compared in C.
    """
    atexit.unregister(_Asks())  # type: ignore[arg-type] # it is compared, never called
    found = Held(_registered)
    _registered.clear()
    return found


def _close(search: Search) -> bool:
    """Meet all that holds a target, among what can't be reached from the roots: usually that is little."""
    targets = [thing for thing in search.met if search.levels[id(thing)] == 0]
    unreached = Held(thing for thing in gc.get_objects() if id(thing) not in search.reached and type(thing) is not Held)
    by_part: dict[int, list[int]] = {}
    for number, thing in enumerate(unreached):
        if number % _COUNTED_BETWEEN_LOOKS == 0 and search.budget.is_spent(number):
            return False
        for part in peek.referents(thing):
            if id(part) not in search.reached:
                by_part.setdefault(id(part), []).append(number)
    search.met = Held(targets)
    search.levels = {id(target): 0 for target in targets}
    own = {id(targets), id(search), id(by_part), *map(id, by_part.values())}
    start = 0
    while start < len(search.met):
        thing = search.met[start]
        start += 1
        for number in by_part.get(id(thing), ()):
            holder = unreached[number]
            if id(holder) not in search.levels and id(holder) not in own:
                search.levels[id(holder)] = search.levels[id(thing)] + 1
                search.met.append(holder)
    return True


def _held_from_c(search: Search) -> Outside | None:
    """The nearest object that has more references than can be seen; what has a name goes before what has none."""
    visible = _visible_references(search)
    ours = _references_of_ours(search.met)
    functions = functions_at_exit()
    at_exit = {id(function) for function in functions}
    in_place = functools.cache(functools.partial(_dicts_in_place, search))
    held: list[tuple[bool, int, int, str, int]] = []
    for number in range(len(search.met)):
        address = id(search.met[number])
        count = sys.getrefcount(search.met[number]) - ours - visible.get(address, 0)
        if count > 0 and not (type(search.met[number]) is dict and address in in_place()):
            kind = _kind(search.met[number], at_exit)
            held.append((kind == "c", search.levels[address], number, kind, count))
    for _is_plain, _level, number, kind, count in sorted(held):
        path = search.down_from(search.met[number])
        if path:
            arguments = kind == "c" and type(path[0]) in {tuple, dict}
            return Outside(kind=kind, path=path, references=count, functions=functions if arguments else Held())
    return None


def _visible_references(search: Search) -> dict[int, int]:
    """How many references there are to each object that was met, from others of them, by address."""
    visible: dict[int, int] = {}
    for number, thing in enumerate(search.met):
        if number % _COUNTED_BETWEEN_LOOKS == 0 and search.budget.is_spent(number):
            break
        for part in peek.referents(thing):
            if id(part) in search.levels:
                visible[id(part)] = visible.get(id(part), 0) + 1
    return visible


def _kind(thing: object, at_exit: set[int]) -> str:
    if type(thing) is contextvars.Context:
        return "contextvar"
    return "atexit" if id(thing) in at_exit else "c"


def _references_of_ours(things: Held) -> int:
    """How many references to a member of the list are the list's own, and those of the question."""
    things.append(object())
    count = sys.getrefcount(things[len(things) - 1])
    things.pop()
    return count


def _dicts_in_place(search: Search) -> set[int]:
    """The addresses of what is the `__dict__` of an object that was met: from Python 3.13 on it holds that unseen."""
    if sys.hexversion < _UNSEEN_SINCE:
        return set()
    return {id(peek.instance_dict(owner)) for owner in search.met if type(owner) is not dict}


def _cycle(search: Search) -> Held | None:
    """The cycle nearest to a target, and the way from it to the target."""
    for start in search.met:
        if search.budget.is_spent(0):
            return None
        around = _around(search, start)
        if around:
            down = search.down_from(start)
            return Held([*around, *down[1:]]) if len(down) > 1 else Held([*around])
    return None


def _around(search: Search, start: object) -> Held:
    """The shortest way from an object to itself among what was met; empty if there is none."""
    came_from: dict[int, int] = {}
    level = Held([start])
    for _ in range(_LONGEST_CYCLE):
        following = Held()
        for thing in level:
            for part in peek.referents(thing):
                if part is start:
                    return _back(search, came_from, start, thing)
                if id(part) in search.levels and id(part) not in came_from:
                    came_from[id(part)] = id(thing)
                    following.append(part)
        level = following
    return Held()


def _back(search: Search, came_from: dict[int, int], start: object, last: object) -> Held:
    addresses = [id(last)]
    while addresses[-1] != id(start):
        addresses.append(came_from[addresses[-1]])
    wanted = set(addresses)
    things = {id(thing): thing for thing in search.met if id(thing) in wanted}
    return Held([*(things[address] for address in reversed(addresses)), start])
