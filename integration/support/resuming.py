"""A page of ours without a browser: it speaks `solara_ctx.resume.v1`."""

import contextlib
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from integration.support.protocol import JupyterClient, message

RESUME = "solara_ctx.resume.v1"
Json = dict[str, Any]


def framed(request: Json) -> bytes:
    """A message in Jupyter's framing `v1.kernel.websocket.jupyter.org`."""
    parts = [str(request["channel"]).encode()]
    parts += [json.dumps(request[name]).encode() for name in ("header", "parent_header", "metadata", "content")]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return struct.pack(f"<{len(offsets) + 1}Q", len(offsets), *offsets) + b"".join(parts)


def content_of(frame: bytes) -> tuple[Json, Json, Json]:
    """Header, parent header and content of a message in that framing."""
    (count,) = struct.unpack_from("<Q", frame)
    offsets = struct.unpack_from(f"<{count}Q", frame, 8)
    header, parent, _, content = (json.loads(frame[start:end]) for start, end in pairwise(offsets[1:6]))
    return header, parent, content


class ResumingPage:
    """Counts what it sees, as a page does, and goes on with the next connection."""

    def __init__(self, client: JupyterClient, page_id: str = "page") -> None:
        self.client = client
        self.page_id = page_id
        self.stream: str | None = None
        self.seen = 0
        self.words: list[Json] = []
        """What the server has said on the latest connection, of the connection itself."""
        self.messages: list[bytes] = []
        """The messages of all connections."""
        self.socket: ClientConnection

    @property
    def welcome(self) -> Json:
        return self.words[0]

    @asynccontextmanager
    async def connection(self, *, by_header: bool = True) -> AsyncIterator[ClientConnection]:
        """One connection, whose welcome has come."""
        location = "/" if by_header else f"/&protocol={RESUME}"
        subprotocols = [RESUME] if by_header else None
        async with self.client.websocket(
            page_id=self.page_id, subprotocols=subprotocols, location=location
        ) as self.socket:
            self.words = []
            await self.socket.send(json.dumps({"type": "hello", "stream": self.stream, "seen": self.seen}))
            while not self.words:
                await self.read()
            self.stream, self.seen = self.welcome["stream"], self.welcome["from"]
            yield self.socket

    async def read(self) -> Json | bytes:
        """The next word or message."""
        frame = await self.socket.recv()
        if isinstance(frame, str):
            word: Json = json.loads(frame)
            self.words.append(word)
            return word
        self.seen += 1
        self.messages.append(frame)
        return frame

    async def word(self, kind: str) -> Json:
        """The next word of that kind."""
        while True:
            said = await self.read()
            if isinstance(said, dict) and said["type"] == kind:
                return said

    async def read_to_the_end(self) -> tuple[int | None, str | None]:
        """Everything that comes, until the server closes the connection: with what code and reason."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.read()
        return self.socket.close_code, self.socket.close_reason

    async def say(self, **word: object) -> None:
        """Say a word of the protocol itself."""
        await self.socket.send(json.dumps(word))

    async def ask(self, request: Json | None = None) -> None:
        """Send a message, and read on until the kernel is idle again."""
        request = request or message("kernel_info_request")
        await self.socket.send(framed(request))
        while True:
            frame = await self.read()
            if isinstance(frame, bytes):
                header, parent, content = content_of(frame)
                if parent.get("msg_id") == request["header"]["msg_id"] and content.get("execution_state") == "idle":
                    assert header["msg_type"] == "status"
                    return
