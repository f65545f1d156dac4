"""`with Output():` on the server: what is printed and displayed inside becomes state of the widget.

Upstream leaves the capture to the browser, which then holds the only copy: another page, or the same page after a
lost connection, shows an empty output.  Here the widget's `outputs` trait is the copy.
"""

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
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
# What one output may cost its pages: each change sends all there is, so what is large may change less often.
_SMALL_CHARACTERS = 10_000
_CHARACTERS_PER_S = 1_000_000

_now = time.monotonic


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
        self.next_sync = 0.0
        self.timer = False


def append(widget: Output, record: Record, *, later: bool = False) -> None:
    """Append one output to a widget; text to the same stream as before is merged into it.

    Args:
        widget: Where to.
        record: An output as notebooks store it.
        later: Let it wait for the next one, or for `synced`.
    """
    queue = _queue(widget)
    queue.waiting.append(record)
    if not later:
        _sync(widget, queue)


def clear(widget: Output, *, wait: bool) -> None:
    """Take every output away; with *wait* only when the next one comes."""
    queue = _queue(widget)
    if not wait:
        queue.next_sync = 0.0
    append(widget, {"output_type": "clear_output", "wait": wait})


def synced(widget: Output) -> None:
    """Let no output wait for the next one."""
    _sync(widget, _queue(widget))


def _queue(widget: Output) -> _Queue:
    queue: _Queue = widget.__dict__.setdefault(_QUEUE, _Queue())
    return queue


def _sync(widget: Output, queue: _Queue) -> None:
    # After a release something may have come in that its thread has left to us.
    while queue.waiting and queue.turn.acquire(blocking=False):
        try:
            delay_s = queue.next_sync - _now()
            if delay_s > 0:
                _sync_after(widget, queue, delay_s)
                return
            _apply_waiting(widget, queue)
        finally:
            queue.turn.release()


def _sync_after(widget: Output, queue: _Queue, delay_s: float) -> None:
    """Sync soon.  The queue's turn is ours."""
    if not queue.timer:
        queue.timer = True
        _call_after(delay_s, partial(_sync_late, weakref.ref(widget)))


def _call_after(delay_s: float, function: Callable[[], None]) -> None:
    timer = threading.Timer(delay_s, function)
    timer.daemon = True
    timer.start()


def _sync_late(reference: "weakref.ref[Output]") -> None:
    widget = reference()
    if widget is None:
        return
    queue = _queue(widget)
    queue.timer = False
    try:
        _sync(widget, queue)
    except Exception as error:  # noqa: BLE001 - of an observer; it has no other caller to end up with
        host = widget.comm.host if isinstance(widget.comm, KernelComm) else None
        if host is not None:
            host.reporter.user_error(error, "an observer of an Output")


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
    size = sum(map(_size, outputs))
    queue.next_sync = _now() + size / _CHARACTERS_PER_S if size > _SMALL_CHARACTERS else 0.0
    widget.outputs = tuple(outputs)


def _append(outputs: list[Record], record: Record) -> None:
    if record["output_type"] != "stream":
        outputs.append(record)
        return
    last = outputs[-1] if outputs else {}
    before = ""
    if (last.get("output_type"), last.get("name")) == ("stream", record["name"]):
        before = outputs.pop()["text"]
    # A new dict: the old one is a value that the trait has had.
    outputs.append({**record, "text": _joined(before, record["text"])})


def _joined(text: str, more: str) -> str:
    """Text with more of it: where a carriage return overwrites a line, as progress bars do, only what is left."""
    if "\r" not in more and not text.endswith("\r"):
        return text + more
    head, newline, line = text.rpartition("\n")
    *lines, last = (line + more).split("\n")
    shown = [_overwritten(line).rstrip("\r") for line in lines]
    return f"{head}{newline}{chr(10).join([*shown, _overwritten(last)])}"


def _overwritten(line: str) -> str:
    shown = ""
    for piece in line.split("\r"):
        shown = piece + shown[len(piece) :]
    return f"{shown}\r" if line.endswith("\r") else shown


def _updated(output: Record, update: Record) -> Record:
    display_id = update.get("transient", {}).get("display_id")
    if display_id is None or output.get("transient", {}).get("display_id") != display_id:
        return output
    return {**output, "data": update["data"], "metadata": update["metadata"]}


def _size(output: Record) -> int:
    data = output.get("data", {})
    return len(output.get("text", "")) + sum(len(value) for value in data.values() if isinstance(value, str))
