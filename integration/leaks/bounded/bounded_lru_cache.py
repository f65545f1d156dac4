"""A cache of plain data with a bound, which may be larger than the number of sessions of a check."""

import functools
import os

import ipywidgets as widgets

from solara_ctx import get_current_context


@functools.lru_cache(maxsize=32)
def thumbnail(name: str) -> bytes:
    """Something large."""
    return name.encode() + os.urandom(50_000)


def page() -> widgets.Widget:
    """A size."""
    return widgets.Label(f"{len(thumbnail(get_current_context().id))} bytes")
