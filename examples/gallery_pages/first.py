"""The page to begin with."""

import ipywidgets as widgets
from gallery_pages.room import Room


def counter() -> widgets.Widget:
    """A counter: every page has its own."""
    button, label = widgets.Button(description="Click"), widgets.Label("0")
    button.on_click(lambda _: setattr(label, "value", str(int(label.value) + 1)))
    return widgets.VBox([button, label])


ROOM = Room("To begin with", {"/counter": counter})
