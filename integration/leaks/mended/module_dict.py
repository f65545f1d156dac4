"""As planted; the page's end takes its entry out."""

import ipywidgets as widgets

from solara_ctx import get_current_context

STATUS: dict[str, widgets.Label] = {}


def page() -> widgets.Widget:
    """Count clicks."""
    context = get_current_context()
    kernel_id = context.id
    button, label = widgets.Button(description="Count"), widgets.Label("0")
    STATUS[kernel_id] = label
    context.on_close(lambda: STATUS.pop(kernel_id))

    def clicked(_button: widgets.Button) -> None:
        shown = STATUS[kernel_id]
        shown.value = str(int(shown.value) + 1)

    button.on_click(clicked)
    return widgets.VBox([button, label])
