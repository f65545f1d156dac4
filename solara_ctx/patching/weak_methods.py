"""Callbacks that do not keep the object whose method they are; async ones are tasks."""

import weakref
from collections.abc import Callable
from functools import wraps
from types import MethodType
from typing import Any, TypeVar

from ipywidgets import Widget

from solara_ctx.patching.async_callbacks import as_task

T = TypeVar("T")


class WeakMethod:
    """Calls a bound method for as long as its object lives, and is equal to it."""

    __slots__ = ("_method",)

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = weakref.WeakMethod(method)

    def __call__(self, *args: Any, **options: Any) -> Any:
        method = self._method()
        return None if method is None else method(*args, **options)

    def __eq__(self, other: object) -> bool:
        # ipywidgets finds the callback to remove by comparing.
        return self._method() == (other._method() if isinstance(other, WeakMethod) else other)

    def __hash__(self) -> int:
        return hash(self._method)


def weakly(self: object, callback: T) -> T | WeakMethod:
    """A method of *self* as something that does not keep *self*; any other callback as it is."""
    return WeakMethod(callback) if isinstance(callback, MethodType) and callback.__self__ is self else callback


def on_msg_weakly(original: Callable[..., None]) -> Callable[..., None]:
    """`Widget.on_msg` that holds a widget's own methods weakly."""

    @wraps(original)
    def on_msg(self: Widget, callback: Callable[..., Any], remove: bool = False) -> None:  # noqa: FBT001, FBT002
        original(self, as_task(weakly(self, callback), like=callback), remove)

    return on_msg


def observe_weakly(original: Callable[..., None]) -> Callable[..., None]:
    """`Widget.observe` that holds a widget's own methods weakly."""

    @wraps(original)
    def observe(self: Widget, handler: Callable[..., Any], *args: Any, **options: Any) -> None:
        original(self, as_task(weakly(self, handler), like=handler), *args, **options)

    return observe
