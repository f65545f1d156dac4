"""As planted; the page's end ends its generator."""

from collections.abc import Iterator

import ipywidgets as widgets

from solara_ctx import get_current_context

FEEDS: list[Iterator[None]] = []


def feed(label: widgets.Label) -> Iterator[None]:
    """A line at each turn."""
    for line in ("first", "second", "third"):
        label.value = line
        yield


def page() -> widgets.Widget:
    """A label that is fed."""
    label = widgets.Label()
    lines = feed(label)
    next(lines)
    FEEDS.append(lines)
    get_current_context().on_close(lambda: FEEDS.remove(lines))
    return label
