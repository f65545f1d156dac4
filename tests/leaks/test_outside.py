"""What no root leads to: what C holds is told from cycles, and both from what is gone."""

import atexit
import contextvars
import ctypes
import functools
import gc
import itertools
import math
from collections.abc import Callable, Iterator

import pytest

from solara_ctx.leaks import outside
from solara_ctx.leaks.outside import Outside, functions_at_exit, look
from solara_ctx.leaks.roots import Held, Roots
from solara_ctx.leaks.walk import Budget, Search

Hold = Callable[[object], None]


class Label:
    """What should be gone."""

    holder: object = None


class Impatient(Budget):
    """Is spent after so many questions."""

    questions = 0

    def is_spent(self, _objects: int) -> bool:
        self.questions -= 1
        if self.questions < 0:
            self.spent_on = "time"
        return bool(self.spent_on)


@pytest.fixture(autouse=True)
def nothing_but_the_test() -> Iterator[None]:
    """What was there before is out of the collector's sight: a look at all objects is quick."""
    gc.disable()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.enable()


@pytest.fixture
def hold_from_c() -> Iterator[Hold]:
    """Keeps a pointer, as an extension does."""
    held: list[int] = []

    def hold(thing: object) -> None:
        held.append(id(thing))
        ctypes.pythonapi.Py_IncRef(ctypes.c_void_p(id(thing)))

    yield hold
    for address in held:
        ctypes.pythonapi.Py_DecRef(ctypes.c_void_p(address))


def searching(plant: Callable[[], object], budget: Budget | None = None) -> Search:
    """A search for what *plant* returns that has met nothing else so far."""
    search = Search(Roots(), budget or Budget(math.inf, 1_000_000))
    search.met.append(plant())
    search.levels[id(search.met[0])] = 0
    return search


def kinds(found: Outside | None) -> tuple[str, list[str]]:
    """What kind of holder was found, and the types of the path."""
    assert found is not None
    return found.kind, [type(thing).__name__ for thing in found.path]


def tied() -> Label:
    """A label in a cycle."""
    label = Label()
    label.holder = [label]
    return label


def on_a_cycle() -> Label:
    """A label that a cycle holds."""
    label = Label()
    holder: list[object] = [label]
    holder.append(holder)
    return label


def test_a_cycle_is_shown_around() -> None:
    """From the object back to itself."""
    assert kinds(look(searching(tied))) == ("cycle", ["Label", "list", "Label"])


def test_what_hangs_on_a_cycle_is_shown_with_it() -> None:
    """Once around, and from there on to the object."""
    assert kinds(look(searching(on_a_cycle))) == ("cycle", ["list", "list", "Label"])


def test_a_search_that_has_met_all_holders_is_not_begun_again() -> None:
    """What it has met is enough."""
    search = Search(Roots(), Budget(math.inf, 1_000_000))
    assert search.backwards(Held([tied()])) == []
    assert search.is_closed
    assert kinds(look(search)) == ("cycle", ["Label", "list", "Label"])


def test_what_c_holds_is_told_with_the_number_of_its_references(hold_from_c: Hold) -> None:
    """The object itself, or what leads to it."""

    def itself() -> Label:
        label = Label()
        hold_from_c(label)
        hold_from_c(label)
        return label

    def in_a_list() -> Label:
        label = Label()
        hold_from_c([label])
        return label

    found = look(searching(itself))
    assert kinds(found) == ("c", ["Label"])
    assert found is not None
    assert (found.references, list(found.functions)) == (2, [])
    found = look(searching(in_a_list))
    assert kinds(found) == ("c", ["list", "Label"])
    assert found is not None
    assert found.references == 1


def test_what_has_a_name_goes_before_what_has_none(hold_from_c: Hold) -> None:
    """However far away: a context of a thread, or a function of `atexit`."""

    def in_a_context() -> Label:
        label, context = Label(), contextvars.Context()
        hold_from_c([label])
        context.run(contextvars.ContextVar[object]("page").set, [[label]])
        hold_from_c(context)
        return label

    kind, path = kinds(look(searching(in_a_context)))
    assert (kind, path[0], path[-3:]) == ("contextvar", "Context", ["list", "list", "Label"])


def test_a_function_of_atexit_is_told_from_its_arguments() -> None:
    """The function itself is known; whose arguments a tuple is can only be guessed."""
    registered: list[Callable[..., object]] = []

    def by_closure() -> Label:
        label = Label()

        def at_the_end() -> Label:
            return label

        registered.append(atexit.register(at_the_end))
        return label

    def by_argument() -> Label:
        label = Label()
        atexit.register(functools.partial(print), label)
        return label

    try:
        kind, path = kinds(look(searching(by_closure)))
        assert (kind, path[0], path[-1]) == ("atexit", "function", "Label")
        found = look(searching(by_argument))
        assert kinds(found) == ("c", ["tuple", "Label"])
        assert found is not None
        partial = next(each for each in found.functions if type(each) is functools.partial)
        registered.append(partial)
    finally:
        for function in registered:
            atexit.unregister(function)
    assert not any(each in functions_at_exit() for each in registered)


def test_the_dict_of_an_object_is_not_held_from_c(hold_from_c: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its object holds it, from Python 3.13 on out of sight."""
    monkeypatch.setattr(outside, "_UNSEEN_SINCE", 0)

    def in_a_dict_of_its_own() -> Label:
        label = Label()
        label.holder = label
        hold_from_c(vars(label))
        return label

    def in_another_dict() -> Label:
        label = Label()
        hold_from_c({"key": label})
        return label

    kind, path = kinds(look(searching(in_a_dict_of_its_own)))
    assert (kind, path[0], path[-1]) == ("cycle", "Label", "Label")
    assert kinds(look(searching(in_another_dict))) == ("c", ["dict", "Label"])


def test_what_nobody_holds_is_not_explained() -> None:
    """It will be gone as soon as the search is over."""
    search = searching(Label)
    assert look(search) is None
    assert search.budget.spent_on == ""


def test_a_holder_that_has_let_go_meanwhile_is_not_named(hold_from_c: Hold) -> None:
    """Another thread may have taken the object out."""

    def let_go() -> list[object]:
        holder: list[object] = []
        hold_from_c(holder)
        return holder

    search = searching(Label)
    search.met.append(let_go())
    search.levels[id(search.met[1])] = 1
    search.is_closed = True
    assert look(search) is None


def test_a_search_ends_in_time_wherever_it_is() -> None:
    """And says that this is why it knows nothing."""
    for questions in itertools.count():
        budget = Impatient(math.inf, 1_000_000)
        budget.questions = questions
        found = look(searching(tied, budget))
        if not budget.spent_on:
            break
        assert found is None
    assert kinds(found) == ("cycle", ["Label", "list", "Label"])
    assert questions >= 3
