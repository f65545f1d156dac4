"""A handler of each page stays with a logger of the process."""

import logging

import ipywidgets as widgets

log = logging.getLogger("shop")  # holds


class Shown(logging.Handler):
    """Shows the latest record in a widget."""

    def __init__(self, label: widgets.Label) -> None:
        super().__init__()
        self.label = label

    def emit(self, record: logging.LogRecord) -> None:
        """Show it."""
        self.label.value = record.getMessage()


def page() -> widgets.Widget:
    """The latest line of the log."""
    label = widgets.Label("nothing yet")
    log.addHandler(Shown(label))  # holds
    return label
