"""A browser's page without a browser: one HTTP request per connection, and a websocket that speaks Jupyter messages."""

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.support.process import BenchmarkFailed

Json = dict[str, object]

_ANSWER_S = 60.0
_WIDGET_PROTOCOL = "1.0.0"  # of the control comm, which is the one that looks at it
_LEAVING = 1001  # what a browser says when its page goes


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: str

    def cookies(self) -> str:
        """What the answer has set, as a browser sends it back."""
        return "; ".join(value.partition(";")[0] for name, value in self.headers if name == "set-cookie")


async def request(method: str, host: str, port: int, path: str, headers: Mapping[str, str] | None = None) -> Response:
    """One request on a connection of its own.

    Raises:
        BenchmarkFailed: the answer is an error, or does not come.
    """
    given = {"Host": f"{host}:{port}", "Connection": "close", "Content-Length": "0", **(headers or {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    try:
        async with asyncio.timeout(_ANSWER_S):
            answer = await _exchange(host, port, "\r\n".join(lines).encode())
    except TimeoutError:
        raise BenchmarkFailed(f"{method} {path} was not answered within {_ANSWER_S:g} s") from None
    head, _, body = answer.decode().partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    pairs = (line.partition(":") for line in rest)
    response = Response(int(first.split()[1]), tuple((name.lower(), value.strip()) for name, _, value in pairs), body)
    if response.status >= 400:
        raise BenchmarkFailed(f"{method} {path} was answered with {response.status}: {body[:500]}")
    return response


async def _exchange(host: str, port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def message_of(kind: str, content: Json, metadata: Json | None = None) -> str:
    """A message of a page, as text."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": "benchmark",
        "username": "",
        "date": "2026-01-01T00:00:00.000000Z",
        "version": "5.4",
    }
    message = {
        "channel": "shell",
        "header": header,
        "parent_header": {},
        "metadata": metadata or {},
        "content": content,
        "buffers": [],
    }
    return json.dumps(message)


class Socket(Protocol):
    """A client's websocket."""

    async def send(self, message: str, /) -> None:
        """Send a text message."""

    async def recv(self) -> str | bytes:
        """The next message."""

    async def close(self, code: int, /) -> None:
        """End the connection."""


class Channel:
    """The websocket of a page."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self._models: dict[str, str] = {}

    @classmethod
    async def open(cls, url: str, cookies: str) -> "Channel":
        headers = {"Cookie": cookies}
        # `max_queue`: what nobody reads here must not keep the server from sending. Compression is offered, as every
        # browser does.
        socket = await connect(url, additional_headers=headers, max_size=None, max_queue=None, proxy=None)
        return cls(socket)

    async def send(self, kind: str, content: Json, metadata: Json | None = None) -> None:
        await self.socket.send(message_of(kind, content, metadata))

    async def until(self, is_wanted: Callable[[Json], bool]) -> Json:
        """Read to the first comm message whose data is wanted; returns that data.

        Raises:
            BenchmarkFailed: it does not come.
        """
        while True:
            kind, content = await self._read()
            data = content.get("data")
            if kind == "comm_msg" and isinstance(data, dict) and is_wanted(data):
                return data

    async def model(self, name: str) -> str:
        """The id of the first widget model of that name; read on until it comes.

        Raises:
            BenchmarkFailed: it does not come.
        """
        while name not in self._models:
            await self._read()
        return self._models[name]

    async def open_comm(self, target: str, data: Json) -> str:
        comm_id = uuid.uuid4().hex
        content: Json = {"comm_id": comm_id, "target_name": target, "data": data}
        await self.send("comm_open", content, {"version": _WIDGET_PROTOCOL})
        return comm_id

    async def tell_comm(self, comm_id: str, data: Json) -> None:
        await self.send("comm_msg", {"comm_id": comm_id, "data": data})

    async def _read(self) -> tuple[str, Json]:
        """The next message: its type and content; a widget's comm_open is noted."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                frame = await self.socket.recv()
        except TimeoutError:
            raise BenchmarkFailed(f"the server has not said what was waited for within {_ANSWER_S:g} s") from None
        except ConnectionClosed as closed:
            raise BenchmarkFailed(f"the server has closed the websocket: {closed}") from None
        if isinstance(frame, bytes):
            return "", {}
        message = json.loads(frame)
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "comm_open" and content["target_name"] == "jupyter.widget":
            self._models.setdefault(content["data"]["state"]["_model_name"], content["comm_id"])
        return kind, content

    async def leave(self) -> None:
        """End the connection, and wait until it has ended."""
        await self.socket.close(_LEAVING)
