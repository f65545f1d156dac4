"""The widgets of one kernel: which are alive, which are its page's, and their end."""

from collections.abc import Callable
from typing import Any

from ipywidgets import Output, Widget

from solara_ctx.jupyter.comms import KernelComm
from solara_ctx.jupyter.sever import sever_widget
from solara_ctx.jupyter.trees import parts_of
from solara_ctx.weak import WeakBag

Guarded = Callable[[Callable[[], object], str], object]
"""Does something, and reports under a name what user code raises in it."""

_NONE: frozenset[str] = frozenset()  # each call makes another one, of 216 bytes


class WidgetTable:
    """The widgets of one run of a page function.  Safe from any thread; `close...` and `sever...` for one at a time."""

    def __init__(self) -> None:
        self.living: dict[str, Widget] = {}
        """By model id."""
        self.made: WeakBag[Widget] = WeakBag()
        """Every widget ever made here: one that was closed early may be in a cycle of the user's making, too."""
        # The widgets that no page has made.
        self._kept = _NONE
        # What no user has made.
        self._hidden = _NONE

    def __len__(self) -> int:
        return len(self.living)

    @property
    def visible(self) -> dict[str, Widget]:
        """Those that users have made, by model id; may be the table itself."""
        if not self._hidden:
            return self.living
        return {model_id: widget for model_id, widget in self.living.copy().items() if model_id not in self._hidden}

    def add(self, widget: Widget) -> None:
        """One has got its comm."""
        self.living[widget.model_id] = widget
        self.made.add(widget)

    def forget(self, model_id: str) -> Widget | None:
        """One is closed; harmless when it is unknown."""
        return self.living.pop(model_id, None)

    def hide(self, output: Output) -> None:
        """That one, with its layout, is of nobody's making."""
        self._hidden = frozenset({output.model_id, output.layout.model_id})

    def check(self, root: Widget) -> None:
        """Check that a page can show it.

        Raises:
            TypeError: it, or a part of it, belongs to another kernel or to none.
        """
        if not self._owns(root):
            raise TypeError(_stranger(f"the {type(root).__name__} that the page function returned"))
        for part, holder in parts_of(root):
            # The page could show nothing of the whole then, and would say so in words that are nobody's.
            if not self._owns(part):
                raise TypeError(_stranger(f"the {type(part).__name__} in the page's {type(holder).__name__}"))

    def _owns(self, widget: Widget) -> bool:
        comm: Any = widget.comm
        return isinstance(comm, KernelComm) and self.living.get(comm.comm_id) is widget

    def begin_page(self) -> None:
        """What there is by now is not the page's that comes."""
        self._kept = frozenset(self.living)

    def close_pages_own(self, guarded: Guarded) -> None:
        """Close what was made since the page began."""
        for model_id in self.living.copy().keys() - self._kept - self._hidden:
            widget = self.living.get(model_id)
            if widget is not None:
                guarded(widget.close, f"close() of a {type(widget).__name__}")

    def sever_closed(self) -> None:
        """Sever what ties closed widgets to each other and to the user's objects."""
        for widget in self.made.living():
            if widget.comm is None:
                sever_widget(widget)

    @property
    def close_may_wait(self) -> bool:
        """Whether closing all runs code of the user's: a `close` of a class of their own."""
        # Copied in one step, as user code may make one at any time.
        return any(type(widget).close is not Widget.close for widget in self.living.copy().values())

    def close(self, guarded: Guarded) -> None:
        """Close all, and sever what ties them to each other and to the user's objects."""
        for widget in list(self.living.values()):
            guarded(widget.close, f"close() of a {type(widget).__name__}")
        for widget in self.made.living():
            sever_widget(widget)
            widget._trait_values["comm"] = None  # in case its own close() has failed
        self.living.clear()
        # Not cleared: it is the watch's.
        self.made = WeakBag()


def _stranger(what: str) -> str:
    return (
        f"{what} does not belong to this page: it is closed, or was made elsewhere, when its module was imported for "
        "example; make it in the page function"
    )
