"""A cache without a bound has a widget in its keys."""

import functools

import ipywidgets as widgets


@functools.cache  # holds
def rows(slider: widgets.IntSlider, count: int) -> str:  # holds
    """A table that somebody thought expensive."""
    return "<br>".join(f"{slider.description} {number}" for number in range(count))


def page() -> widgets.Widget:
    """A slider and a table."""
    slider, table = widgets.IntSlider(value=3, max=9, description="Rows"), widgets.HTML()

    def show(_change: object = None) -> None:
        table.value = rows(slider, slider.value)

    slider.observe(show, "value")
    show()
    return widgets.VBox([slider, table])
