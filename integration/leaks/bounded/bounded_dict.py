"""A dict of plain data, kept to a bound by hand."""

import os

import ipywidgets as widgets

from solara_ctx import get_current_context

BOUND = int(os.environ.get("BOUND", "20"))
RESULTS: dict[str, bytes] = {}


def page() -> widgets.Widget:
    """A result that is kept for a while."""
    RESULTS[get_current_context().id] = os.urandom(200_000)
    while len(RESULTS) > BOUND:
        del RESULTS[next(iter(RESULTS))]
    return widgets.Label(f"{len(RESULTS)} results")
