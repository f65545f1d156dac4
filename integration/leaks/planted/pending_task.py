"""A task of each page waits for ever, on an event loop of the app's own."""

import asyncio
import threading

import ipywidgets as widgets

LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, name="app-loop", daemon=True).start()


async def watch(label: widgets.Label) -> None:
    """Say so each hour."""
    while True:
        await asyncio.sleep(3600)  # holds
        label.value = "an hour more"


def page() -> widgets.Widget:
    """A label that a task watches."""
    label = widgets.Label("watched")
    asyncio.run_coroutine_threadsafe(watch(label), LOOP)  # holds
    return label
