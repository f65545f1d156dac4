"""Pages whose closed kernels are kept: one for ever, one until the garbage collector runs, one not at all."""

from typing import Any

import ipywidgets as widgets
from starlette.applications import Starlette
from starlette.routing import Mount

from solara_ctx import KernelApp, get_current_context

CLICKS: dict[str, Any] = {}


def kept() -> widgets.Widget:
    """A module's dict keeps the handler, and the handler keeps the label."""
    label = widgets.Label("kept")

    def on_click(_button: widgets.Button) -> None:
        label.value = "clicked"

    button = widgets.Button(description="Click")
    button.on_click(on_click)
    CLICKS[get_current_context().id] = on_click
    return widgets.VBox([button, label])


def circular() -> widgets.Widget:
    """A cycle of the user's own, out of what no widget knows of."""
    label = widgets.Label("circular")
    circle: list[Any] = [label]
    circle.append(circle)
    return label


def clean() -> widgets.Widget:
    """Nothing is left of it."""
    return widgets.Label("clean")


kernels = KernelApp({"/": kept, "/circular": circular, "/clean": clean})
app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan)
