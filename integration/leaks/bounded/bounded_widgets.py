"""The labels of the latest pages: closed pages are kept, but never more than a few."""

import os
from collections import deque

import ipywidgets as widgets

LATEST: deque[widgets.Label] = deque(maxlen=int(os.environ.get("BOUND", "20")))


def page() -> widgets.Widget:
    """A label that outlives its page, for a while."""
    label = widgets.Label(f"{len(LATEST)} before")
    LATEST.append(label)
    return label
