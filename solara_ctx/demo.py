"""The page that `solara-ctx demo` shows: a few widgets, a thread at work, and the kernel's own row of `/resourcez`."""

import asyncio
import threading
from dataclasses import asdict
from html import escape

import ipywidgets as widgets

from solara_ctx.context import VirtualKernelContext
from solara_ctx.current import get_current_context
from solara_ctx.kernel_var import KernelVar
from solara_ctx.stats import KernelStats

_WIDE = {"width": "auto"}
_PROGRESS_STEPS = 100
_STEP_S = 0.1
_LOOK_EVERY_S = 1.0

clicks: KernelVar[int] = KernelVar("clicks", default=0)


def demo() -> widgets.Widget:
    """The demo page: everything on it lives in the page's own kernel."""
    intro = widgets.HTML(
        "<h1>solara_ctx</h1><p>This page has a Python kernel of its own on the server. Open it in a second tab: that "
        "one has another. Close the tab: its kernel is gone, at once and entirely.</p>"
    )
    tabs = widgets.Tab(
        children=[_slider(), _clicks(), _text(), _work(), _kernel()],
        titles=["Slider", "Button", "Text", "Background work", "This kernel"],
    )
    return widgets.VBox([intro, tabs], layout={"max_width": "860px", "margin": "0 auto", "padding": "0 16px"})


def _slider() -> widgets.Widget:
    slider = widgets.IntSlider(value=7, max=100, description="Drag me", layout=_WIDE)
    label = widgets.Label("7 squared is 49")

    def show(change: dict[str, int]) -> None:
        label.value = f"{change['new']} squared is {change['new'] ** 2}"

    slider.observe(show, "value")
    return widgets.VBox([slider, label])


def _clicks() -> widgets.Widget:
    button = widgets.Button(description="Click me", icon="hand-pointer", button_style="primary")
    label = widgets.Label("Not clicked yet")

    def clicked(_button: widgets.Button) -> None:
        clicks.set(clicks.get() + 1)
        label.value = f"Clicks: {clicks.get()}. The count is this kernel's own."

    button.on_click(clicked)
    return widgets.VBox([button, label])


def _text() -> widgets.Widget:
    text = widgets.Text(description="Name", placeholder="your name", continuous_update=True)
    greeting = widgets.HTML("<p>Type a name.</p>")

    def greet(change: dict[str, str]) -> None:
        greeting.value = f"<p>Hello, <b>{escape(change['new'])}</b>.</p>" if change["new"] else "<p>Type a name.</p>"

    text.observe(greet, "value")
    return widgets.VBox([text, greeting])


def _work() -> widgets.Widget:
    bar = widgets.IntProgress(max=_PROGRESS_STEPS, description="Working", layout=_WIDE)
    note = widgets.Label("A thread of this kernel moves the bar. It ends with the page.")
    closing = threading.Event()

    def work() -> None:
        while not closing.wait(_STEP_S):
            bar.value = (bar.value + 1) % (_PROGRESS_STEPS + 1)

    get_current_context().on_close(closing.set)
    threading.Thread(target=work, name="demo-progress", daemon=True).start()
    return widgets.VBox([bar, note])


def _kernel() -> widgets.Widget:
    row = widgets.HTML()
    context = get_current_context()
    context.create_task(_look(context, row), name="demo-look")
    note = widgets.HTML("<p>What <code>/resourcez</code> shows of this kernel, looked at once a second:</p>")
    return widgets.VBox([note, row])


async def _look(context: VirtualKernelContext, row: widgets.HTML) -> None:
    while True:
        row.value = _table(context.stats())
        await asyncio.sleep(_LOOK_EVERY_S)


def _table(stats: KernelStats) -> str:
    rows = "".join(
        f"<tr><td style='padding-right:2em'>{escape(name.replace('_', ' '))}</td><td>{escape(_shown(value))}</td></tr>"
        for name, value in asdict(stats).items()
    )
    return f"<table style='line-height:1.5'>{rows}</table>"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {status}" for status, count in value.items())
    return f"{value:.1f}" if isinstance(value, float) else "none" if value is None else str(value)
