"""As planted; the thread-local has a number."""

import threading
from concurrent.futures import ThreadPoolExecutor

import ipywidgets as widgets

POOL = ThreadPoolExecutor(max_workers=1)
LOCAL = threading.local()


def render(label: widgets.Label) -> None:
    """Runs in the pool."""
    before = getattr(LOCAL, "done", 0)
    LOCAL.done = before + 1
    label.value = f"rendered after {before} others"


def page() -> widgets.Widget:
    """A label that the pool fills."""
    label = widgets.Label("…")
    POOL.submit(render, label).result()
    return label
