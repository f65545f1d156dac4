"""HTTP and websockets byte by byte: clients that keep to the rules would not send what an attacker does."""

import asyncio
import base64
import os
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

ANSWER_S = 20.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Answer(NamedTuple):
    """What a server says to a request; 0 where it ends the connection without a word."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The header of that name in lower case."""
        return dict(self.headers).get(name)


@asynccontextmanager
async def dialled(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, cut off at the end."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 26)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request, as it is given: nothing is encoded or checked."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


async def exchange(url: str, data: bytes) -> Answer:
    """Send *data*, and take the first answer."""
    async with dialled(url) as (reader, writer):
        writer.write(data)
        return await answer(reader)


async def everything(url: str, data: bytes) -> bytes:
    """Send *data* and nothing more, and take all that comes until the server ends the connection."""
    async with dialled(url) as (reader, writer):
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(ANSWER_S):
            return await reader.read()


async def answer(reader: asyncio.StreamReader) -> Answer:
    """The next answer."""
    try:
        async with asyncio.timeout(ANSWER_S):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in lines[1:] if line)]
            length = int(dict(headers).get("content-length", 0))
            body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(0, [], b"")
    return Answer(int(lines[0].split(" ")[1]), headers, body)


def handshake(**changes: str | None) -> dict[str, str]:
    """The headers of a websocket handshake; `None` leaves one out, and `_` in a name is a hyphen."""
    headers: dict[str, str | None] = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in headers.items() if value is not None}


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """A frame as a client sends it (RFC 6455, 5.2), or as it may not."""
    length = len(payload)
    return announced(opcode, length, fin=fin, rsv=rsv, masked=masked) + (_masked(payload) if masked else payload)


def announced(opcode: int, length: int, *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """The head of a frame, which says how much will come."""
    first, mask = fin << 7 | rsv << 4 | opcode, masked << 7
    if length < 126:
        return bytes((first, mask | length))
    if length < 1 << 16:
        return struct.pack("!BBH", first, mask | 126, length)
    return struct.pack("!BBQ", first, mask | 127, length)


_MASK = b"\x01\x02\x03\x04"


def _masked(payload: bytes) -> bytes:
    key = int.from_bytes((_MASK * (len(payload) // 4 + 1))[: len(payload)])
    return _MASK + (int.from_bytes(payload) ^ key).to_bytes(len(payload))


class RawSocket:
    """A websocket after its handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *frames: bytes) -> None:
        """Send bytes, which should be frames."""
        self.writer.write(b"".join(frames))

    async def end(self) -> int:
        """Read on until the server ends the connection: the close code that it gives, 0 where it gives none."""
        code = 0
        try:
            async with asyncio.timeout(ANSWER_S):
                while True:
                    opcode, payload = await self.receive()
                    if opcode == CLOSE:
                        code = int.from_bytes(payload[:2])
                        self.send(frame(CLOSE, payload[:2]))  # or the server waits for it
        except (asyncio.IncompleteReadError, ConnectionError):
            return code

    async def receive(self) -> tuple[int, bytes]:
        """The next frame: its opcode and payload."""
        first, length = await self.reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 15, await self.reader.readexactly(length)
