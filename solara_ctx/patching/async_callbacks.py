"""`async def` functions as callbacks of widgets: each call is a task of the kernel.

Upstream calls them like any other, and drops the coroutine that they return: nothing happens, and a warning says that
it was never awaited.
"""

import functools
import inspect
from collections.abc import Callable, Coroutine
from types import MethodType
from typing import Any

from ipywidgets import CallbackDispatcher

from solara_ctx import current
from solara_ctx.errors import ContextClosed
from solara_ctx.jupyter.host import current_host


class AsyncCallback:
    """Calls an async function as a task of the kernel that is current, and is equal to it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any, **options: Any) -> Any:
        coroutine = self._function(*args, **options)
        # Not before: what calls a function that does not return must not keep the context.
        context = current.peek() if inspect.iscoroutine(coroutine) else None
        if context is None:
            return coroutine
        name = getattr(coroutine, "__qualname__", None)
        try:
            context.create_task(_reported(coroutine), name=name)
        except ContextClosed:  # somebody clicks while the kernel closes
            coroutine.close()
        return None

    def __eq__(self, other: object) -> bool:
        # ipywidgets and traitlets find the callback to remove by comparing.
        return bool(self._function == (other._function if isinstance(other, AsyncCallback) else other))

    def __hash__(self) -> int:
        return hash(self._function)


def as_task(callback: Callable[..., Any], *, like: object = None) -> Callable[..., Any]:
    """An async function as one whose calls are tasks; any other callback as it is.

    Args:
        callback: What will be called.
        like: Tells whether it is async, where *callback* only stands for it.
    """
    shown = callback if like is None else like
    return AsyncCallback(callback) if not isinstance(callback, AsyncCallback) and _is_async(shown) else callback


def register_async(original: Callable[..., None]) -> Callable[..., None]:
    """`CallbackDispatcher.register_callback` that takes async functions, too."""

    @functools.wraps(original)
    def register_callback(self: CallbackDispatcher, callback: Callable[..., Any], remove: bool = False) -> None:  # noqa: FBT001, FBT002
        original(self, as_task(callback), remove)

    return register_callback


def _is_async(function: object) -> bool:
    """Whether it is an async function, or may be one in disguise, as in `lambda _: save(text.value)`."""
    if inspect.iscoroutinefunction(function) or getattr(function, "__name__", None) == "<lambda>":
        return True
    # An object that is called, such as one of a class with `async def __call__`.
    call = getattr(type(function), "__call__", None)  # noqa: B004 - it is looked at, not asked for
    return not isinstance(function, MethodType | type) and inspect.iscoroutinefunction(call)


async def _reported(coroutine: Coroutine[Any, Any, object]) -> None:
    """An error goes where that of any other callback goes."""
    try:
        await coroutine
    except Exception as error:
        host = current_host()
        if host is None:
            raise
        host.reporter.user_error(error, "an async widget callback")
