"""Widgets and pages: those that a page makes, and what a page says to any of them.

Upstream trusts the page. It makes new widgets of what the page sends, closes none of them with the one that they belong
to, and writes what it does not understand into the log, as it is.
"""

from typing import Any

from ipywidgets import Widget
from ipywidgets.widgets.trait_types import InstanceDict

from solara_ctx.jupyter.comms import KernelComm, opened_here
from solara_ctx.jupyter.report import shown
from solara_ctx.jupyter.targets import BadMessage
from solara_ctx.jupyter.wire import Message

_METHODS = ("update", "request_state", "custom")
Json = dict[str, Any]


def open_widget(comm: KernelComm, message: Message) -> None:
    """The target of a widget's comm: make the widget that a page asks for.

    What is made with it, its layout and its style above all, is closed with it.
    """
    with opened_here() as opened:
        try:
            Widget.handle_comm_opened(comm, message)
            _make_parts(comm)
        finally:
            comm.companions = tuple(other.comm_id for other in opened)


def close_companions(comm: KernelComm) -> None:
    """Close what was made with a widget that a page has made, or could not make."""
    host = comm.host
    if host is not None:
        for other in filter(None, map(host.widgets.get, comm.companions)):
            other.close()


def check(widget: Widget, data: Json) -> None:
    """Check what a page says to a widget, before the widget hears it.

    Raises:
        BadMessage: upstream would take it for what it can't be.
    """
    method = data.get("method")
    # A class may have a protocol of its own.
    if method not in _METHODS and type(widget)._handle_msg is Widget._handle_msg:
        raise BadMessage(f"a message of the unknown method {shown(method)} to a widget")
    state = data.get("state")
    if method == "update" and isinstance(state, dict):
        for name, value in state.items():
            if isinstance(value, dict) and _makes_a_widget(getattr(type(widget), name, None)):
                raise BadMessage("an update with a dict in the place of a widget")


def _makes_a_widget(trait: object) -> bool:
    return isinstance(trait, InstanceDict) and isinstance(trait.klass, type) and issubclass(trait.klass, Widget)


def _make_parts(comm: KernelComm) -> None:
    """Let what is made on first use be made now, so that it is known whose it is."""
    host = comm.host
    widget = None if host is None else host.widgets.get(comm.comm_id)
    if widget is not None:
        for name, trait in widget.traits().items():
            if _makes_a_widget(trait):
                getattr(widget, name)
