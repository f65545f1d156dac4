"""What an Output widget shows, as the value of its `outputs` trait: they come from any thread, large ones seldom.

The records are those of notebooks: https://nbformat.readthedocs.io/en/latest/format_description.html#code-cell-outputs.
Whatever else there is, a page has set, or user code: it stays as it is, and disturbs nobody who prints.
"""

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from ipywidgets import Output

from solara_ctx.jupyter.comms import KernelComm

Record = dict[str, Any]


class Bound(NamedTuple):
    """How much an Output keeps; of what is more, the oldest half goes at once, so that this is seldom."""

    characters: int
    outputs: int
    waiting: int
    """So many writes may wait for the next change."""
    interval_s: float
    """At least so long from one change to the next."""


_QUEUE = "_solara_ctx_outputs"
# What one output may cost its pages: each change sends all there is, so what is large may change less often.
_SMALL_CHARACTERS = 10_000
_CHARACTERS_PER_S = 1_000_000

_DROPPED: Record = {
    "output_type": "display_data",
    "data": {"text/plain": "[There was more; only the newest is kept.]"},
    "metadata": {},
}

_now = time.monotonic


class _Queue:
    """Outputs on their way into the trait.  Any thread.

    One thread at a time applies what waits, and the others leave their output to it: the trait is read, changed and
    written without a lock, as setting it calls observers, user code that may wait for a lock of its own.
    """

    def __init__(self, bound: Bound | None = None) -> None:
        self.bound = bound
        self.waiting: deque[Record] = deque(maxlen=None if bound is None else bound.waiting)
        self.overflown = False
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
    queue.overflown |= len(queue.waiting) == queue.waiting.maxlen
    queue.waiting.append(record)
    if not later:
        _sync(widget, queue)


def keep_at_most(widget: Output, bound: Bound) -> None:
    """Let a new Output keep no more than *bound*."""
    widget.__dict__[_QUEUE] = _Queue(bound)


def clear(widget: Output, *, wait: bool) -> None:
    """Take every output away; with *wait* only when the next one comes."""
    queue = _queue(widget)
    if not wait:
        queue.next_sync = 0.0
    append(widget, {"output_type": "clear_output", "wait": wait})


def synced(widget: Output) -> None:
    """Let no output wait for the next one."""
    _sync(widget, _queue(widget))


def shows(widget: Output, display_id: str | None) -> bool:
    """Whether something with that display id is in a widget, or about to be."""
    return any(_display_id(record) == display_id for record in (*_queue(widget).waiting.copy(), *widget.outputs))


def _display_id(record: Record) -> str | None:
    transient = record.get("transient")
    return transient.get("display_id") if isinstance(transient, dict) else None


def _queue(widget: Output) -> _Queue:
    queue: _Queue = widget.__dict__.setdefault(_QUEUE, _Queue())
    return queue


def _sync(widget: Output, queue: _Queue) -> None:
    # After a release something may have come in that its thread has left to us.
    while queue.waiting and queue.turn.acquire(blocking=False):
        try:
            delay_s = queue.next_sync - _now()
            if delay_s <= 0:
                _apply_waiting(widget, queue)
            else:
                _sync_after(widget, queue, delay_s)
        finally:
            queue.turn.release()
        # Looked at without the turn: one that has gone off meanwhile has found it taken, and leaves it to us.
        if queue.timer:
            return


def _sync_after(widget: Output, queue: _Queue, delay_s: float) -> None:
    """Sync soon.  The queue's turn is ours."""
    if queue.timer:
        return
    queue.timer = True
    try:
        _call_after(delay_s, partial(_sync_late, weakref.ref(widget)))
    except RuntimeError:  # the system has no more threads to give
        queue.timer = False
        raise


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
    overflown, queue.overflown = queue.overflown, False
    outputs = [_DROPPED] if overflown else list(widget.outputs)
    for record in _merged(queue.waiting):
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
    bound = queue.bound
    if bound is not None and (size > bound.characters or len(outputs) > bound.outputs):
        outputs = _newest(outputs, bound)
        size = sum(map(_size, outputs))
    delay_s = size / _CHARACTERS_PER_S if size > _SMALL_CHARACTERS else 0.0
    if bound is not None:
        delay_s = max(delay_s, bound.interval_s)
    queue.next_sync = _now() + delay_s if delay_s else 0.0
    widget.outputs = tuple(outputs)


def _merged(waiting: deque[Record]) -> Iterator[Record]:
    """Take out what waits; text to one stream at once: joined write by write, it would be copied each time."""
    while waiting:
        record = waiting.popleft()
        if record["output_type"] == "stream":
            texts = [record["text"]]
            while waiting and waiting[0].get("name") == record["name"]:
                texts.append(waiting.popleft()["text"])
            record = {**record, "text": "".join(texts)}
        yield record


def _newest(outputs: list[Record], bound: Bound) -> list[Record]:
    """The newest half of what may be kept, and a word that there was more; the very newest is kept in any case."""
    kept: list[Record] = []
    room = bound.characters // 2
    for output in reversed(outputs[-bound.outputs // 2 :]):
        size = _size(output)
        if size > room and _is_stream(output):
            _, _, end = output["text"][-room - 1 :].partition("\n")
            kept.append({**output, "text": end or output["text"][-room:]})
        elif size <= room or not kept:
            kept.append(output)
        room -= size
        if room <= 0:
            break
    return [_DROPPED, *reversed(kept)]


def _append(outputs: list[Record], record: Record) -> None:
    if record["output_type"] != "stream":
        # What the message of a display has beside the output, and only the id to update it by is needed on.
        outputs.append({name: value for name, value in record.items() if name != "transient" or value})
        return
    before = ""
    if outputs and _is_stream(outputs[-1]) and outputs[-1].get("name") == record["name"]:
        before = outputs.pop()["text"]
    # A new dict: the old one is a value that the trait has had.
    outputs.append({**record, "text": _joined(before, record["text"])})


def _is_stream(output: Record) -> bool:
    return output.get("output_type") == "stream" and isinstance(output.get("text"), str)


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
    display_id = _display_id(update)
    if display_id is None or _display_id(output) != display_id:
        return output
    return {**output, "data": update["data"], "metadata": update["metadata"]}


def _size(output: Record) -> int:
    data, traceback = output.get("data"), output.get("traceback")
    texts = (
        output.get("text", ""),
        *(traceback if isinstance(traceback, list | tuple) else ()),
        *(data.values() if isinstance(data, dict) else ()),
    )
    return sum(len(text) if isinstance(text, str) else len(str(text)) for text in texts)
