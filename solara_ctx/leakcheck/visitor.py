"""A page without a browser: connects to a kernel as a browser's page does, uses what it is shown, and leaves.

It speaks the Jupyter protocol and keeps nothing but JSON: what it knows of a widget is what a browser knows.  So it
can't be what keeps a widget alive.
"""

import asyncio
import itertools
import json
import struct
import uuid
from collections.abc import Iterator

from solara_ctx.leakcheck.gestures import Json, gestures

_PAGE_COMM, _CONTROL_COMM = "solara_ctx.page", "jupyter.widget.control"
_CONTROL_VERSION = "1.0.0"


class PageFailed(Exception):
    """The page function has raised."""


class NoAnswer(Exception):
    """The kernel did not answer in time."""


class Inbox:
    """What the kernel has sent to one page.  Implements `ports.Sink`."""

    subprotocol: str | None = None
    hears_widgets = is_listening = True
    outlives_connection = False
    queued_frames = 0
    queued_bytes = 0
    replay_bytes = 0

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._idle: set[str] = set()
        self._came = asyncio.Event()
        self.page: Json | None = None
        """What the page function has shown, or how it has failed."""
        self.states: Json = {}
        """What the page knows of the widgets, by model id."""
        self.errors: list[str] = []
        """What went wrong in callbacks."""

    def put(self, frame: str | bytes) -> None:
        """Take a frame; any thread."""
        # The text is decoded here and now: a frame may hold buffers that belong to somebody.
        text = frame if isinstance(frame, str) else _text_of(frame)
        self._loop.call_soon_threadsafe(self._take, text)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self, code: int, reason: str) -> None:
        """The kernel has ended."""

    async def idle_after(self, request: str, timeout_s: float) -> None:
        """Wait until the kernel has dealt with a request.

        Raises:
            NoAnswer: it took too long.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while request not in self._idle:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise NoAnswer(f"the page did not answer within {timeout_s:g} s; is a callback of it blocked?") from None

    async def shown(self, timeout_s: float) -> None:
        """Wait until the page function has run.

        Raises:
            NoAnswer: it took too long.
            PageFailed: it has raised.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while self.page is None:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise NoAnswer(f"the page function did not return within {timeout_s:g} s") from None
        if self.page.get("status") != "ok":
            error = _part(self.page, "error")
            raise PageFailed(str(error.get("traceback") or f"{error.get('ename')}: {error.get('evalue')}"))

    def _take(self, text: str) -> None:
        message: object = json.loads(text)
        kind, content = _part(message, "header").get("msg_type"), _part(message, "content")
        data = _part(content, "data")
        if kind == "status" and content.get("execution_state") == "idle":
            self._idle.add(str(_part(message, "parent_header").get("msg_id")))
        elif kind == "error":
            self.errors.append(_error_text(content))
        elif kind == "comm_msg" and "run" in data:
            self.page = data
        elif kind == "comm_msg" and data.get("method") == "update_states":
            self.states = _part(data, "states")
        self._came.set()


class Visitor:
    """What a page in a browser does, by itself.  On the loop that its inbox was made for.

    Args:
        send: Hands a frame to the kernel.
        inbox: Where the answers come.
        timeout_s: How long an answer may take.
    """

    def __init__(self, inbox: Inbox, timeout_s: float) -> None:
        self._inbox = inbox
        self._timeout_s = timeout_s
        self._control = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._used: set[str] = set()

    def arrival(self) -> list[str]:
        """The frames that a page begins with: it asks what to show."""
        opened = self._frame("comm_open", {"comm_id": uuid.uuid4().hex, "target_name": _PAGE_COMM, "data": {}})[1]
        control: Json = {"comm_id": self._control, "target_name": _CONTROL_COMM, "data": {}}
        return [opened, self._frame("comm_open", control, version=_CONTROL_VERSION)[1]]

    def look(self) -> tuple[str, str]:
        """The request for the state of all widgets: its id, and the frame."""
        return self._frame("comm_msg", {"comm_id": self._control, "data": {"method": "request_states"}})

    def actions(self) -> Iterator[tuple[str, str]]:
        """Each thing to do with what is there and was not used so far: the id of the message, and the frame."""
        fresh = [model_id for model_id in self._inbox.states if model_id not in self._used]
        self._used.update(fresh)
        for model_id in fresh:
            model = _part(self._inbox.states, model_id)
            for data in gestures(str(model.get("model_name")), _part(model, "state")):
                yield self._frame("comm_msg", {"comm_id": model_id, "data": data})

    def _frame(self, kind: str, content: Json, **metadata: str) -> tuple[str, str]:
        message_id = f"visitor-{next(self._numbers)}"
        header = {
            "msg_id": message_id,
            "msg_type": kind,
            "session": self._control,
            "username": "",
            "date": "2025-01-01T00:00:00Z",
            "version": "5.3",
        }
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": metadata, "content": content}
        return message_id, json.dumps(message)


def _error_text(content: Json) -> str:
    trace = content.get("traceback")
    lines = [str(line) for line in trace] if isinstance(trace, list) else []
    return "\n".join(lines) or f"{content.get('ename')}: {content.get('evalue')}"


def _part(whole: object, name: str) -> Json:
    """The object of that name in a JSON object; empty where there is none."""
    part = whole.get(name) if isinstance(whole, dict) else None
    return part if isinstance(part, dict) else {}


def _text_of(frame: bytes) -> str:
    """The JSON of a message with buffers, in Jupyter's default framing: a count, so many offsets, the parts."""
    (count,) = struct.unpack_from("!I", frame)
    offsets = struct.unpack_from(f"!{count}I", frame, 4)
    return str(memoryview(frame)[offsets[0] : offsets[1] if count > 1 else None], "utf-8")
