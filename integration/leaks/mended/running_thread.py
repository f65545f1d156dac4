"""As planted; the page's end ends its thread."""

import threading

import ipywidgets as widgets

from solara_ctx import get_current_context


def poll(label: widgets.Label, closing: threading.Event) -> None:
    """Count the seconds until the page goes."""
    seconds = 0
    while not closing.wait(1):
        seconds += 1
        label.value = f"{seconds} s"


def page() -> widgets.Widget:
    """A label and its thread."""
    label, closing = widgets.Label("polling"), threading.Event()
    get_current_context().on_close(closing.set)
    threading.Thread(target=poll, args=(label, closing), daemon=True).start()
    return label
