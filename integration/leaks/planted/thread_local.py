"""A thread-local of a pool's thread, which never ends, has what each page had it do."""

import threading
from concurrent.futures import ThreadPoolExecutor

import ipywidgets as widgets

POOL = ThreadPoolExecutor(max_workers=1)
LOCAL = threading.local()  # holds


def render(label: widgets.Label) -> None:
    """Runs in the pool."""
    if not hasattr(LOCAL, "done"):
        LOCAL.done = []  # holds
    LOCAL.done.append(label)  # holds
    label.value = f"rendered after {len(LOCAL.done) - 1} others"


def page() -> widgets.Widget:
    """A label that the pool fills."""
    label = widgets.Label("…")
    POOL.submit(render, label).result()
    return label
