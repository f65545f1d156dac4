"""The page that both systems serve: a slider, and a label that the server answers with."""

import ipywidgets as widgets


def build() -> widgets.VBox:
    """Make it."""
    slider, label = widgets.IntSlider(value=7, description="Number"), widgets.Label("7 squared is 49")

    def show(change: dict[str, int]) -> None:
        label.value = f"{change['new']} squared is {change['new'] ** 2}"

    slider.observe(show, "value")
    return widgets.VBox([slider, label])
