"""The page that both systems serve: the same widgets, callbacks and output, made by the same code."""

import ipywidgets as widgets
from IPython.display import display

ROWS = 5


def build() -> widgets.VBox:
    """A page of ordinary size: sliders that a label follows, links, a button, a text, tabs, and an output."""
    slider, label = widgets.IntSlider(value=7, description="Number"), widgets.Label("7 squared is 49")

    def show(change: dict[str, int]) -> None:
        label.value = f"{change['new']} squared is {change['new'] ** 2}"

    slider.observe(show, "value")
    button, clicks, output = widgets.Button(description="Click"), widgets.Label("0"), widgets.Output()

    def clicked(_button: widgets.Button) -> None:
        clicks.value = str(int(clicks.value) + 1)

    button.on_click(clicked)
    with output:
        display("ready")  # type: ignore[no-untyped-call]
    tabs = widgets.Tab(children=[_row(number) for number in range(ROWS)], titles=[f"Row {n}" for n in range(ROWS)])
    return widgets.VBox([slider, label, widgets.HBox([button, clicks]), tabs, output])


def _row(number: int) -> widgets.HBox:
    left, right = widgets.FloatText(value=number), widgets.FloatSlider(max=10)
    widgets.jslink((left, "value"), (right, "value"))
    return widgets.HBox([left, right, widgets.Text(description="Note"), widgets.Checkbox(description="Done")])
