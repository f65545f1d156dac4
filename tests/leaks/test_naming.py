"""The names of modules, classes, containers and instances, link by link."""

import sys
import threading
from collections import deque, namedtuple
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, cast

from traitlets import All, HasTraits, Instance

from solara_ctx.leaks import naming
from solara_ctx.leaks.roots import Roots

HERE = "tests/leaks/test_naming.py"


class Label:
    """What should be gone."""


class Page:
    """A page of a user's."""

    shown: ClassVar[list[object]] = []  # line: shown

    def __init__(self, label: object) -> None:
        self.label = label


class Traits(HasTraits):
    label = Instance(Label, allow_none=True)


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - as users write it


def told(*path: object) -> list[str]:
    """The links of a path, without their places.  That a test has what it asks for in a variable does not count."""
    roots = Roots({id(sys._getframe(1))})
    return [link.text.partition(" (")[0] for link in naming.links_of([*path], roots)]


def test_a_module_variable_is_named_with_or_without_a_file() -> None:
    """A module that was read from nowhere is named by its name."""
    label = Label()
    made = ModuleType("made.up")
    vars(made)["label"] = label
    assert told(vars(made), label) == ["module variable made.up.label", "Label"]
    assert told(made, vars(made), label) == ["module variable made.up.label", "Label"]
    vars(made)["__file__"] = "/srv/app/made.py"
    assert told(vars(made), label) == ["/srv/app/made.py module variable label", "Label"]


def test_what_a_module_keeps_out_of_its_variables_is_told_of_the_module() -> None:
    """As a C module does in its state."""
    label, made = Label(), ModuleType("made.up")
    assert told(made, label) == ["module made.up", "Label"]
    assert told(made, vars(made)) == ["module made.up", "dict"]


def test_a_key_of_a_module_that_is_no_name_is_a_key() -> None:
    """Whoever puts other things into `globals()`."""
    label, made = Label(), ModuleType("made.up")
    cast("dict[object, object]", vars(made))[7] = label
    assert told(vars(made), label) == ["dict[7]", "Label"]


def test_a_class_holds_its_attributes_and_its_bases() -> None:
    """What is no attribute of it, is held by the class somehow."""
    label = Label()
    space = dict(vars(Page))
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.endswith("# line: shown"))
    Page.shown.append(label)
    try:
        assert told(Page, space, Page.shown, label) == [
            f"{HERE}:{line} class attribute Page.shown",
            "list[0]",
            "Label",
        ]
    finally:
        Page.shown.clear()
    assert told(Page, Page.__mro__, object)[0] == "class Page"
    assert told(Page, {"other": label}, label)[0] == "class Page"


def test_what_is_in_a_container_is_named_by_where_it_is() -> None:
    """As long as it is there: another thread may have taken it out meanwhile."""
    label, name = Label(), "key"
    assert told({name: label}, label) == ["dict['key']", "Label"]
    assert told({label: 1}, label) == ["dict, as a key", "Label"]
    assert told({}, label) == ["dict", "Label"]
    assert told([1, label], label) == ["list[1]", "Label"]
    assert told(deque([1, label]), label) == ["deque[1]", "Label"]
    assert told({label}, label) == ["set", "Label"]
    assert told([], label) == ["list", "Label"]


def test_a_field_of_a_named_tuple_is_named() -> None:
    """By its number, where a user's class has other ideas of `_fields`."""

    class Odd(tuple[object, ...]):
        __slots__ = ()
        _fields = ("left", 1)

    label = Label()
    assert told(Pair(1, label), label) == ["Pair.right", "Label"]
    assert told(Odd((label, 2)), label)[0] == "Odd.left"
    assert told(Odd((1, label)), label)[0] == "Odd[1]"
    assert told(Odd((1, 2, label)), label)[0] == "Odd[2]"


def test_an_instance_holds_by_attribute_by_class_or_somehow() -> None:
    """The attribute is named where it can be found."""
    label = Label()
    page = Page(label)
    assert told(page, vars(page), label) == ["Page.label", "Label"]
    assert told(page, Page) == ["Page, by its class", "type"]
    assert told(page, Label()) == ["Page", "Label"]


def test_a_trait_is_an_attribute() -> None:
    """And one that was changed meanwhile is a trait all the same."""
    label = Label()
    traits = Traits(label=label)
    values = cast("Any", traits)._trait_values
    assert told(traits, vars(traits), values, label) == ["Traits.label", "Label"]
    assert told(traits, vars(traits), values, Label()) == ["Traits.…", "Label"]


def test_an_observer_is_named_by_the_trait() -> None:
    """Or as one of everything, where it does not go by name."""
    label = Label()
    observer: Any = [label].append
    for observed, shown in (("label", "label"), (All, "everything")):
        traits: Any = Traits()
        traits.observe(observer, observed)
        names = traits._trait_notifiers
        (kinds,) = names.values()
        (observers,) = kinds.values()
        path = (traits, vars(traits), names, kinds, observers, observer, observer.__self__, label)
        assert told(*path)[0] == f"Traits, an observer of {shown}"


def test_a_function_or_a_class_can_be_the_target() -> None:
    """Named by itself, and not by its type only."""
    link = naming.target(told)
    assert link.text == f"function told ({HERE}:{told.__code__.co_firstlineno})"
    assert naming.target(Page).text == "type"


def test_a_frame_that_has_ended_meanwhile_is_no_root() -> None:
    """The chain begins at the object then."""
    label: object = Label()
    roots = _Ended()
    assert [link.text for link in naming.links_of([[label], label], roots)][:1] == ["list[0]"]


class _Ended(Roots):
    """Roots as they were a moment ago: the frame that had the object has returned."""

    def kind(self, _thing: object) -> str:
        return "frame"

    def running_with(self, _thing: object) -> None:
        return None


def test_a_root_that_is_the_target_is_one_link() -> None:
    """A thread that runs, for example."""
    thread = threading.current_thread()
    assert [link.kind for link in naming.links_of([thread], Roots())] == ["thread"]
