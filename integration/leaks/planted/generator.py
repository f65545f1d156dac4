"""Generators that wait for their next turn keep what they have in their frames."""

from collections.abc import Iterator

import ipywidgets as widgets

FEEDS: list[Iterator[None]] = []  # holds


def feed(label: widgets.Label) -> Iterator[None]:
    """A line at each turn."""
    for line in ("first", "second", "third"):
        label.value = line
        yield  # holds


def page() -> widgets.Widget:
    """A label that is fed."""
    label = widgets.Label()
    lines = feed(label)
    next(lines)
    FEEDS.append(lines)  # holds
    return label
