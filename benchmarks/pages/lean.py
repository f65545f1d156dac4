"""A websocket client of which one process can hold 10,000: it shares two processors with the server.

As `support.rawsocket`, with asyncio's transports below: no compression, nothing to compute for the mask, and no task
or queue of its own once its page is open.
"""

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from typing import Self, cast
from urllib.parse import urlsplit

from benchmarks.support.process import BenchmarkFailed
from benchmarks.support.rawsocket import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    check_answer,
    frame,
    frame_of,
    handshake,
    take_frame,
    tell,
)
from benchmarks.support.stream import RESUME, Stream

_HANDSHAKE_S = 60.0
_HEAD_END = b"\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: nothing is sent any more, the other side sees a reset
Listener = Callable[[bytes], None]


class LeanSocket(asyncio.Protocol):
    """One connection.  Has the face of `websockets`' client as far as `client.Channel` looks at it, until somebody
    listens.
    """

    __slots__ = (
        "_buffer",
        "_inbox",
        "_is_full",
        "_listener",
        "_opened",
        "_stream",
        "_transport",
        "_waiter",
        "end",
        "ended_at",
    )

    def __init__(self, stream: Stream | None = None) -> None:
        self.end: str | None = None
        """Why the connection has ended; None while it has not."""
        self.ended_at = 0.0
        """When, by `time.perf_counter`."""
        self._stream = stream
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._opened = self._is_full = False
        self._inbox: deque[tuple[int, bytes]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._listener: Listener | None = None

    @classmethod
    async def connect(cls, url: str, cookies: str, stream: Stream | None = None) -> Self:
        """Raises BenchmarkFailed where the server refuses."""
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                _, self = await loop.create_connection(lambda: cls(stream), parts.hostname or "", parts.port or 80)
                self.write(handshake(url, cookies, None if stream is None else RESUME))
                await self._until(lambda: self._opened)
        except TimeoutError:
            raise BenchmarkFailed(f"the websocket was not open within {_HANDSHAKE_S:g} s") from None
        except OSError as error:
            raise BenchmarkFailed(f"the websocket can't be opened: {error}") from None
        if stream is not None:
            stream.begin(self._say)
        return self

    def listen(self, listener: Listener) -> None:
        """Call *listener* with each message from now on."""
        self._inbox.clear()
        self._listener = listener

    def put(self, message: str | bytes) -> None:
        """Send a message; bytes are a binary one."""
        if self._stream is not None:
            self._stream.sent()
        self.write(frame_of(message))

    def write(self, data: bytes) -> None:
        """Send bytes as they are.

        Raises:
            BenchmarkFailed: the connection has ended.
        """
        if self._transport is None or self.end is not None:
            raise BenchmarkFailed(f"the server has ended the connection of a page: {self.end}")
        self._transport.write(data)

    async def room(self) -> None:
        """Wait until the server has taken most of what was sent."""
        await self._until(lambda: not self._is_full)

    def read_nothing(self) -> None:
        """Leave lying what comes from now on."""
        if self._transport is not None:
            self._transport.pause_reading()

    def reset(self) -> None:
        """Lose the connection, as when a network goes."""
        if self._transport is not None:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    async def send(self, message: str | bytes) -> None:
        """As `websockets` has it."""
        self.put(message)

    async def recv(self) -> str | bytes:
        """As `websockets` has it."""
        await self._until(lambda: bool(self._inbox))
        opcode, payload = self._inbox.popleft()
        return payload.decode() if opcode == TEXT else payload

    async def close(self, code: int) -> None:
        """End the connection, if the server has not done so already."""
        self._leave_stream()
        if self.end is None:
            self.write(frame(CLOSE, struct.pack("!H", code)))
        if self._transport is not None:
            self._transport.close()

    # What asyncio calls

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._wake()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._opened and not self._open():
            return
        while (found := take_frame(self._buffer)) is not None:
            opcode, payload, self._buffer = found
            self._take(opcode, payload)
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._note_end(str(error or "without a word"))
        self._wake()

    def _open(self) -> bool:
        head, separator, rest = self._buffer.partition(_HEAD_END)
        if not separator:
            return False
        try:
            check_answer(head)
        except BenchmarkFailed as refused:
            self._note_end(str(refused))
            return False
        self._opened, self._buffer = True, rest
        return True

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.write(frame(PONG, payload))
        elif opcode == CLOSE:
            self.write(frame(CLOSE, payload[:2]))
            self._note_end(f"{int.from_bytes(payload[:2])} {payload[2:].decode(errors='replace')}")
        elif opcode != PONG:
            if self._stream is not None:
                tell(self._stream, opcode, payload)
            if self._listener is not None:
                self._listener(payload)
            else:
                self._inbox.append((opcode, payload))

    def _note_end(self, why: str) -> None:
        if self.end is None:
            self.end, self.ended_at = why, time.perf_counter()
        self._leave_stream()

    def _say(self, word: str) -> None:
        # One that was turned away has an end as soon as it is open.
        if self.end is None:
            self.write(frame_of(word))

    def _leave_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end()

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            if self.end is not None:
                raise BenchmarkFailed(f"the server has ended the connection of a page: {self.end}")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
