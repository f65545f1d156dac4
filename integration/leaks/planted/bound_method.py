"""A global list has a bound method of each page's panel."""

from collections.abc import Callable

import ipywidgets as widgets

REFRESH: list[Callable[[], None]] = []  # holds


class Panel:
    """A label that can be refreshed."""

    def __init__(self) -> None:
        self.label = widgets.Label("fresh")
        self.rows = list(range(1000))
        REFRESH.append(self.refresh)  # holds

    def refresh(self) -> None:
        """Look again."""
        self.label.value = f"{len(self.rows)} rows"


def page() -> widgets.Widget:
    """One panel."""
    return Panel().label
