"""As planted; the task is the page's own, which ends with it."""

import asyncio

import ipywidgets as widgets

from solara_ctx import get_current_context


async def watch(label: widgets.Label) -> None:
    """Say so each hour."""
    while True:
        await asyncio.sleep(3600)
        label.value = "an hour more"


def page() -> widgets.Widget:
    """A label that a task watches."""
    label = widgets.Label("watched")
    get_current_context().create_task(watch(label))
    return label
