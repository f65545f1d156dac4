"""A thread of each page goes on for ever."""

import threading

import ipywidgets as widgets


def poll(label: widgets.Label) -> None:
    """Wait for something that never comes."""
    never = threading.Event()
    while not never.wait(3600):  # holds
        label.value = "an hour more"


def page() -> widgets.Widget:
    """A label and its thread."""
    label = widgets.Label("polling")
    threading.Thread(target=poll, args=(label,), daemon=True).start()  # holds
    return label
