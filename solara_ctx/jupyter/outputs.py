"""`with Output():` on the server: what is printed and displayed inside becomes state of the widget.

Upstream leaves the capture to the browser, which then holds the only copy: another page, or the same page after a
lost connection, shows an empty output.  Here the widget's `outputs` trait is the copy.
"""

import threading
import weakref
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from ipywidgets import Output

from solara_ctx import current
from solara_ctx.jupyter.comms import KernelComm

Record = dict[str, Any]


class Capture(NamedTuple):
    """An open `with Output():`, and the one around it."""

    # Weak: a kept contextvars.copy_context() must not keep a widget.
    widget: "weakref.ref[Output] | None"
    outer: "Capture | None"


_capture: ContextVar[Capture | None] = ContextVar("solara_ctx.output", default=None)
_TYPES = frozenset({"stream", "display_data", "execute_result", "error"})
_QUEUE = "_solara_ctx_outputs"


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
    """Capture nothing in a block."""
    before = _capture.get()
    if before is None:
        yield
        return
    _capture.set(Capture(None, before))
    try:
        yield
    finally:
        _capture.set(before)


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
    """Append text to the stream *name* of the widget that captures here; whether there is one."""
    widget = target()
    if widget is None:
        return False
    if text:
        append(widget, {"output_type": "stream", "name": name, "text": text})
    return True


def take(msg_type: str, content: Mapping[str, Any]) -> bool:
    """Append an output message to the widget that captures here; whether there is one for such a message."""
    widget = target() if _capture.get() is not None else None
    if widget is None:
        return False
    if msg_type in _TYPES:
        record = {"output_type": msg_type, **content}
        append(widget, record)
    elif msg_type == "update_display_data":
        append(widget, {"output_type": msg_type, **content})
    elif msg_type == "clear_output":
        clear(widget, wait=bool(content.get("wait")))
    else:
        return False
    return True


class _Queue:
    """Outputs on their way into the trait.  Any thread.

    One thread at a time applies what waits, and the others leave their output to it: the trait is read, changed and
    written without a lock, as setting it calls observers, user code that may wait for a lock of its own.
    """

    def __init__(self) -> None:
        self.waiting: deque[Record] = deque()
        self.turn = threading.Lock()
        self.clear_next = False


def append(widget: Output, record: Record) -> None:
    """Append one output to a widget; text to the same stream as before is merged into it."""
    queue: _Queue = widget.__dict__.setdefault(_QUEUE, _Queue())
    queue.waiting.append(record)
    # After a release something may have come in that its thread has left to us.
    while queue.waiting and queue.turn.acquire(blocking=False):
        try:
            _apply_waiting(widget, queue)
        finally:
            queue.turn.release()


def clear(widget: Output, *, wait: bool) -> None:
    """Take every output away; with *wait* only when the next one comes."""
    append(widget, {"output_type": "clear_output", "wait": wait})


def _apply_waiting(widget: Output, queue: _Queue) -> None:
    outputs = list(widget.outputs)
    while queue.waiting:
        record = queue.waiting.popleft()
        if record["output_type"] == "clear_output":
            queue.clear_next = record["wait"]
            if not record["wait"]:
                outputs = []
        elif record["output_type"] == "update_display_data":
            outputs = [_updated(output, record) for output in outputs]
        else:
            if queue.clear_next:
                outputs, queue.clear_next = [], False
            _append(outputs, record)
    widget.outputs = tuple(outputs)


def _append(outputs: list[Record], record: Record) -> None:
    last = outputs[-1] if outputs else None
    if (
        record["output_type"] == "stream"
        and last is not None
        and last.get("output_type") == "stream"
        and last.get("name") == record["name"]
    ):
        # A new dict: the old one is a value that the trait has had.
        outputs[-1] = {**last, "text": last["text"] + record["text"]}
    else:
        outputs.append(record)


def _updated(output: Record, update: Record) -> Record:
    display_id = update.get("transient", {}).get("display_id")
    if display_id is None or output.get("transient", {}).get("display_id") != display_id:
        return output
    return {**output, "data": update["data"], "metadata": update["metadata"]}
