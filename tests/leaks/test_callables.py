"""The names of functions and what wraps them, link by link."""

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any, cast

import pytest

from solara_ctx.leaks import callables, holders
from solara_ctx.leaks.chain import Place

HERE = "tests/leaks/test_callables.py"


class Label:
    """What should be gone."""


class Page:
    """A page of a user's."""

    def on_click(self, *_: object) -> None:
        """Do nothing."""

    @classmethod
    def make(cls) -> None:
        """Do nothing."""


def load(*_: object) -> None:
    """Do nothing."""


def at(function: Callable[..., object]) -> str:
    return f"({HERE}:{function.__code__.co_firstlineno})"


def told(*path: object) -> tuple[str, object]:
    """The first link of a path, and the object that the next one begins at."""
    step = holders.step(path, 0)
    assert step is not None
    return step.link.text, path[step.following]


@pytest.mark.parametrize(
    ("thing", "function"),
    [
        (load, load),
        (functools.partial(load), load),
        (Page().on_click, Page.on_click),
        (functools.partial(Page().on_click), Page.on_click),
        (functools.lru_cache(load), load),
        (functools.lru_cache(functools.partial(Page().on_click)), Page.on_click),
    ],
)
def test_what_wraps_a_function_is_named_by_the_function(thing: object, function: Callable[..., object]) -> None:
    """A partial, a bound method, a cache and whatever they are made of: by the function's file and line."""
    assert callables.title(thing) == f"{function.__name__} {at(function)}"
    assert callables.place_of(thing) == Place(__file__, function.__code__.co_firstlineno)


def test_what_has_no_code_of_pythons_is_named_by_what_it_is() -> None:
    """A builtin by its name, a class by its own, an instance by that of its class; none of them has a place."""
    assert callables.title(print) == "print"
    assert callables.title(functools.partial(print)) == "partial"
    assert callables.title(Page) == "Page"
    assert callables.title(Page()) == "Page"
    assert callables.place_of(print) == Place()


def test_a_cache_that_wraps_itself_is_no_endless_loop() -> None:
    """Whatever somebody has set as `__wrapped__`."""
    cached: Any = functools.lru_cache(load)
    cached.__wrapped__ = cached
    assert callables.title(cached) == "_lru_cache_wrapper"
    del cached.__wrapped__
    assert callables.title(cached) == "_lru_cache_wrapper"


def test_a_function_keeps_its_module() -> None:
    """What only the variables of its module lead to is told so."""
    assert told(load, globals(), Label) == (f"the globals of load {at(load)}", globals())


def test_what_a_function_has_no_name_for() -> None:
    """Its annotations for example: the function is named, and the chain goes on."""
    annotations = {"label": Label()}
    assert told(load, annotations, annotations["label"]) == (f"function load {at(load)}", annotations)


def test_a_closure_or_default_that_has_changed_meanwhile_is_named_without_the_variable() -> None:
    """Another thread may do so between the search and the telling."""
    label = Label()

    def closure() -> Label:
        return label

    def default(value: object = label) -> None:
        """Do nothing."""

    def by_keyword(*, value: object = label) -> None:
        """Do nothing."""

    def other() -> Callable[[], Label]:
        variable = label
        return lambda: variable

    (cell,) = other().__closure__ or ()
    assert told(closure, closure.__closure__, cell, label)[0] == f"closure of closure {at(closure)}"
    assert told(default, default.__defaults__, Label())[0] == f"default argument of default {at(default)}"
    assert told(by_keyword, by_keyword.__kwdefaults__, Label())[0] == f"default argument of by_keyword {at(by_keyword)}"


def test_a_bound_method_is_named_by_its_class_and_function() -> None:
    """Of an instance, of a class, and of whatever else can be called."""
    page = Page()
    assert told(page.on_click, page) == (f"bound method Page.on_click {at(Page.on_click)}", page)
    assert told(Page.make, Page)[0] == f"bound method Page.make {at(vars(Page)['make'].__func__)}"
    bound = MethodType(print, page)
    assert told(bound, page)[0] == "bound method Page.print"


def test_a_method_of_a_builtin_is_named_by_both() -> None:
    """`list.append` of a list that keeps the object, for example."""
    kept: list[object] = []
    assert told(kept.append, kept) == ("method append of list", kept)


def test_what_a_partial_keeps_is_named_by_position_or_keyword() -> None:
    """Its function is not an argument."""
    label = Label()
    partial = functools.partial(load, 1, label)
    by_name = functools.partial(cast("Any", load), key=label)
    start = f"partial of load {at(load)}"
    assert told(partial, partial.args, label) == (f"{start}, argument 1", label)
    assert told(by_name, by_name.keywords, label) == (f"{start}, argument key", label)
    assert told(by_name, by_name.keywords, Label())[0] == start
    assert told(partial, load, globals()) == (start, load)


def test_what_a_cache_keeps_is_a_result_or_the_arguments_of_a_call() -> None:
    """And neither of them is the function that it wraps."""
    label, cached = Label(), functools.lru_cache(maxsize=7)(load)
    start = f"lru_cache of load {at(load)}"
    assert told(cached, label) == (f"{start}, maxsize=7", label)
    assert told(cached, {}, label) == (f"{start}, maxsize=7", label)
    found = [label]
    assert told(cached, found, label) == (f"{start}, maxsize=7", found)
    assert told(cached, {}, found, label) == (f"{start}, maxsize=7", found)
    assert told(cached, {}, (1, label), label) == (f"{start}, maxsize=7, arguments of a call", label)
    assert told(cached, load, globals()) == (start, load)
    assert told(cached, vars(cached), load, globals()) == (start, load)
    cached.page = label  # type: ignore[attr-defined]
    assert told(cached, vars(cached), label) == (f"{start}, maxsize=7", label)


def test_a_chain_may_end_anywhere() -> None:
    """What should be gone may be the arguments, the closure or the defaults themselves."""
    label = Label()

    def function(first: object = label, *, second: object = label) -> Label:
        return label

    cached = functools.lru_cache(load)
    partial = functools.partial(cast("Any", load), label, key=label)
    paths: list[tuple[object, ...]] = [
        (function, function.__closure__, (function.__closure__ or ())[0], label),
        (function, function.__defaults__, label),
        (function, function.__kwdefaults__, label),
        (partial, partial.args, label),
        (partial, partial.keywords, label),
        (cached, {}, (1, label), label),
    ]
    for path in paths:
        for length in range(2, len(path) + 1):
            text, following = told(*path[:length])
            assert text.partition(" (")[0]
            assert any(following is each for each in path[1:length])
