"""A dict of the module keeps each page's label, by kernel."""

import ipywidgets as widgets

from solara_ctx import get_current_context

STATUS: dict[str, widgets.Label] = {}  # holds


def page() -> widgets.Widget:
    """Count clicks."""
    button, label = widgets.Button(description="Count"), widgets.Label("0")
    STATUS[get_current_context().id] = label

    def clicked(_button: widgets.Button) -> None:
        shown = STATUS[get_current_context().id]
        shown.value = str(int(shown.value) + 1)

    button.on_click(clicked)
    return widgets.VBox([button, label])
