"""`with Output():` on the server: what is printed and displayed inside becomes state of the widget.

Upstream leaves the capture to the browser, which then holds the only copy: another page, or the same page after a
lost connection, shows an empty output.  Here the widget's `outputs` trait is the copy.
"""

import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from ipywidgets import Output, Widget

from solara_ctx import current
from solara_ctx.jupyter import wire
from solara_ctx.jupyter.comms import KernelComm
from solara_ctx.jupyter.output_state import append, clear, shows, synced


class Capture(NamedTuple):
    """An open `with Output():`, and the one around it."""

    # Weak: a kept contextvars.copy_context() must not keep a widget.
    widget: "weakref.ref[Output] | None"
    outer: "Capture | None"


_capture: ContextVar[Capture | None] = ContextVar("solara_ctx.output", default=None)
MESSAGES = frozenset({"stream", "display_data", "execute_result", "error", "update_display_data", "clear_output"})
"""The types of messages that show something, or change what is shown."""


def peek() -> Capture | None:
    """The innermost open capture here, for a thread that is to inherit it."""
    return _capture.get()


def bind(capture: Capture | None) -> None:
    """Make *capture* the innermost one here."""
    _capture.set(capture)


def enter(widget: Output) -> None:
    """Capture into *widget* from here on."""
    _capture.set(Capture(weakref.ref(widget), _capture.get()))


def leave(widget: Output) -> None:
    """End the innermost capture into *widget*.

    Not simply the innermost of all: two `with` blocks may end crosswise, in an `ExitStack` or a generator.
    """
    _capture.set(_without(_capture.get(), widget))
    synced(widget)


def _without(capture: Capture | None, widget: Output) -> Capture | None:
    if capture is None:
        return None
    if capture.widget is not None and capture.widget() is widget:
        return capture.outer
    return capture._replace(outer=_without(capture.outer, widget))


def is_open(widget: Output) -> bool:
    """Whether a capture into *widget* is open here, the innermost or one around it."""
    capture = _capture.get()
    while capture is not None:
        if capture.widget is not None and capture.widget() is widget:
            return True
        capture = capture.outer
    return False


@contextmanager
def suspended() -> Iterator[None]:
    """Let nothing be captured in a block, and nothing go to the pages: it is the server's."""
    before = _capture.get()
    _capture.set(Capture(None, before))
    try:
        yield
    finally:
        _capture.set(before)


def is_suspended() -> bool:
    """Whether what is printed here is the server's."""
    capture = _capture.get()
    return capture is not None and capture.widget is None


def target() -> Output | None:
    """The widget that captures here: alive, open, and of the kernel that is current."""
    capture = _capture.get()
    if capture is None or capture.widget is None:
        return None
    widget = capture.widget()
    if widget is None or not isinstance(widget.comm, KernelComm):
        return None
    context = current.peek()
    host = widget.comm.host
    return widget if context is not None and host is not None and context.host is host else None


def is_capturing() -> bool:
    """Whether output goes to a widget here."""
    return _capture.get() is not None and target() is not None


def write(name: str, text: str) -> bool:
    """Append text to the stream *name* of the widget that captures here; whether there is one.

    What ends no line may wait for the rest of it, or for `flush`: `print` writes a line and its end one by one.
    """
    widget = target()
    if widget is None:
        return False
    if text:
        append(widget, {"output_type": "stream", "name": name, "text": text}, later=not text.endswith("\n"))
    return True


def flush() -> bool:
    """Show what was written so far in the widget that captures here; whether there is one."""
    widget = target()
    if widget is None:
        return False
    synced(widget)
    return True


def take(msg_type: str, content: Mapping[str, Any]) -> bool:
    """Append an output message to the widget that captures here; whether there is one for such a message."""
    widget = target() if _capture.get() is not None and msg_type in MESSAGES else None
    if widget is None:
        return False
    put(widget, msg_type, content)
    return True


def update_all(widgets: Iterable[Widget], content: Mapping[str, Any]) -> bool:
    """Update what was displayed with an id in any of *widgets*; whether it was.

    Raises:
        TypeError: the content can't be written as JSON.
    """
    display_id = content.get("transient", {}).get("display_id")
    showing = [widget for widget in widgets if isinstance(widget, Output) and shows(widget, display_id)]
    for widget in showing:
        put(widget, "update_display_data", content)
    return bool(showing)


def put(widget: Output, msg_type: str, content: Mapping[str, Any]) -> None:
    """Append an output message to a widget.

    Raises:
        TypeError: the content can't be written as JSON.
    """
    if msg_type == "clear_output":
        clear(widget, wait=bool(content.get("wait")))
    else:
        # Here, where it is the error of the line that displays it. Later it would be that of each line that prints.
        wire.check(content)
        append(widget, {"output_type": msg_type, **content})
