"""A browser's page without a browser: one HTTP request per connection, and a websocket that speaks Jupyter messages."""

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from benchmarks.support.process import BenchmarkFailed
from benchmarks.support.stream import RESUME, Stream, framed, parts_of

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


async def request(
    method: str,
    host: str,
    port: int,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    status: int | None = None,
) -> Response:
    """One request on a connection of its own.

    Args:
        status: The answer has to have this one; `None`: any that is no error.

    Raises:
        BenchmarkFailed: the answer is another, or does not come.
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
    if response.status >= 400 if status is None else response.status != status:
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
    message = {
        "channel": "shell",
        "header": _header(kind),
        "parent_header": {},
        "metadata": metadata or {},
        "content": content,
        "buffers": [],
    }
    return json.dumps(message)


def framed_message_of(kind: str, content: Json, metadata: Json | None = None) -> bytes:
    """The same in the framing that pages of ours speak."""
    return framed([b"shell", *(json.dumps(part).encode() for part in (_header(kind), {}, metadata or {}, content))])


def _header(kind: str) -> Json:
    return {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": "benchmark",
        "username": "",
        "date": "2026-01-01T00:00:00.000000Z",
        "version": "5.4",
    }


class Socket(Protocol):
    """A client's websocket."""

    async def send(self, message: str | bytes, /) -> None:
        """Send a message; bytes are a binary one."""

    async def recv(self) -> str | bytes:
        """The next message."""

    async def close(self, code: int, /) -> None:
        """End the connection."""


class _ListeningSocket:
    """A library's client that is always read: a page of ours acknowledges what comes as it comes."""

    def __init__(self, connection: ClientConnection, stream: Stream) -> None:
        self._connection = connection
        self._stream = stream
        self._inbox: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._words: set[asyncio.Task[None]] = set()
        stream.begin(self._say)
        self._reader = asyncio.create_task(self._read())

    async def send(self, message: str | bytes) -> None:
        if self._words:  # the hello, for one, comes before any message
            await asyncio.wait(self._words)
        self._stream.sent()
        await self._connection.send(message)

    async def recv(self) -> str | bytes:
        frame = await self._inbox.get()
        if frame is None:
            closed = self._connection
            raise BenchmarkFailed(f"the server has closed the websocket: {closed.close_code} {closed.close_reason}")
        return frame

    async def close(self, code: int) -> None:
        self._stream.end()
        await self._connection.close(code)
        await self._reader

    def _say(self, word: str) -> None:
        task = asyncio.create_task(self._connection.send(word))
        self._words.add(task)
        task.add_done_callback(self._words.discard)

    async def _read(self) -> None:
        try:
            async for frame in self._connection:
                if isinstance(frame, str):
                    self._stream.heard(frame)
                else:
                    self._stream.saw(len(frame))
                    self._inbox.put_nowait(frame)
        except ConnectionClosed:
            pass  # whoever reads learns of it
        finally:
            self._stream.end()
            self._inbox.put_nowait(None)


class Channel:
    """The websocket of a page.

    Args:
        socket: It.
        stream: What a page of ours says besides; `None` for one of Solara's.
    """

    def __init__(self, socket: Socket, stream: Stream | None) -> None:
        self.socket = socket
        self.stream = stream
        self._models: dict[str, str] = {}

    @classmethod
    async def open(cls, url: str, cookies: str, stream: Stream | None) -> "Channel":
        # `max_queue`: what nobody reads here must not keep the server from sending. Compression is offered, as every
        # browser does.
        socket = await connect(
            url,
            additional_headers={"Cookie": cookies},
            subprotocols=None if stream is None else [Subprotocol(RESUME)],
            max_size=None,
            max_queue=None,
            proxy=None,
        )
        return cls(socket if stream is None else _ListeningSocket(socket, stream), stream)

    @property
    def drained_s(self) -> float | None:
        """In how many seconds to come back, where the server has said so."""
        return None if self.stream is None else self.stream.drained_s

    def encode(self, kind: str, content: Json, metadata: Json | None = None) -> str | bytes:
        """A message, as the socket sends it."""
        return (message_of if self.stream is None else framed_message_of)(kind, content, metadata)

    async def send(self, kind: str, content: Json, metadata: Json | None = None) -> None:
        await self.socket.send(self.encode(kind, content, metadata))

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

    async def welcome(self) -> None:
        """Read on until the server has said where the stream goes on; only a page of ours has one."""
        while self.stream is not None and not self.stream.is_open:
            await self._read()

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
        if isinstance(frame, bytes) and self.stream is not None:
            _, header, _, _, payload, *_ = parts_of(frame)
            kind, content = json.loads(header)["msg_type"], json.loads(payload)
        elif isinstance(frame, bytes) or self.stream is not None:
            return "", {}
        else:
            message = json.loads(frame)
            kind, content = message["header"]["msg_type"], message["content"]
        if kind == "comm_open" and content["target_name"] == "jupyter.widget":
            self._models.setdefault(content["data"]["state"]["_model_name"], content["comm_id"])
        return kind, content

    async def leave(self) -> None:
        """End the connection, and wait until it has ended."""
        await self.socket.close(_LEAVING)
