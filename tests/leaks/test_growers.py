"""What grows is found in censuses that were written by hand.  Those of a whole process are in test_growth.py."""

import asyncio
import atexit
import functools
import gc
import logging
import sys
import threading
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pytest

from solara_ctx.leaks import growth
from solara_ctx.leaks.census import HEAVY_BYTES, Census, kind_of, name_of
from solara_ctx.leaks.chain import Link
from solara_ctx.leaks.explain import Explanation
from solara_ctx.leaks.growth import Explain, Grower, growers

FOUND = Link(text="app.py:3 module variable KEPT", kind="module", file="/srv/app.py", line=3)
FROM_C = Link(text="held from C", kind="c")


class Node:
    """Of a list that is linked by hand."""

    def __init__(self, following: object) -> None:
        self.following = following


class Ledger:
    """May grow."""

    def __init__(self) -> None:
        self.entries: list[object] = []


@pytest.fixture(autouse=True)
def nothing_but_the_test() -> Iterator[None]:
    """What was there before is out of the collector's sight: a look at all objects is quick."""
    gc.freeze()
    yield
    gc.unfreeze()


def census_of(*things: object, counts: Mapping[str, int] | None = None) -> Census:
    """A census of a process that has nothing else."""
    census = Census()
    census.objects = array("Q", map(id, things))
    census.types = dict(Counter(name_of(type(each)) for each in things))
    census.counts = dict(counts or {})
    census.heavy = {id(each): size for each in things if (size := sys.getsizeof(each)) >= HEAVY_BYTES}
    for each in things:
        kind = kind_of(each)
        if kind is not None:
            census.containers.add(each, kind)
    return census


def observed(step: Callable[[], Sequence[object]], *, cycles: int = 4, **how: Any) -> list[Grower]:
    """What grows of that which *step* returns, in each cycle."""
    return growers([census_of(*step()) for _ in range(cycles)], **{"explain_with": None, **how})


def only(found: list[Grower]) -> Grower:
    assert len(found) == 1, [grower.text() for grower in found]
    return found[0]


def answering(*links: Link, found: bool = True, targets: list[object] | None = None) -> Explain:
    """An `explain` that always finds these links; and what it was asked for."""

    def explain(references: Sequence[Callable[[], object]]) -> Explanation:
        if targets is not None:
            targets.extend(reference() for reference in references)
        text = links[0].text if links else ""
        return Explanation(found=found and bool(links), target="", root=text, links=links, note="", seconds=0.0)

    return explain


def test_a_container_that_grows_is_told_with_its_place() -> None:
    """By how much per session, and what came in last."""
    kept, targets = list[object](), list[object]()

    def step() -> list[object]:
        kept.extend((0, len(kept) // 2))
        return [kept]

    grower = only(observed(step, per=2, explain_with=answering(FOUND, targets=targets)))
    assert (grower.what, grower.kind, grower.per_step, grower.sizes) == ("list", "container", 1.0, (4, 6, 8))
    assert grower.text() == f"{FOUND.text}: list grows by 1.0 per session; newest 3"
    assert grower.text("use").endswith("list grows by 1.0 per use; newest 3")
    assert targets == [kept]
    assert targets[0] is kept


def test_where_it_will_stop_is_told() -> None:
    """By a deque, for example, that is not full yet."""
    latest: deque[int] = deque(maxlen=100)

    def step() -> list[object]:
        latest.append(1)
        return [latest]

    grower = only(observed(step))
    assert grower.text() == "deque grows by 1.0 per session, up to 100; newest 1"
    assert grower.place == ""


def test_the_fastest_comes_first() -> None:
    """Of several containers."""
    slow, fast = set[int](), list[int]()

    def step() -> list[object]:
        slow.add(len(fast))
        fast.extend((1, 2, 3))
        return [slow, fast]

    assert [grower.what for grower in observed(step)] == ["list", "set"]


def test_another_container_at_the_same_address_has_not_grown() -> None:
    """Nor has one that is gone, or that is smaller than it was."""
    kept, emptied = list[object](), list[object]()

    def step() -> list[object]:
        kept[:] = [object() for _ in range(len(kept) + 1)]
        emptied.append(1)
        return [kept, emptied]

    censuses = [census_of(*step()) for _ in range(4)]
    emptied.clear()
    assert growers(censuses, explain_with=None) == []


def test_what_stopped_growing_in_the_later_part_is_no_grower() -> None:
    """However fast it grew before."""
    kept, sizes = list[int](), iter((1, 10, 20, 30, 30))

    def step() -> list[object]:
        kept.extend([1] * (next(sizes) - len(kept)))
        return [kept]

    assert observed(step, cycles=5) == []


def test_two_censuses_show_no_growth_in_step() -> None:
    """Three are the least."""
    with pytest.raises(ValueError, match="3 censuses or more, not in 2"):
        growers([Census(), Census()])


def test_who_may_grow_is_left_out() -> None:
    """A container of a type that is to be ignored, or that belongs to one, by attribute or by its `__dict__`."""
    direct, by_dict = Ledger(), Ledger()
    vars(by_dict)["more"] = by_dict.entries

    def step() -> list[object]:
        direct.entries.append(1)
        by_dict.entries.append(1)
        return [direct.entries, by_dict.entries]

    assert observed(step, ignore=(f"{__name__}.Ledger",)) == []
    assert len(observed(step)) == 2
    assert observed(step, ignore=("list",)) == []


def test_the_list_of_the_censuses_is_left_out() -> None:
    """It grows because somebody looks."""
    kept: list[object] = []

    def step() -> list[object]:
        kept.append(Census())
        return [kept]

    assert observed(step) == []


def test_more_and_more_objects_of_a_type_are_told_where_no_container_grows() -> None:
    """A list that is linked by hand: the newest node stands for all."""
    chain: list[object] = []
    targets: list[object] = []

    def step() -> list[object]:
        chain[:] = [Node(chain[0] if chain else None)]
        nodes, node = list[object](), chain[0]
        while isinstance(node, Node):
            nodes.append(node)
            node = node.following
        return nodes

    grower = only(observed(step, cycles=5, explain_with=answering(FOUND, targets=targets)))
    assert (grower.what, grower.kind, grower.per_step) == (f"instances of {__name__}.Node", "type", 1.0)
    assert grower.text() == f"{FOUND.text}: instances of {__name__}.Node grow by 1.0 per session; newest Node"
    assert targets == [chain[0].following]  # type: ignore[attr-defined]


def test_no_type_is_told_where_none_has_more_objects() -> None:
    """Whatever else comes and goes."""
    assert observed(lambda: [Node(None)]) == []


def test_the_types_that_tell_most_come_first() -> None:
    """A task before a user's object, that before a generator, and a builtin at the last."""
    loop = asyncio.new_event_loop()
    kept: list[object] = []

    def numbers() -> Iterator[int]:
        yield 1

    def step() -> list[object]:
        kept.extend((frozenset([object()]), numbers(), Node(None), loop.create_task(asyncio.sleep(0))))
        return list(kept)

    try:
        found = observed(step)
    finally:
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    assert [grower.what for grower in found] == [
        "instances of _asyncio.Task",
        f"instances of {__name__}.Node",
        "instances of generator",
    ]


def test_a_thread_tells_more_than_an_object_and_that_more_than_pythons_own() -> None:
    """What users have written is what they look for."""
    kept: list[object] = []

    def step() -> list[object]:
        kept.extend((PurePath("x"), Node(None), threading.Thread()))
        return list(kept)

    found = [grower.what.removeprefix("instances of ") for grower in observed(step)]
    assert found[:2] == ["threading.Thread", f"{__name__}.Node"]
    assert found[2].startswith("pathlib.")


def test_the_accounts_of_threads_and_handlers_are_left_out() -> None:
    """What they keep account of is what grows."""
    handlers: list[logging.Handler] = []

    def step() -> list[object]:
        handlers.append(logging.NullHandler())
        return [vars(logging)["_handlerList"]]

    assert observed(step) == []


def test_what_a_container_wakes_or_calls_is_told_rather_than_the_container() -> None:
    """A tuple says nothing; the object in it does."""
    kept: list[object] = []

    def step() -> list[object]:
        node = Node(None)
        kept.extend(((node,), node))
        return list(kept)

    assert [grower.what for grower in observed(step)] == [f"instances of {__name__}.Node"]


def test_a_type_that_may_grow_is_left_out() -> None:
    """By the beginning of its name."""
    kept: list[object] = []

    def step() -> list[object]:
        kept.append(Node(None))
        return list(kept)

    assert observed(step, ignore=(f"{__name__}.",)) == []


def test_builtins_that_come_and_go_are_no_finding() -> None:
    """Unless users' code holds them."""
    kept: list[object] = []

    def step() -> list[object]:
        kept.append((object(),))
        return list(kept)

    assert observed(step, explain_with=answering(FROM_C)) == []
    assert only(observed(step, explain_with=answering(FOUND))).what == "instances of tuple"


def test_objects_of_users_are_a_finding_wherever_they_are() -> None:
    """Their type tells enough; a place that was not found is none."""
    kept: list[object] = []

    def step() -> list[object]:
        kept.append(Node(None))
        return list(kept)

    grower = only(observed(step, explain_with=answering(FROM_C, found=False)))
    assert (grower.what, grower.place) == (f"instances of {__name__}.Node", "")


def test_the_hidden_list_of_a_file_in_memory_is_no_finding() -> None:
    """What was written to it is in there; the file itself is what is told."""
    kept: list[object] = []

    def step() -> list[object]:
        kept.append("a line")
        return [kept]

    assert observed(step, explain_with=answering()) == []
    assert observed(step, explain_with=answering(FROM_C)) == []
    assert only(observed(step, explain_with=answering(FOUND))).what == "list"


def test_a_hidden_list_of_other_things_is_a_finding() -> None:
    """As is another container of texts: no file has one."""
    numbers, texts = list[int](), deque[str]()

    def step() -> list[object]:
        numbers.append(1)
        texts.append("a line")
        return [numbers, texts]

    assert {grower.what for grower in observed(step, explain_with=answering())} == {"list", "deque"}


def test_more_and_more_bytes_in_plain_values_are_told() -> None:
    """A text that is added to is another string each time."""
    kept: list[str] = [""]
    targets: list[object] = []

    def step() -> list[object]:
        kept[0] += "x" * 100_000
        return [kept[0]]

    grower = only(observed(step, explain_with=answering(FOUND, targets=targets)))
    assert grower.text() == f"{FOUND.text}: large values grow by 100.0 KB per session; newest str of 400.0 KB"
    assert targets == kept


def test_a_value_is_told_from_what_else_is_at_its_address() -> None:
    """What has grown where another was is the newest; what is now where a large one was that is gone is not."""
    grown, another = holder = ["x" * 400_000, "y" * 100_000]
    first, second, third = censuses = [Census() for _ in range(3)]
    first.heavy, second.heavy = {id(grown): 100_000}, {id(grown): 200_000}
    third.heavy = {id(grown): sys.getsizeof(grown), id(another): 500_000}
    targets: list[object] = []
    only(growers(censuses, explain_with=answering(FOUND, targets=targets)))
    assert targets == holder[:1]


def test_a_few_bytes_more_are_no_growth() -> None:
    """A large table that is made anew may be a little larger."""
    sizes = iter(range(100))
    assert observed(lambda: ["x" * (200_000 + next(sizes))]) == []


def test_large_values_that_come_and_go_are_no_growth() -> None:
    """However many there are in the end."""
    sizes = iter((200_000, 100_000, 200_000, 100_000, 900_000))
    assert observed(lambda: ["x" * next(sizes)], cycles=5) == []


def test_more_and_more_threads_are_told() -> None:
    """With the newest of them; those that are counted without being found have no place."""
    threads: list[threading.Thread] = []

    def step() -> Census:
        threads.append(threading.Thread())
        return census_of(*threads, counts={"threads": len(threads)})

    targets: list[object] = []
    grower = only(growers([step() for _ in range(4)], explain_with=answering(FOUND, targets=targets)))
    assert grower.text() == f"{FOUND.text}: threads grow by 1.0 per session; newest Thread"
    assert targets == [threads[2]]
    unknown = [census_of(counts={"threads": number}) for number in range(4)]
    assert only(growers(unknown, explain_with=answering(FOUND))).explanation is None
    assert growers([census_of(counts={"threads": 1}) for _ in range(4)]) == []


def test_more_and_more_callbacks_of_atexit_are_told() -> None:
    """No object holds them: of what came and stayed, those that nobody else holds; functions rather than the rest."""
    addresses: list[int] = []

    def register(callback: Callable[..., object]) -> None:
        node = Node(None)
        atexit.register(callback, node)
        arguments = [each for each in gc.get_referrers(node) if type(each) is tuple]
        addresses.extend(map(id, (callback, *arguments)))

    def step(number: int) -> Census:
        def at_the_end(_node: object) -> int:
            return number

        register(functools.partial(at_the_end) if number % 2 else at_the_end)
        census = census_of(counts={"atexit callbacks": number})
        census.objects = array("Q", addresses)
        return census

    try:
        grower = only(growers([step(number) for number in range(4)], explain_with=None))
    finally:
        registered = [each for each in gc.get_objects() if id(each) in addresses]
        for function in registered:
            atexit.unregister(function)
    assert (grower.what, grower.per_step) == ("atexit callbacks", 1.0)
    assert "at_the_end (test_growers.py:" in grower.newest


@pytest.mark.parametrize("there", [None, "another"], ids=["nothing", "another"])
def test_what_is_gone_by_now_is_not_asked_for(there: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come to its address meanwhile is another object."""
    kept: list[object] = []
    asked: list[object] = []

    def explain(references: Sequence[Callable[[], object]]) -> Explanation:
        with monkeypatch.context() as later:
            # Looking for what is nowhere means looking at everything.
            later.setattr(growth, "find", lambda addresses: {} if there is None else dict.fromkeys(addresses, there))
            asked.extend(reference() for reference in references)
        return answering(FOUND)(())

    def step() -> list[object]:
        kept.append(Node(None))
        return list(kept)

    assert len(observed(step, explain_with=explain)) == 1
    assert asked == [None]
