"""The latest visitors, in a deque that has a bound."""

import os
from collections import deque

import ipywidgets as widgets

from solara_ctx import get_current_context

LATEST: deque[tuple[str, bytes]] = deque(maxlen=int(os.environ.get("BOUND", "20")))


def page() -> widgets.Widget:
    """Who was here."""
    LATEST.append((get_current_context().id, os.urandom(50_000)))
    return widgets.Label(f"{len(LATEST)} visitors")
