"""A class keeps a list of its instances, each with the kernel's context."""

from typing import ClassVar

import ipywidgets as widgets

from solara_ctx import VirtualKernelContext, get_current_context


class Visit:
    """Who is here."""

    all: ClassVar["list[Visit]"] = []  # holds

    def __init__(self, context: VirtualKernelContext) -> None:
        self.context = context
        Visit.all.append(self)  # holds


def page() -> widgets.Widget:
    """How many were here."""
    Visit(get_current_context())
    return widgets.Label(f"{len(Visit.all)} visits")
