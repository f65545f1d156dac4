"""Deadlines: which kernels are due."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solara_ctx.culling import Deadlines


@pytest.mark.parametrize(("now", "due"), [(9.9, []), (10.0, ["a"]), (10.1, ["a"])])
def test_a_name_is_due_at_its_time_and_not_before(now: float, due: list[str]) -> None:
    """Below, at and above the deadline."""
    deadlines = Deadlines()
    deadlines.set("a", 10.0)
    assert deadlines.pop_due(now, at_most=10) == due
    assert len(deadlines) == 1 - len(due)


@pytest.mark.parametrize(("at_most", "taken"), [(0, []), (1, ["a"]), (2, ["a", "b"]), (3, ["a", "b"])])
def test_no_more_are_taken_than_asked_for(at_most: int, taken: list[str]) -> None:
    """The longest overdue come first; the rest stay due."""
    deadlines = Deadlines()
    deadlines.set("b", 2.0)
    deadlines.set("a", 1.0)
    assert deadlines.pop_due(5.0, at_most=at_most) == taken
    assert deadlines.pop_due(5.0, at_most=9) == ["a", "b"][len(taken) :]


def test_equal_deadlines_keep_their_order() -> None:
    """First set, first due."""
    deadlines = Deadlines()
    for name in "zya":
        deadlines.set(name, 1.0)
    assert deadlines.pop_due(1.0, at_most=3) == ["z", "y", "a"]


def test_the_earliest_of_all_and_of_some() -> None:
    """Without those that were cancelled or replaced; none where none has a deadline."""
    deadlines = Deadlines()
    assert deadlines.earliest() is deadlines.earliest_of(["a"]) is None
    for name, due in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("a", 9.0)):
        deadlines.set(name, due)
    assert deadlines.earliest() == "b"
    assert deadlines.earliest_of(["a", "c", "unknown"]) == "c"
    deadlines.cancel("b")
    assert deadlines.earliest() == "c"
    assert deadlines.earliest_of(["b"]) is None


def test_setting_again_replaces() -> None:
    """A name has one deadline, the last one set, sooner or later than before."""
    deadlines = Deadlines()
    deadlines.set("a", 1.0)
    deadlines.set("a", 5.0)
    assert deadlines.next_due() == deadlines.due_of("a") == 5.0
    assert deadlines.pop_due(1.0, at_most=1) == []
    deadlines.set("a", 0.5)
    assert deadlines.pop_due(1.0, at_most=2) == ["a"]
    assert deadlines.next_due() is deadlines.due_of("a") is None


def test_a_page_that_flickers_does_not_grow_the_heap() -> None:
    """Replaced and cancelled deadlines are cleared away long before they are due."""
    deadlines = Deadlines()
    deadlines.set("steady", 1e9)
    for number in range(10_000):
        deadlines.set("flickering", 1e6 + number)
        if number % 2:
            deadlines.cancel("flickering")
    assert len(deadlines._heap) < 50


OPERATIONS = st.one_of(
    st.tuples(st.just("set"), st.sampled_from("abcdef"), st.integers(min_value=0, max_value=20)),
    st.tuples(st.just("cancel"), st.sampled_from("abcdef"), st.just(0)),
    st.tuples(st.just("pop"), st.just(""), st.integers(min_value=0, max_value=20)),
)


@given(st.lists(OPERATIONS, max_size=200))
def test_any_history_is_that_of_a_dict(history: list[tuple[str, str, int]]) -> None:
    """The heap answers like a dict that is searched from end to end."""
    deadlines, model = Deadlines(), dict[str, tuple[float, int]]()
    for number, (what, name, value) in enumerate(history):
        if what == "set":
            deadlines.set(name, float(value))
            model[name] = (float(value), number)
        elif what == "cancel":
            deadlines.cancel(name)
            model.pop(name, None)
        else:
            due = sorted((entry, name) for name, entry in model.items() if entry[0] <= value)[:2]
            assert deadlines.pop_due(float(value), at_most=2) == [name for _entry, name in due]
            for _entry, taken in due:
                del model[taken]
        assert len(deadlines) == len(model)
        assert deadlines.next_due() == min((due_at for due_at, _number in model.values()), default=None)
        assert {name: deadlines.due_of(name) for name in model} == {name: due for name, (due, _number) in model.items()}
