"""Each page wants to be told of the process's end, and is kept until then."""

import atexit

import ipywidgets as widgets


def page() -> widgets.Widget:
    """A text to be saved at the end."""
    text = widgets.Text(placeholder="a note")

    def save() -> None:  # holds
        print("saved", text.value)

    atexit.register(save)  # holds
    return text
