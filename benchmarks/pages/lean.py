"""A websocket client of which one process can hold 10,000: it shares two processors with the server.

As `support.rawsocket`, with asyncio's transports below: no compression, nothing to compute for the mask, and no task,
timer or queue of its own once its page is open.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Self, cast
from urllib.parse import urlsplit

from benchmarks.support.process import BenchmarkFailed
from benchmarks.support.rawsocket import CLOSE, PING, PONG, TEXT, check_answer, frame, handshake, take_frame

_HANDSHAKE_S = 60.0
_HEAD_END = b"\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: nothing is sent any more, the other side sees a reset
Listener = Callable[[bytes], None]


class LeanSocket(asyncio.Protocol):
    """One connection.  Has the face of `websockets`' client as far as `client.Channel` looks at it, until somebody
    listens.
    """

    __slots__ = ("_buffer", "_inbox", "_listener", "_opened", "_transport", "_waiter", "end")

    def __init__(self) -> None:
        self.end: str | None = None
        """Why the connection has ended; None while it has not."""
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._opened = False
        self._inbox: deque[tuple[int, bytes]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._listener: Listener | None = None

    @classmethod
    async def connect(cls, url: str, cookies: str) -> Self:
        """Raises BenchmarkFailed where the server refuses."""
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_HANDSHAKE_S):
                _, self = await loop.create_connection(cls, parts.hostname or "", parts.port or 80)
                self.write(handshake(url, cookies))
                await self._until(lambda: self._opened)
        except TimeoutError:
            raise BenchmarkFailed(f"the websocket was not open within {_HANDSHAKE_S:g} s") from None
        except OSError as error:
            raise BenchmarkFailed(f"the websocket can't be opened: {error}") from None
        return self

    def listen(self, listener: Listener) -> None:
        """Call *listener* with each message from now on."""
        self._inbox.clear()
        self._listener = listener

    def put(self, message: bytes) -> None:
        """Send a text message."""
        self.write(frame(TEXT, message))

    def write(self, data: bytes) -> None:
        """Send bytes as they are.

        Raises:
            BenchmarkFailed: the connection has ended.
        """
        if self._transport is None or self.end is not None:
            raise BenchmarkFailed(f"the server has ended the connection of a page: {self.end}")
        self._transport.write(data)

    def reset(self) -> None:
        """Lose the connection, as when a network goes."""
        if self._transport is not None:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    async def send(self, message: str) -> None:
        """As `websockets` has it."""
        self.put(message.encode())

    async def recv(self) -> str | bytes:
        """As `websockets` has it."""
        await self._until(lambda: bool(self._inbox))
        opcode, payload = self._inbox.popleft()
        return payload.decode() if opcode == TEXT else payload

    async def close(self, code: int) -> None:
        """End the connection, if the server has not done so already."""
        if self.end is None:
            self.write(frame(CLOSE, struct.pack("!H", code)))
        if self._transport is not None:
            self._transport.close()

    # What asyncio calls

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
        self.end = self.end or str(error or "without a word")
        self._wake()

    def _open(self) -> bool:
        head, separator, rest = self._buffer.partition(_HEAD_END)
        if not separator:
            return False
        try:
            check_answer(head)
        except BenchmarkFailed as refused:
            self.end = str(refused)
            return False
        self._opened, self._buffer = True, rest
        return True

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.write(frame(PONG, payload))
        elif opcode == CLOSE:
            self.write(frame(CLOSE, payload[:2]))
            self.end = f"{int.from_bytes(payload[:2])} {payload[2:].decode(errors='replace')}"
        elif opcode != PONG and self._listener is not None:
            self._listener(payload)
        elif opcode != PONG:
            self._inbox.append((opcode, payload))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            if self.end is not None:
                raise BenchmarkFailed(f"the server has ended the connection of a page: {self.end}")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
