"""Looking at objects without running code of theirs."""

import sys
from collections import deque
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, Never

import pytest

from solara_ctx.leaks import peek


class Label:
    """Something to look for, with attributes of its own."""


class Guarded:
    """Answers nothing."""

    def _fail(self, *_: object) -> Never:
        raise AssertionError("user code was run")

    __getattr__ = __eq__ = __hash__ = __repr__ = __len__ = __iter__ = _fail
    __class__ = property(_fail)


class Slotted:
    """Keeps its attributes in slots, one of which is private."""

    __slots__ = ("__hidden", "label", "unset")

    def __init__(self, label: object, hidden: object) -> None:
        self.label = label
        self.__hidden = hidden


class _Changing:
    """`dict`, while another thread adds to whatever dict one looks at, for so many looks."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    def items(self, mapping: dict[object, object]) -> Iterable[tuple[object, object]]:
        self._looks -= 1
        return self._broken() if self._looks >= 0 else dict.items(mapping)

    def _broken(self) -> Iterable[tuple[object, object]]:
        yield "first", None
        raise RuntimeError("dictionary changed size during iteration")


def test_what_pretends_to_be_something_else_is_not_believed() -> None:
    """Nor asked."""
    guarded = Guarded()
    assert not peek.is_a(guarded, dict)
    assert peek.type_name(guarded) == "Guarded"
    assert peek.attribute_of(guarded, 1) is None
    assert peek.items_of(guarded) == ()


def test_what_c_keeps_is_read_where_it_is() -> None:
    """And is `None` where there is nothing of that name."""
    assert peek.read(ValueError(1), BaseException, "args") == (1,)
    assert peek.read(ValueError(1), BaseException, "no_such") is None


def test_the_dict_of_an_instance_is_found_behind_other_ideas_of_it() -> None:
    """A class may define `__dict__` as it likes; one with slots has none."""

    class Computed:
        @property
        def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
            raise AssertionError("user code was run")

    class Borrowed(Label):
        __dict__ = vars(Computed)["__weakref__"]

    label = Borrowed()
    label.text = 1  # type: ignore[attr-defined]
    assert peek.field(label, "text") == 1
    assert peek.field(Computed(), "text") is None
    assert peek.field(Slotted(1, 2), "label") is None


def test_a_value_is_found_under_its_key() -> None:
    """By identity."""
    label = Label()
    assert peek.key_of({1: Label(), 2: label}, label) == (2,)
    assert peek.key_of({1: Label()}, label) is None


@pytest.mark.parametrize("looks", range(5))
def test_a_value_is_found_while_others_change_the_dict(looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the next try; where they never stop, the search goes on without it, and does not fail."""
    label = Label()
    monkeypatch.setattr(peek, "dict", _Changing(looks), raising=False)
    assert peek.key_of({1: label}, label) == ((1,) if looks <= 3 else None)
    monkeypatch.setattr(peek, "dict", _Changing(looks), raising=False)
    assert peek.key_of({1: Label()}, label) is None


def test_a_place_in_what_is_changed_meanwhile_is_not_known() -> None:
    """The name of the container has to do."""
    items = deque([1, 2])
    iterator = iter(items)
    items.append(3)
    assert peek.index_of(iterator, 3) is None
    assert peek.index_of(items, 3) == 2
    assert peek.index_of(items, 4) is None


def test_a_module_refers_to_its_variables_only() -> None:
    """What else a module in C may show is not touched."""
    module = ModuleType("made")
    assert peek.referents(module) == [vars(module)]
    assert peek.referents([1, module]) == [module, 1]


def test_a_slot_is_found_by_its_name() -> None:
    """A private one as it is written in its class; an empty one is passed over."""
    label, hidden = Label(), Label()
    slotted = Slotted(label, hidden)
    assert peek.attribute_of(slotted, label) == "label"
    assert peek.attribute_of(slotted, hidden) == "__hidden"
    assert peek.attribute_of(slotted, Label()) is None


@pytest.mark.parametrize("trace", [None, lambda *_: None], ids=["", "traced"])
def test_local_variables_are_shown_with_their_values(
    trace: Callable[..., None] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether somebody traces the function or not; of a module's body they are no local variables."""
    label = Label()
    monkeypatch.setattr(sys, "getprofile", lambda: trace)
    assert ("label", label) in peek.locals_of(sys._getframe())
    frames: list[object] = []
    exec("import sys; frames.append(sys._getframe())", {"frames": frames})  # noqa: S102
    (frame,) = frames
    assert peek.locals_of(frame) == []  # type: ignore[arg-type]
