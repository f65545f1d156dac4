"""As planted; the page's end takes its handler off."""

import logging

import ipywidgets as widgets

from solara_ctx import get_current_context

log = logging.getLogger("shop")


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
    handler = Shown(label)
    log.addHandler(handler)
    get_current_context().on_close(lambda: log.removeHandler(handler))
    return label
