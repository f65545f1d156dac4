"""What a page function has returned: widgets, Reacton elements, and whatever Jupyter can display."""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from IPython.display import display
from ipywidgets import Output, Widget

from solara_ctx.jupyter.output_state import append

Close = Callable[[], object]

MAIN_PLACE = "main"
"""Where that goes which has no name, as the frontend calls it."""

_NO_PAGE = (
    FunctionType,
    MethodType,
    BuiltinFunctionType,
    type,
    ModuleType,
    Generator,
    AsyncGenerator,
    Awaitable,
)
"""Their `repr` is never what a page is meant to show."""


class Results:
    """The widgets that show what a page function has returned, and what is to be closed with it."""

    def __init__(self) -> None:
        self._closes: list[tuple[str, Close]] = []

    def __bool__(self) -> bool:
        """Whether there is something to close."""
        return bool(self._closes)

    def widget_for(self, item: object) -> Widget:
        """The widget that shows *item*: itself, what a Reacton element renders, or an output.

        Raises:
            TypeError: it is nothing that could be shown.
        """
        if isinstance(item, Widget):
            return item
        if _is_element(item):
            return self._rendered(item)
        if isinstance(item, _NO_PAGE):
            raise TypeError(
                "a page function returns what is to be shown: a widget, something that Jupyter can display, a Reacton "
                f"element, a sequence of these, or None; this one returned {_article(item)}"
            )
        close = getattr(item, "close", None)
        if callable(close):
            self._closes.append((f"close() of the {type(item).__name__} that the page function returned", close))
        return _displayed(item)

    def close(self, guarded: Callable[[Close, str], object]) -> None:
        """Close what can be closed, the last first.

        Args:
            guarded: Does it, and says who has failed.
        """
        while self._closes:
            what, close = self._closes.pop()
            guarded(close, what)

    def sever(self) -> None:
        """Forget it."""
        self._closes.clear()

    def _rendered(self, element: object) -> Widget:
        # Without its own page for errors, which shows the traceback to everybody: ours go by the debug mode.
        container, rendering = sys.modules["reacton"].render(element, handle_error=False)
        self._closes.append(("the end of the Reacton component that the page function returned", rendering.close))
        return container


def places_of(result: object) -> dict[str, object]:
    """What is to be shown, by the names of places."""
    if not isinstance(result, dict):
        return {MAIN_PLACE: result}
    for name in result:
        if not isinstance(name, str):
            raise TypeError(
                f"a page function that returns a dict names the places of its template in it, by strings, not {name!r}"
            )
    return dict(result)


def items_of(result: object) -> Iterable[object]:
    """What is to be shown in one place, in that order."""
    if result is None:
        return ()
    return result if isinstance(result, list | tuple) else (result,)


def _is_element(item: object) -> bool:
    """Whether it is an element of Reacton, which then has been imported by whoever made it."""
    reacton: Any = sys.modules.get("reacton.core")
    return reacton is not None and isinstance(item, reacton.Element)


def _displayed(item: object) -> Output:
    output = Output()
    if isinstance(item, str):
        # As text: with its quotes, as a cell of a notebook shows it, it is of use to nobody.
        append(output, {"output_type": "display_data", "data": {"text/plain": item}, "metadata": {}})
    else:
        with output:
            display(item)  # type: ignore[no-untyped-call]
    return output


def _article(item: object) -> str:
    if isinstance(item, type):
        return f"the class {item.__name__}"
    name = f"a {type(item).__name__}"
    return f"{name}; did you forget to call it?" if callable(item) else name
