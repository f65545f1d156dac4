"""The websocket of uvicorn, for pages that get many small messages at a time: `uvicorn --ws` takes it by its name.

    uvicorn --ws solara_ctx.web.uvicorn_ws:PageWebSocket app:app

It differs from `--ws websockets-sansio`, which it is made of, in fourteen things.  What an application sends in one
turn of the event loop leaves in one write, at the turn's end or when the application says so (`solara_ctx.flush`, an
extension of the scope): one system call, and mostly one packet, for the four frames that answer a click.  Small frames
are framed in place, large ones sent in pieces, as they are taken.  Reading is stopped only where messages really pile
up.  Compression goes by size: a small frame is not worth it, and no connection keeps a compressor for the next one.
Pings, and the ends of connections when the server stops, are spread over time, and an application can set how often
pings come (`solara_ctx.keepalive`).  And six for those who mean no good: text that is no UTF-8 is no error of the
server's, a message has an end to its pieces, one who reads no answers gets none to a ping, a handshake that can't be
read is answered, little is read at a time, and one who sends on after the end is not read any more.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import cast
from weakref import WeakKeyDictionary, ref

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState, PayloadTooBig
from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State
from websockets.typing import ExtensionParameter

from solara_ctx.clock import PER_TURN
from solara_ctx.lifecycle import CloseCode
from solara_ctx.web.conversation import FLUSH, KEEPALIVE

log = logging.getLogger(__name__)

COMPRESS_FROM = 4096
"""Bytes.  A smaller frame fits into three packets, and would spend more time in the compressor than it saves."""
COMPRESS_UP_TO = 1_000_000
"""Bytes.  A larger one would hold up everybody else: the event loop compresses a megabyte in about 10 ms."""
MOST_PIECES = 10_000
"""How many pieces a message may come in: upstream keeps the empty ones as well, and counts bytes only."""
_WRITE_THROUGH = 65_536
# What comes with one read is taken apart before anybody else has a turn: a page that sends small messages without end
# holds everybody up for 10 ms with asyncio's 256 KiB.
_READ_AT_ONCE = 65_536
# A page that was told the end has sent some messages meanwhile. One that goes on would be read and dropped for as long
# as upstream waits for its answer, 10 s; it is given time to read why, and then it is cut off.
_READ_AFTER_END = 65_536
_CUT_AFTER_S = 1.0
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TEXT, _BINARY, _FINAL = 0x81, 0x82, 0x80
_SHORT, _MEDIUM = 125, 0xFFFF
_EARLY = 0.25  # of the time between two pings


class Gathered:
    """A transport whose small writes of one turn of the event loop become one, and which stops reading only when more
    has come than was asked for.  Everything else is the transport's.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.below = transport
        """The transport itself."""
        self._loop = loop
        self._parts: list[bytes | memoryview] = []
        self._bytes = 0
        self._pause_asked = False
        self._paused = False

    def __getattr__(self, name: str) -> object:
        return getattr(self.below, name)

    def write(self, data: bytes | memoryview) -> None:
        """Write at the end of this turn; at once where much has come together."""
        if len(data) > _WRITE_THROUGH:
            self.flush()  # not joined with what came before: that would be a copy of it all
            self.below.write(data)
            return
        self._parts.append(data)
        self._bytes += len(data)
        if self._bytes > _WRITE_THROUGH:
            self.flush()
        elif len(self._parts) == 1:
            self._loop.call_soon(self.flush)

    def pause_reading(self) -> None:
        """Stop reading after the next read.

        The protocol pauses for each message that it has, and goes on when the application has taken it: two system
        calls per message, where hardly ever a second one waits.
        """
        self._pause_asked = True

    def resume_reading(self) -> None:
        """Go on reading."""
        self._pause_asked = False
        if self._paused:
            self._paused = False
            self.below.resume_reading()

    def has_read(self) -> None:
        """Something was read: stop now, if that was asked for before."""
        if self._pause_asked and not self._paused:
            self._paused = True
            self.below.pause_reading()

    def close(self) -> None:
        """Close after what was written."""
        self.flush()
        self.below.close()

    def flush(self) -> None:
        """Write now what there is."""
        if not self._parts:
            return
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._bytes = 0
        self.below.write(data)


class DeflateBySize(PerMessageDeflate):
    """permessage-deflate (RFC 7692), which leaves it to the sender which messages to compress."""

    def encode(self, frame: Frame) -> Frame:
        """Compress a frame, if that is worth it."""
        return super().encode(frame) if COMPRESS_FROM <= len(frame.data) <= COMPRESS_UP_TO else frame


class DeflateBySizeFactory(ServerPerMessageDeflateFactory):
    """Agrees on a compression without memory between messages: 10,000 pages would keep 10,000 compressors."""

    def __init__(self) -> None:
        super().__init__(
            server_no_context_takeover=True,
            client_no_context_takeover=True,
            compress_settings={"level": 1, "memLevel": 5},
        )

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        """Accept an offer."""
        answer, agreed = super().process_request_params(params, accepted_extensions)
        return answer, DeflateBySize(
            agreed.remote_no_context_takeover,
            agreed.local_no_context_takeover,
            agreed.remote_max_window_bits,
            agreed.local_max_window_bits,
            agreed.compress_settings,
        )


_COMPRESSION = [DeflateBySizeFactory()]  # of nobody: what is agreed on is the connection's


class PageWebSocket(WebSocketsSansIOProtocol):
    """One websocket, for `uvicorn.Config(ws=PageWebSocket)`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection begins."""
        super().connection_made(transport)
        if hasattr(transport, "max_size"):  # asyncio's own; not that of TLS
            transport.max_size = _READ_AT_ONCE
        self._left_after_end = _READ_AFTER_END
        if self.config.ws_per_message_deflate:
            self.conn.available_extensions = _COMPRESSION
        self._gathered = Gathered(self.transport, self.loop)
        self.transport = cast("asyncio.Transport", self._gathered)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        # Nothing is gathered any more; and `patching.connections` takes the transport's own cycle apart.
        self.transport = self._gathered.below
        super().connection_lost(exc)

    def handle_cont(self, event: Frame) -> None:
        """One more piece of a message has come."""
        if self.close_sent:
            return
        if len(self.frames) >= MOST_PIECES:
            self._refuse(CloseCode.POLICY, "too many pieces")
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        """A ping has come; one who takes no answers gets none, for they would pile up."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def send_receive_event_to_app(self) -> None:
        """A message is complete.  Text that is none ends the connection; upstream logs it as an error of the server."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            self.frames = [b"".join(self.frames)]
            if not _is_text(self.frames[0]):
                self._refuse(CloseCode.MALFORMED, "not UTF-8")
                return
        super().send_receive_event_to_app()

    def _refuse(self, code: int, reason: str) -> None:
        self.frames = []
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def schedule_ping(self) -> None:
        """Ping again, at a time of its own: the pings of pages that connected together, or that one pause has held up,
        would come together ever after.
        """
        after_s = max(0.0, (self.ping_interval or 0.0) - self.last_ping_rtt)
        after_s *= random.uniform(1 - _EARLY, 1)  # noqa: S311 - chance, not secrecy
        self.ping_timer = self.loop.call_later(after_s, self.send_keepalive_ping)

    def handle_parser_exception(self) -> None:
        """Something has come that ends the connection."""
        if isinstance(self.conn.parser_exc, PayloadTooBig):
            log.warning(
                "a page sent a message of more than %d bytes, and is cut off; SOLARA_WEBSOCKET_MAX_FRAME under "
                "`solara-ctx run`, else uvicorn's --ws-max-size, lets larger ones in",
                self.config.ws_max_size,
            )
        super().handle_parser_exception()

    def shutdown(self) -> None:
        """The server stops: end the connection, a few of them in each turn of the loop; all at once would take 0.2 ms
        for each.
        """
        if self.loop not in _stopping:
            _stopping[self.loop] = deque()
            self.loop.call_soon(_stop_some, self.loop)
        _stopping[self.loop].append(self)

    def handle_connect(self, event: Request) -> None:
        """A handshake asks for an answer."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"] |= {
                FLUSH: {"flush": self._gathered.flush},
                KEEPALIVE: {"set": partial(_set_keepalive, ref(self))},  # the connection has the scope
            }

    async def send(self, message: ASGISendEvent) -> None:
        """The application sends something.  A small frame has nothing to it but its length."""
        await self.writable.wait()
        if message["type"] == "websocket.send" and self._is_plainly_open():
            data = message.get("bytes")
            opcode = _BINARY
            if data is None:
                data, opcode = (message.get("text") or "").encode(), _TEXT
            size = len(data)
            if size < COMPRESS_FROM:
                self.transport.write(_head(opcode, size) + data)
                return
            if size > COMPRESS_UP_TO:
                await self._send_in_pieces(opcode, memoryview(data))
                return
        await super().send(message)

    async def _send_in_pieces(self, opcode: int, data: memoryview) -> None:
        """Send a large message as it is taken (RFC 6455 section 5.4); pings and a close may come in between.

        Upstream copies all of it three times to put the head before it, and the transport once more, to wait.
        """
        opcode &= ~_FINAL
        for start in range(0, len(data), COMPRESS_UP_TO):
            await self.writable.wait()
            if self.disconnected:
                raise ClientDisconnected
            if self.close_sent:
                return
            piece = data[start : start + COMPRESS_UP_TO]
            if start + len(piece) == len(data):
                opcode |= _FINAL
            self.transport.write(_head(opcode, len(piece)))
            self.transport.write(piece)
            opcode = 0

    def _is_plainly_open(self) -> bool:
        # The protocol object would do no more than look at its state, and log in debug mode.
        return (
            self.handshake_complete
            and not self.close_sent
            and not self.disconnected
            and self.conn.state is State.OPEN
            and not self.conn.debug
        )

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self.close_sent and not self._may_go_on(len(data)):
            return
        self._gathered.has_read()
        super().data_received(data)
        unreadable = self.conn.handshake_exc is not None and not self.handshake_initiated
        if unreadable and not self.transport.is_closing():
            # Upstream says nothing then, and keeps the connection for as long as the other side does.
            self.transport.write(_BAD_REQUEST)
            self.transport.close()

    def _may_go_on(self, size: int) -> bool:
        """Whether what comes after the end is still little enough to be read."""
        if self._left_after_end >= 0:
            self._left_after_end -= size
            if self._left_after_end < 0:
                below = self._gathered.below
                below.pause_reading()
                self.loop.call_later(_CUT_AFTER_S, below.abort)
        return self._left_after_end >= 0


def _head(opcode: int, size: int) -> bytes:
    """RFC 6455 section 5.2: unmasked; a length above 125 bytes is in two more, or eight, if it must."""
    if size <= _SHORT:
        return bytes((opcode, size))
    if size <= _MEDIUM:
        return bytes((opcode, _SHORT + 1)) + size.to_bytes(2)
    return bytes((opcode, _SHORT + 2)) + size.to_bytes(8)


def _is_text(data: bytes) -> bool:
    if data.isascii():  # nearly all of it is, and upstream will decode it once more
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


# Without an entry for a loop with nothing to stop: each connection knows its loop.
_stopping: "WeakKeyDictionary[asyncio.AbstractEventLoop, deque[PageWebSocket]]" = WeakKeyDictionary()


def _stop_some(loop: asyncio.AbstractEventLoop) -> None:
    waiting = _stopping[loop]
    try:
        for _ in range(min(PER_TURN, len(waiting))):
            connection = waiting.popleft()
            if not connection.disconnected:
                _stop(connection)
    finally:
        if waiting:
            loop.call_soon(_stop_some, loop)
        else:
            del _stopping[loop]


def _set_keepalive(connection: ref[PageWebSocket], interval_s: float, timeout_s: float) -> None:
    living = connection()
    if living is not None:
        living.stop_keepalive()
        living.ping_interval, living.ping_timeout = interval_s, timeout_s
        living.start_keepalive()


def _stop(connection: PageWebSocket) -> None:
    try:
        WebSocketsSansIOProtocol.shutdown(connection)
    except InvalidState:
        # The page has said that it goes, a moment before: there is nothing to tell it.
        connection.transport.close()
