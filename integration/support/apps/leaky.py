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
    """A cycle of the user's own, which the kernel's end does not know to cut.

    The label has to be what leads into it: a cycle that nothing leads to goes with any automatic collection, also
    while the page is still open, and then nothing but reference counting is left to be seen.
    """
    label = widgets.Label("circular")
    label.companion = {"of": label}
    return label


def clean() -> widgets.Widget:
    """Nothing is left of it."""
    return widgets.Label("clean")


kernels = KernelApp({"/": kept, "/circular": circular, "/clean": clean})
app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan)
