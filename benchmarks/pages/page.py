"""The page that both systems serve: a slider, and a label that the server answers with; values that block, or weigh."""

import time

import ipywidgets as widgets

SLEEP, COMPUTE = -1, -2
"""Values of the slider on which its callback blocks."""
SLEEP_S = 8.0
COMPUTE_S = 20.0
LARGE = range(-20, COMPUTE)
"""Values of the slider to which the answer is large."""
LARGE_CHARACTERS = 100_000


def build() -> widgets.VBox:
    """Make it."""
    slider = widgets.IntSlider(value=7, min=LARGE.start, description="Number")
    label = widgets.Label("7 squared is 49")

    def show(change: dict[str, int]) -> None:
        block(change["new"])
        label.value = answer(change["new"])

    slider.observe(show, "value")
    return widgets.VBox([slider, label])


def answer(value: int) -> str:
    """What the label says to a value."""
    return f"{value}".rjust(LARGE_CHARACTERS) if value in LARGE else f"{value} squared is {value**2}"


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
