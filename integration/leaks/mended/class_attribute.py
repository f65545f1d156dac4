"""As planted; the class knows its instances weakly."""

import weakref
from typing import ClassVar

import ipywidgets as widgets

from solara_ctx import KernelVar, VirtualKernelContext, get_current_context


class Visit:
    """Who is here."""

    all: ClassVar["weakref.WeakSet[Visit]"] = weakref.WeakSet()

    def __init__(self, context: VirtualKernelContext) -> None:
        self.context = weakref.ref(context)
        Visit.all.add(self)


visit: KernelVar[Visit | None] = KernelVar("visit", default=None)


def page() -> widgets.Widget:
    """How many are here."""
    visit.set(Visit(get_current_context()))
    return widgets.Label(f"{len(Visit.all)} visits")
