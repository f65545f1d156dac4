"""Stand-ins for what surrounds a KernelHost: the context that it belongs to, and pages that it sends to."""

import contextvars
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import ipywidgets as widgets

from solara_ctx import current, patching
from solara_ctx.jupyter import KernelHost, PageLimits, Printed, wire
from solara_ctx.kernel_var import KernelValues
from solara_ctx.patching import streams

T = TypeVar("T")
_ON_SERVER, _LIMITS = Printed(), PageLimits()
_numbers = itertools.count(1)
Json = dict[str, Any]


class StandInContext:
    """As much of a VirtualKernelContext as the patches see."""

    def __init__(
        self,
        *,
        kernel_id: str = "kernel-for-a-test",
        debug: bool = False,
        printed: Printed = _ON_SERVER,
        limits: PageLimits = _LIMITS,
    ) -> None:
        self.shutdowns: list[bool] = []
        self._handle = current.Handle(cast("Any", self), kernel_id)
        self.host: KernelHost | None = KernelHost(
            self._handle,
            kernel_id=kernel_id,
            debug=debug,
            on_shutdown=self.shutdowns.append,
            printed=printed,
            limits=limits,
        )
        self._prints_to_page = printed.to_page
        self.kernel_values = KernelValues()
        self._variables = contextvars.Context()
        self._variables.run(current.bind, self._handle)

    def handle(self) -> current.Handle:
        """The weak handle."""
        return self._handle

    def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call *function* as a job of the kernel."""
        if self._prints_to_page:
            # pytest has replaced the streams since the patches were applied.
            streams.capture_current_streams()
        return self._variables.run(function, *args, **kwargs)

    @property
    def living_host(self) -> KernelHost:
        """The host, before `close`."""
        assert self.host is not None
        return self.host

    def close(self) -> None:
        """The teardown's steps that concern the host, in their order."""
        host = self.host
        if host is not None:
            self.run(host.close_app)
            self.run(host.close_widgets)
            self.run(host.close_kernel)
            self.host = None
            self._handle.sever()
            self._variables = contextvars.Context()


class RecordingSink:
    """A page's connection that keeps what it is sent."""

    def __init__(self, subprotocol: str | None = None, *, hears_widgets: bool = True) -> None:
        self.subprotocol = subprotocol
        self.hears_widgets = hears_widgets
        self.is_listening, self.outlives_connection = True, False
        self.frames: list[str | bytes] = []
        self.closed: tuple[int, str] | None = None
        self.queued_frames = self.queued_bytes = self.replay_bytes = self.flushed = 0

    def put(self, frame: str | bytes) -> None:
        """Keep a frame."""
        self.frames.append(frame)

    def flush(self) -> None:
        """Count how often something was complete."""
        self.flushed += 1

    def close(self, code: int, reason: str) -> None:
        """Keep why the connection ended."""
        self.closed = (int(code), reason)


def decode(frame: str | bytes) -> Json:
    """Take apart a frame of the server, which `wire.decode` would not let a page send."""
    if isinstance(frame, str):
        return cast("Json", json.loads(frame))
    view = memoryview(frame)
    parts = wire._split_v1(view)
    if parts is not None:
        message = {
            name: json.loads(bytes(part))
            for name, part in zip(("header", "parent_header", "metadata", "content"), parts[1:5], strict=True)
        }
        return {**message, "channel": str(parts[0], "utf-8"), "buffers": [bytes(part) for part in parts[5:]]}
    parts = wire._split_default(view)
    assert parts is not None
    return {**json.loads(bytes(parts[0])), "buffers": [bytes(part) for part in parts[1:]]}


class Page:
    """A browser page, seen from the server."""

    def __init__(
        self,
        context: StandInContext,
        page_id: str = "page-1",
        subprotocol: str | None = None,
        *,
        hears_widgets: bool = True,
    ) -> None:
        self.id = page_id
        self.sink = RecordingSink(subprotocol, hears_widgets=hears_widgets)
        self._context = context
        context.living_host.connect(page_id, self.sink)

    def send_frame(self, frame: str | bytes) -> None:
        """Let the kernel handle a frame of this page."""
        self._context.run(self._context.living_host.receive, self.id, frame)

    def send_parts(self, message: Json, buffers: Iterable[bytes]) -> None:
        """Let the kernel handle a message of this page that has binary parts."""
        parts = (json.dumps(message[name]).encode() for name in ("header", "parent_header", "metadata", "content"))
        self.send_frame(wire._join_v1([b"shell", *parts, *buffers]))

    def ask(self, msg_type: str, content: Json | None = None, **more: Any) -> list[Json]:
        """Send a message; what came back since the last time, busy and idle left out."""
        self.send_frame(request(msg_type, content, **more))
        return self.heard()

    def open(self, target: str, comm_id: str, data: Json | None = None, **more: Any) -> list[Json]:
        """Open a comm."""
        return self.ask("comm_open", {"comm_id": comm_id, "target_name": target, "data": data or {}}, **more)

    def say(self, comm_id: str, data: Json, **more: Any) -> list[Json]:
        """Send a message on a comm."""
        return self.ask("comm_msg", {"comm_id": comm_id, "data": data}, **more)

    def states(self) -> Json:
        """The state of all widgets by model id, as a page loads it."""
        comm_id = f"control-{next(_numbers)}"
        self.open("jupyter.widget.control", comm_id, metadata={"version": "1.0.0"})
        (answer,) = (
            message["content"]["data"]
            for message in self.say(comm_id, {"method": "request_states"})
            if message["content"].get("comm_id") == comm_id
        )
        return cast("Json", answer["states"])

    def heard(self, *, statuses: bool = False) -> list[Json]:
        """What was sent to this page since the last time."""
        messages = [decode(frame) for frame in self.sink.frames]
        self.sink.frames.clear()
        return [message for message in messages if statuses or message["header"]["msg_type"] != "status"]


def message_of(msg_type: str, content: Json | None = None, **more: Any) -> Json:
    """A message as a page sends it."""
    return {
        "channel": more.get("channel", "shell"),
        "header": {
            "msg_id": f"message-{next(_numbers)}",
            "msg_type": msg_type,
            "session": "page",
            "username": "",
            "date": "2025-01-01T00:00:00Z",
            "version": "5.3",
        },
        "parent_header": {},
        "metadata": more.get("metadata", {}),
        "content": content or {},
    }


def request(msg_type: str, content: Json | None = None, **more: Any) -> str:
    """A message as a page frames it."""
    return json.dumps(message_of(msg_type, content, **more))


def types_of(messages: list[Json]) -> list[str]:
    """The message types."""
    return [message["header"]["msg_type"] for message in messages]


def every_core_widget() -> list[Any]:
    """One of each widget that ipywidgets brings along."""
    wants_arguments: dict[str, Callable[[], Any]] = {
        "GridspecLayout": lambda: widgets.GridspecLayout(2, 2),
        "interactive": lambda: widgets.interactive(lambda x: x, x=3),
        "SelectionSlider": lambda: widgets.SelectionSlider(options=["a", "b"]),
        "SelectionRangeSlider": lambda: widgets.SelectionRangeSlider(options=["a", "b"]),
        "Link": lambda: widgets.jslink((widgets.IntSlider(), "value"), (widgets.IntText(), "value")),
        "DirectionalLink": lambda: widgets.jsdlink((widgets.IntSlider(), "value"), (widgets.IntText(), "value")),
    }
    classes = {item for item in vars(widgets).values() if isinstance(item, type) and issubclass(item, widgets.Widget)}
    return [
        wants_arguments.get(cls.__name__, cls)()
        for cls in sorted(classes, key=lambda cls: cls.__name__)
        if cls.__name__ not in {"Widget", "CoreWidget"}
    ]


def fail(*_: object) -> None:
    """A callback that raises.

    Raises:
        LookupError: always.
    """
    raise LookupError("list index out of range")


@contextmanager
def patched() -> Iterator[None]:
    """The patches are in place."""
    patching.acquire()
    try:
        yield
    finally:
        patching.release()
