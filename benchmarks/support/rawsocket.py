"""A websocket client that costs next to nothing: what it adds to a round trip would be taken for the server's time.

A library's client takes 60 us and more for a message each way, as much as a server that only echoes.  This one blocks,
offers no compression, and masks with zeros, which RFC 6455 allows: it then has nothing to compute.
"""

import base64
import os
import socket
import struct
from typing import Self
from urllib.parse import urlsplit

from benchmarks.support.process import BenchmarkFailed
from benchmarks.support.stream import RESUME, Stream

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_ANSWER_S = 60.0
_SMALL, _MEDIUM = 126, 1 << 16


class RawSocket:
    """One connection.  Has the face of `websockets`' client as far as `client.Channel` looks at it; never suspends."""

    def __init__(self, connection: socket.socket, stream: Stream | None = None) -> None:
        self._socket = connection
        self._stream = stream
        self._buffer = b""

    @classmethod
    def connect(cls, url: str, cookies: str = "", stream: Stream | None = None) -> Self:
        """Raises BenchmarkFailed where the server refuses."""
        parts = urlsplit(url)
        connection = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_ANSWER_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(handshake(url, cookies, None if stream is None else RESUME))
        self = cls(connection, stream)
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        check_answer(head)
        if stream is not None:
            stream.begin(self._say)
        return self

    def put(self, message: str | bytes) -> None:
        """Send a message; bytes are a binary one."""
        if self._stream is not None:
            self._stream.sent()
        self._socket.sendall(frame_of(message))

    def take(self) -> bytes:
        """The next message, or word of the stream.

        Raises:
            BenchmarkFailed: the server has closed the connection, or says nothing.
        """
        while True:
            found = take_frame(self._buffer)
            if found is None:
                self._read()
                continue
            opcode, payload, self._buffer = found
            if opcode == PING:
                self._socket.sendall(frame(PONG, payload))
            elif opcode == CLOSE:
                raise BenchmarkFailed(f"the server has closed the websocket: {payload!r}")
            elif opcode != PONG:
                self._opcode = opcode
                if self._stream is not None:
                    tell(self._stream, opcode, payload)
                return payload

    async def send(self, message: str | bytes) -> None:
        """As `websockets` has it."""
        self.put(message)

    async def recv(self) -> str | bytes:
        """As `websockets` has it."""
        payload = self.take()
        return payload.decode() if self._opcode == TEXT else payload

    async def close(self, code: int) -> None:
        """End the connection."""
        if self._stream is not None:
            self._stream.end()
        self._socket.sendall(frame(CLOSE, struct.pack("!H", code)))
        self._socket.close()

    def _say(self, word: str) -> None:
        self._socket.sendall(frame_of(word))

    def _read(self) -> None:
        try:
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            raise BenchmarkFailed(f"the server has said nothing for {_ANSWER_S:g} s") from None
        if not data:
            raise BenchmarkFailed("the server has closed the connection")
        self._buffer += data


def handshake(url: str, cookies: str, subprotocol: str | None) -> bytes:
    """The request that opens a websocket."""
    parts = urlsplit(url)
    lines = [
        f"GET {parts.path}?{parts.query} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        f"Cookie: {cookies}",
    ]
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def check_answer(head: bytes) -> None:
    """Raises BenchmarkFailed where the server refuses."""
    if b" 101 " not in head.partition(b"\r\n")[0]:
        raise BenchmarkFailed(f"the server refuses the websocket: {head.decode(errors='replace')}")


def tell(stream: Stream, opcode: int, payload: bytes) -> None:
    """What has come on a connection of that stream."""
    if opcode == BINARY:
        stream.saw(len(payload))
    else:
        stream.heard(payload.decode())


def take_frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """The opcode and payload of the first frame, and what comes after it; None where it has not come as a whole."""
    if len(data) < 2:
        return None
    size, begin = data[1] & 127, 2
    if size >= _SMALL:
        width = 2 if size == _SMALL else 8
        if len(data) < 2 + width:
            return None
        size, begin = int.from_bytes(data[2 : 2 + width]), 2 + width
    if len(data) < begin + size:
        return None
    return data[0] & 15, data[begin : begin + size], data[begin + size :]


def frame_of(message: str | bytes) -> bytes:
    """A message as a client sends it; bytes are a binary one."""
    return frame(TEXT, message.encode()) if isinstance(message, str) else frame(BINARY, message)


def frame(opcode: int, payload: bytes) -> bytes:
    """A frame as a client sends it."""
    size = len(payload)
    if size < _SMALL:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < _MEDIUM:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | _SMALL, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + bytes(4) + payload
