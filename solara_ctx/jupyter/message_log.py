"""`SOLARA_DEBUG`: a line in the log for each message between pages and kernels, of which nothing can be learnt but how
much is said about what.

What a page or user code has said is never part of it: of each word only whether it is one of those below.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from comm.base_comm import BaseComm

from solara_ctx.errors import redact
from solara_ctx.jupyter import outputs
from solara_ctx.jupyter.comms import WIDGET
from solara_ctx.jupyter.origins import ORIGIN
from solara_ctx.jupyter.targets import CONTROL, PAGE
from solara_ctx.jupyter.upload import UPLOAD
from solara_ctx.jupyter.wire import CHANNELS, Buffer

log = logging.getLogger("solara_ctx.messages")

_TYPES = frozenset(
    {
        "clear_output",
        "comm_close",
        "comm_info_reply",
        "comm_info_request",
        "comm_msg",
        "comm_open",
        "display_data",
        "error",
        "execute_request",
        "execute_result",
        "interrupt_reply",
        "interrupt_request",
        "kernel_info_reply",
        "kernel_info_request",
        "shutdown_reply",
        "shutdown_request",
        "status",
        "stream",
        "update_display_data",
    }
)
_TARGETS = frozenset({WIDGET, CONTROL, "jupyter.widget.version", PAGE, ORIGIN, UPLOAD})
_METHODS = frozenset(["update", "echo_update", "request_state", "custom", "request_states", "update_states", "page"])
_CHANNELS = CHANNELS | {"iopub", "stdin"}
_OTHER = "other"
Json = Mapping[str, Any]


class MessageLog:
    """Writes the lines of one kernel.  Any thread.

    Args:
        kernel_id: Shown redacted.
        comms: The open comms of the kernel.
        widgets: Its widgets, whose classes are named.
    """

    def __init__(self, kernel_id: str, comms: Mapping[str, BaseComm], widgets: Mapping[str, object]) -> None:
        self._kernel = redact(kernel_id)
        self._comms = comms
        self._widgets = widgets

    def came(self, page_id: str, message: Json, size: int) -> None:
        """A page has sent a message, in a frame of *size* bytes."""
        if log.isEnabledFor(logging.DEBUG):
            self._write(
                f"<- page {redact(page_id)}", str(message["channel"]), message, size, message.get("buffers", ())
            )

    def malformed(self, page_id: str, size: int) -> None:
        """A page has sent a frame that is none."""
        if log.isEnabledFor(logging.DEBUG):
            with outputs.suspended():
                log.debug("kernel %s <- page %s: a malformed frame, %d B", self._kernel, redact(page_id), size)

    def went(self, pages: Sequence[str], channel: str, message: Json, size: int, buffers: Sequence[Buffer]) -> None:
        """A message was sent to those pages, in frames of *size* bytes."""
        if log.isEnabledFor(logging.DEBUG):
            to = f"-> page {redact(pages[0])}" if len(pages) == 1 else f"-> {len(pages)} pages"
            self._write(to, channel, message, size, buffers)

    def _write(self, whom: str, channel: str, message: Json, size: int, buffers: Sequence[Buffer]) -> None:
        what = " ".join(self._words(message))
        parts = ""
        if buffers:
            many = "a buffer" if len(buffers) == 1 else f"{len(buffers)} buffers"
            parts = f" with {many} of {sum(memoryview(each).nbytes for each in buffers)} B"
        # Its handler may well write to sys.stderr, which could be captured, and would be the next message.
        with outputs.suspended():
            log.debug("kernel %s %s: %s %s, %d B%s", self._kernel, whom, _known(channel, _CHANNELS), what, size, parts)

    def _words(self, message: Json) -> list[str]:
        msg_type: object = message["header"]["msg_type"]
        words = [_known(msg_type, _TYPES)]
        content: object = message["content"]
        if not words[0].startswith("comm_") or not isinstance(content, Mapping):
            return words
        comm_id: object = content.get("comm_id")
        comm = self._comms.get(comm_id) if isinstance(comm_id, str) else None
        target: object = content.get("target_name") if comm is None else comm.target_name
        if target is not None:
            words.append(_known(target, _TARGETS))
        widget = self._widgets.get(comm_id) if isinstance(comm_id, str) else None
        if widget is not None:
            words.append(type(widget).__name__)
        data: object = content.get("data")
        if isinstance(data, Mapping) and "method" in data:
            words.append(_known(data["method"], _METHODS))
        return words


def _known(word: object, words: frozenset[str]) -> str:
    return word if isinstance(word, str) and word in words else _OTHER


def show_messages() -> Callable[[], None]:
    """Have the lines written, wherever the log goes; on standard error where it goes nowhere yet.  Any thread.

    Where somebody has given this log a level, that holds.

    Returns:
        Leaves everything as it was; harmless to call twice.
    """
    if log.level != logging.NOTSET:
        return lambda: None
    log.setLevel(logging.DEBUG)
    handler = None if log.hasHandlers() else logging.StreamHandler()
    if handler is not None:
        handler.setFormatter(logging.Formatter("%(levelname)s:    %(message)s"))
        log.addHandler(handler)

    def restore() -> None:
        log.setLevel(logging.NOTSET)
        if handler is not None:
            log.removeHandler(handler)

    return restore
