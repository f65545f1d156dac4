"""The Session of a hosted kernel: what kernel code sends becomes frames for the pages.

A Jupyter `Session` writes to zmq sockets.  Here the place of a socket is taken by a marker that says whom a message
is for: `IOPUB` for every page, `ToPage` for one.
"""

import itertools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from jupyter_client._version import protocol_version
from jupyter_client.session import Session, extract_header
from traitlets import Bool, CBytes, Integer, Unicode

from solara_ctx.jupyter import wire
from solara_ctx.ports import Sink

if TYPE_CHECKING:
    from solara_ctx.jupyter.message_log import MessageLog

parent_header: ContextVar[Mapping[str, Any]] = ContextVar("solara_ctx.parent_header", default=MappingProxyType({}))
"""The header of the message that is being handled here.

One variable for all kernels: ipykernel and IPython make one or more per kernel and shell, and each leaves its
entry behind in the contextvars of whoever made the kernel.
"""


_USERNAME = "kernel"


class IOPub:
    """The marker of the channel that every page hears."""

    def __repr__(self) -> str:
        return "IOPUB"


class Widgets:
    """The marker of that channel for what concerns widgets: for pages that will ask for the states of them all, it
    would be the same once more.
    """

    def __repr__(self) -> str:
        return "WIDGETS"


class Later:
    """The marker for the pages to which `WIDGETS` does not go yet."""

    def __repr__(self) -> str:
        return "LATER"


IOPUB = IOPub()
WIDGETS = Widgets()
LATER = Later()


@dataclass(frozen=True, slots=True)
class ToPage:
    """The marker for one page only."""

    page_id: str
    channel: str


Stream = IOPub | Widgets | Later | ToPage | None
# Takes output away before it is sent; says whether it did.
Capture = Callable[[str, Mapping[str, Any]], bool]


class KernelSession(Session):
    """Numbers and frames messages, and hands them to the connected pages.  `send` is safe from any thread.

    Args:
        capture: Is asked first about each message on `IOPUB`.
    """

    username = Unicode(_USERNAME)
    key = CBytes(b"")
    check_pid = Bool(default_value=False)
    pid = Integer()
    none = b"{}"

    def __init__(self, capture: Capture) -> None:
        # Neither Session.__init__, which tries its packers out and warns that nothing is signed (nothing has to be, no
        # message crosses a process border unless the websocket carries it), nor Configurable.__init__, which walks
        # through all traits for a configuration that nobody gives.
        self._capture: Capture | None = capture
        self._numbers = itertools.count()
        self._name = os.urandom(16).hex()  # also at hand as a trait, which takes ten times as long to read
        # Replaced as a whole on the event loop, read by any thread.
        self._sinks: Mapping[str, Sink] = {}
        self.message_log: MessageLog | None = None
        """Has a line for each message that is sent, in debug mode."""
        self.hearing = threading.RLock()
        """Held while something of widgets is sent, and while a page begins to hear of them.  A finalizer may send."""

    def _session_default(self) -> str:
        self.bsession = self._name.encode()
        return self._name

    def _key_default(self) -> bytes:
        return b""

    def _pid_default(self) -> int:
        return os.getpid()  # when somebody asks: a server may fork after it has imported this

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """Where to send, by page."""
        return self._sinks

    def connect(self, page_id: str, sink: Sink) -> None:
        """Send to that page too; its older sink is forgotten.  Loop only."""
        self._sinks = {**self._sinks, page_id: sink}

    def hear_widgets(self, page_id: str) -> None:
        """From now on that page hears of widgets.  Holding `hearing`."""
        sink = self._sinks.get(page_id)
        if sink is not None:
            sink.hears_widgets = True

    def disconnect(self, page_id: str, sink: Sink) -> None:
        """Stop sending to that sink, if it is still the newest of its page.  Loop only."""
        if self._sinks.get(page_id) is sink:
            self._sinks = {page: other for page, other in self._sinks.items() if page != page_id}

    def sever(self) -> None:
        """Forget every page; what is sent from now on is dropped."""
        self._sinks = {}
        self._capture = self.message_log = None

    @property
    def msg_id(self) -> str:
        """A fresh id.  Upstream counts with `+= 1`, which two threads do to the same number."""
        return f"{self._name}_{next(self._numbers)}"

    def msg_header(self, msg_type: str) -> dict[str, Any]:
        """A header whose date is a string already."""
        return {
            "msg_id": f"{self._name}_{next(self._numbers)}",
            "msg_type": msg_type,
            "username": _USERNAME,
            "session": self._name,
            "date": f"{datetime.now(UTC).isoformat()[:-6]}Z",
            "version": protocol_version,
        }

    def send(  # type: ignore[override]  # noqa: PLR0917 - upstream's signature, but a marker for a socket
        self,
        stream: Stream,
        msg_or_type: dict[str, Any] | str,
        content: dict[str, Any] | None = None,
        parent: Mapping[str, Any] | None = None,
        ident: object = None,  # noqa: ARG002 - upstream's signature
        buffers: Sequence[wire.Buffer] | None = None,
        track: bool = False,  # noqa: ARG002, FBT001, FBT002 - upstream's signature
        header: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Send a message to the pages that *stream* stands for, framed once per subprotocol in use.

        Args:
            stream: `IOPUB`, `WIDGETS`, `LATER`, `ToPage` or nobody.
            msg_or_type: The whole message, or its type.
            content: As for Jupyter's own.
            parent: The message or header that this one answers; the one that is being handled here when `None`.
            ident: Of no use without sockets.
            buffers: Binary parts, not copied before they are framed.
            track: Of no use without sockets.
            header: Another header than a fresh one.
            metadata: As for Jupyter's own.

        Returns:
            The message; `None` when a `with Output():` has taken it.

        Raises:
            TypeError: the content can't be written as JSON.
        """
        if isinstance(msg_or_type, str):
            message = {
                "header": self.msg_header(msg_or_type) if header is None else header,
                "parent_header": dict(parent_header.get()) if parent is None else extract_header(parent),  # type: ignore[arg-type]
                "content": {} if content is None else content,
                "metadata": metadata or {},
            }
        else:
            message = msg_or_type
            buffers = buffers or cast("Sequence[wire.Buffer] | None", message.get("buffers"))
        if isinstance(stream, IOPub):
            capture = self._capture
            if capture is not None and capture(message["header"]["msg_type"], message["content"]):
                return None
            self._put("iopub", message, buffers or (), tuple(self._sinks.values()))
        elif isinstance(stream, Widgets):
            self._put_widgets(message, buffers or ())
        elif isinstance(stream, Later):
            later = tuple(sink for sink in self._sinks.values() if not sink.hears_widgets)
            self._put("iopub", message, buffers or (), later)
        elif isinstance(stream, ToPage):
            sink = self._sinks.get(stream.page_id)
            if sink is not None:
                self._put(stream.channel, message, buffers or (), (sink,))
        return message

    def _put_widgets(self, message: dict[str, Any], buffers: Sequence[wire.Buffer]) -> None:
        sinks = tuple(self._sinks.values())
        hearing = tuple(sink for sink in sinks if sink.hears_widgets and sink.is_listening)
        self._put("iopub", message, buffers, hearing)
        if sinks and not hearing:
            # So that what can't be sent is an error of the line that made it, and not of the page's question.
            wire.check(message["content"])

    def _put(
        self, channel: str, message: dict[str, Any], buffers: Sequence[wire.Buffer], sinks: Sequence[Sink]
    ) -> None:
        frames: dict[str | None, str | bytes] = {}
        for sink in sinks:
            if not sink.is_listening:
                continue
            subprotocol = sink.subprotocol
            frame = frames.get(subprotocol)
            if frame is None:
                frame = frames[subprotocol] = wire.encode(subprotocol, channel, message, buffers)
            sink.put(frame)
        if self.message_log is not None and frames:
            pages = [page_id for page_id, sink in self._sinks.items() if sink in sinks]
            self.message_log.went(pages, channel, message, max(map(len, frames.values())), buffers)
