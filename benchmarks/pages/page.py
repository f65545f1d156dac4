"""The page that both systems serve: a slider, and a label that the server answers with; and values that block."""

import time

import ipywidgets as widgets

SLEEP, COMPUTE = -1, -2
"""Values of the slider on which its callback blocks."""
SLEEP_S = 8.0
COMPUTE_S = 20.0


def build() -> widgets.VBox:
    """Make it."""
    slider = widgets.IntSlider(value=7, min=COMPUTE, description="Number")
    label = widgets.Label("7 squared is 49")

    def show(change: dict[str, int]) -> None:
        block(change["new"])
        label.value = f"{change['new']} squared is {change['new'] ** 2}"

    slider.observe(show, "value")
    return widgets.VBox([slider, label])


def block(value: int) -> None:
    """Wait, or compute, if that is what the value asks for."""
    if value == SLEEP:
        time.sleep(SLEEP_S)
    elif value == COMPUTE:
        compute(time.monotonic() + COMPUTE_S)


def compute(until: float) -> None:
    """A long loop of pure Python, which gives up the interpreter only when it is asked to."""
    while time.monotonic() < until:
        sum(range(1000))
