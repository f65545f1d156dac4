"""As planted; the list has weak methods."""

import weakref
from collections.abc import Callable

import ipywidgets as widgets

REFRESH: "set[weakref.ref[Callable[[], None]]]" = set()


class Panel:
    """A label that can be refreshed."""

    def __init__(self) -> None:
        self.label = widgets.Label("fresh")
        self.label.panel = self  # lives as long as its label
        self.rows = list(range(1000))
        REFRESH.add(weakref.WeakMethod(self.refresh, REFRESH.discard))

    def refresh(self) -> None:
        """Look again."""
        self.label.value = f"{len(self.rows)} rows"


def page() -> widgets.Widget:
    """One panel."""
    return Panel().label
