"""As planted; the page's own end is what it wants to be told of."""

import ipywidgets as widgets

from solara_ctx import get_current_context


def page() -> widgets.Widget:
    """A text to be saved at the end."""
    text = widgets.Text(placeholder="a note")

    def save() -> None:
        print("saved", text.value)

    get_current_context().on_close(save)
    return text
