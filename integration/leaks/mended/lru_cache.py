"""As planted; the cache's keys are plain values, and there is a bound to them."""

import functools

import ipywidgets as widgets


@functools.lru_cache(maxsize=16)
def rows(description: str, count: int) -> str:
    """A table that somebody thought expensive."""
    return "<br>".join(f"{description} {number}" for number in range(count))


def page() -> widgets.Widget:
    """A slider and a table."""
    slider, table = widgets.IntSlider(value=3, max=9, description="Rows"), widgets.HTML()

    def show(_change: object = None) -> None:
        table.value = rows(slider.description, slider.value)

    slider.observe(show, "value")
    show()
    return widgets.VBox([slider, table])
