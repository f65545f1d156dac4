"""Undoing the reference cycles of traitlets and ipywidgets, so that reference counting frees a closed kernel.

Only what can be part of a cycle goes.  Plain values stay: a thread that still does `bar.value += 1` on a widget of a
closed kernel changes a number that nobody sees, and gets no exception.
"""

from collections.abc import Iterable
from typing import Any

from IPython.core.magic import Magics
from ipywidgets import CallbackDispatcher, Layout, Style, Widget, interactive
from traitlets import HasTraits

_CONTAINERS = (list, tuple, set, frozenset, dict)
_NESTING = 4
OF_LIBRARY = "_solara_ctx_sever"
"""The method by which the patch room has the widgets of a library cut their own cycles."""


def sever_widget(widget: Widget) -> None:
    """Cut a closed widget off from its handlers, observers and links, and from other widgets."""
    dispatchers = [
        value
        for value in (*widget.__dict__.values(), *widget._trait_values.values())
        if isinstance(value, CallbackDispatcher)
    ]
    for dispatcher in dispatchers:
        # A list of its own for each: user code may be iterating over the old one.
        dispatcher.callbacks = []
    if isinstance(widget, interactive):
        function: Any = widget.f
        if getattr(function, "widget", None) is widget:
            del function.widget  # `interact` puts it there, even on a function of a module
        widget.f = _nothing
    sever_observers(widget)
    values = widget._trait_values
    for name, value in list(values.items()):
        # Layouts and styles refer to nothing, and a closed widget can't make itself new ones.
        if isinstance(value, Widget) and not isinstance(value, Layout | Style):
            values[name] = None
        elif isinstance(value, _CONTAINERS) and _holds_widget(value, _NESTING):
            values[name] = type(value)()
    of_library = getattr(type(widget), OF_LIBRARY, None)
    if of_library is not None:
        of_library(widget)


def sever_observers(configurable: HasTraits) -> None:
    """Drop observers and validators: closures and bound methods, links among them."""
    configurable._trait_notifiers = {}
    # Under the same names: a thread that sets a value may have seen already that there is one, and will call it.
    configurable._trait_validators = dict.fromkeys(configurable._trait_validators, _as_proposed)


def _nothing(**_: object) -> None:
    """Takes the place of a function that a thread may be about to call."""


def _as_proposed(_configurable: HasTraits, proposal: Any) -> Any:
    return proposal["value"]


def _holds_widget(container: Any, nesting: int) -> bool:
    inner: Iterable[object] = container.values() if isinstance(container, dict) else container
    return any(
        isinstance(value, HasTraits)
        or (nesting > 0 and isinstance(value, _CONTAINERS) and _holds_widget(value, nesting - 1))
        for value in inner
    )


def sever_graph(root: HasTraits) -> None:
    """Take a configurable of IPython and all its parts apart; none of them is of any use afterwards."""
    parts: dict[int, HasTraits] = {}
    found: list[object] = [root]
    while found:
        value = found.pop()
        if isinstance(value, HasTraits) and _is_part(value) and id(value) not in parts:
            parts[id(value)] = value
            found += (*vars(value).values(), *value._trait_values.values())
        elif isinstance(value, dict):
            found += (inner for inner in value.values() if isinstance(inner, HasTraits))
        elif isinstance(value, list | tuple):
            found += (inner for inner in value if isinstance(inner, HasTraits))
    for part in parts.values():
        sever_observers(part)
        part._trait_values.clear()
        for name in [name for name in vars(part) if name not in _OF_TRAITLETS]:
            del vars(part)[name]


# What traitlets itself needs for an attribute to be read or set.
_OF_TRAITLETS = frozenset(vars(HasTraits()))


def _is_part(value: HasTraits) -> bool:
    if isinstance(value, Magics):
        return True  # of an extension, too: each has its own methods in a table of its own
    module = type(value).__module__
    return module.startswith(("IPython.", "ipykernel.displayhook", "ipykernel.zmqshell", "solara_ctx.jupyter.shell"))
