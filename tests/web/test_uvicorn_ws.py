"""The websocket of uvicorn that gathers, reads on, and compresses by size."""

import asyncio
import itertools
import zlib
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Close, Frame, Opcode
from websockets.uri import parse_uri

from solara_ctx.clock import PER_TURN
from solara_ctx.web.outbox import FLUSH
from solara_ctx.web.uvicorn_ws import COMPRESS_FROM, COMPRESS_UP_TO, DeflateBySize, Gathered, PageWebSocket
from tests.support.service import eventually


class RecordingTransport(asyncio.Transport):
    """Keeps what is written and asked for."""

    def __init__(self) -> None:
        super().__init__({"socket": None})
        self.written: list[bytes] = []
        self.calls: list[str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.written.append(bytes(data))

    def close(self) -> None:
        """Note it."""
        self.calls.append("close")

    def is_closing(self) -> bool:
        """Whether somebody has closed it."""
        return "close" in self.calls

    def pause_reading(self) -> None:
        """Note it."""
        self.calls.append("pause")

    def resume_reading(self) -> None:
        """Note it."""
        self.calls.append("resume")


@pytest.fixture
def below() -> RecordingTransport:
    """The transport itself."""
    return RecordingTransport()


async def test_the_frames_of_one_turn_leave_in_one_write(below: RecordingTransport) -> None:
    """In their order, at the end of the turn; and so the next ones."""
    gathered = Gathered(below, asyncio.get_running_loop())
    for part in (b"busy", b"update", b"idle"):
        gathered.write(part)
    assert below.written == []
    await asyncio.sleep(0)
    gathered.write(b"next")
    await asyncio.sleep(0)
    assert below.written == [b"busyupdateidle", b"next"]


async def test_much_is_written_at_once(below: RecordingTransport) -> None:
    """So that the transport tells the sender when it is full, and nothing large is copied more often than needed."""
    gathered = Gathered(below, asyncio.get_running_loop())
    gathered.write(b"x")
    gathered.write(b"y" * 70_000)
    assert [len(data) for data in below.written] == [70_001]
    await asyncio.sleep(0)
    assert len(below.written) == 1


async def test_a_close_comes_after_what_was_written(below: RecordingTransport) -> None:
    """The close frame, above all."""
    gathered = Gathered(below, asyncio.get_running_loop())
    gathered.write(b"close frame")
    gathered.close()
    assert (below.written, below.calls) == ([b"close frame"], ["close"])
    assert gathered.is_closing == below.is_closing


async def test_reading_stops_where_messages_pile_up(below: RecordingTransport) -> None:
    """A message that is taken before the next one comes costs no system call."""
    gathered = Gathered(below, asyncio.get_running_loop())
    gathered.has_read()
    gathered.pause_reading()
    gathered.resume_reading()
    assert below.calls == []
    gathered.has_read()
    gathered.pause_reading()
    gathered.has_read()
    gathered.has_read()
    assert below.calls == ["pause"]
    gathered.resume_reading()
    assert below.calls == ["pause", "resume"]


@pytest.mark.parametrize(
    ("size", "compressed"),
    [
        (0, False),
        (COMPRESS_FROM - 1, False),
        (COMPRESS_FROM, True),
        (COMPRESS_UP_TO, True),
        (COMPRESS_UP_TO + 1, False),
    ],
)
def test_compression_goes_by_size(size: int, *, compressed: bool) -> None:
    """What is small or huge leaves as it is."""
    extension = DeflateBySize(True, True, 15, 15, {"level": 1})
    frame = Frame(Opcode.TEXT, b"x" * size)
    encoded = extension.encode(frame)
    assert encoded.rsv1 is compressed
    assert len(encoded.data) < size if compressed else encoded.data == frame.data
    if compressed:
        data = zlib.decompressobj(-15).decompress(bytes(encoded.data) + b"\x00\x00\xff\xff")
        assert data == frame.data


async def served(*, deflate: bool) -> tuple[PageWebSocket, ClientProtocol, RecordingTransport]:
    """One websocket between a client and an application that sends a small and a large message."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        for size in (10, 10_000):
            await send({"type": "websocket.send", "text": "x" * size})
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        assert message["text"] == "y" * 5000
        await send({"type": "websocket.close"})

    config = uvicorn.Config(app, ws=PageWebSocket, ws_per_message_deflate=deflate, log_config=None)
    config.load()
    below = RecordingTransport()
    server = PageWebSocket(config, ServerState(), {}, asyncio.get_running_loop())
    server.connection_made(below)
    client = ClientProtocol(parse_uri("ws://localhost/"), extensions=[ClientPerMessageDeflateFactory()])
    client.send_request(client.connect())
    return server, client, below


@pytest.mark.parametrize("deflate", [True, False])
async def test_a_conversation(*, deflate: bool) -> None:
    """Handshake, both directions, and the close, with a client that offers compression."""
    server, client, below = await served(deflate=deflate)
    server.data_received(b"".join(client.data_to_send()))
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(below.written) == 1  # the handshake and both messages
    client.receive_data(below.written.pop())
    _response, small, large = client.events_received()
    assert isinstance(small, Frame)
    assert isinstance(large, Frame)
    assert (len(small.data), len(large.data)) == (10, 10_000)
    assert bool(client.extensions) is deflate
    client.send_text(b"y" * 5000)
    server.data_received(b"".join(client.data_to_send()))
    for _ in range(10):
        await asyncio.sleep(0)
    client.receive_data(b"".join(below.written))
    (closed,) = client.events_received()
    assert isinstance(closed, Frame)
    assert closed.opcode is Opcode.CLOSE
    server.data_received(b"".join(client.data_to_send()))
    server.connection_lost(None)
    assert "close" in below.calls


async def test_no_two_connections_ping_together() -> None:
    """Each at a time of its own, no later than it should, and never much earlier; there is one timer at a time."""
    loop = asyncio.get_running_loop()
    dues = []
    for _ in range(20):
        server, client, _below = await served(deflate=False)
        begun = loop.time()
        server.data_received(b"".join(client.data_to_send()))
        await asyncio.sleep(0)
        server.start_keepalive()
        assert server.ping_timer is not None
        dues.append(server.ping_timer.when() - begun)
        server.connection_lost(None)
    assert all(0.7 * 20 < due < 20.5 for due in dues)
    assert max(dues) - min(dues) > 1


async def connected(below: list[RecordingTransport]) -> tuple[PageWebSocket, ClientProtocol]:
    """A connection that has begun."""
    server, client, transport = await served(deflate=False)
    below.append(transport)
    server.data_received(b"".join(client.data_to_send()))
    await eventually(lambda: bool(transport.written))
    client.receive_data(b"".join(transport.written))
    client.events_received()
    transport.written.clear()
    return server, client


async def test_a_server_that_stops_ends_few_connections_in_a_turn() -> None:
    """All of them soon, each with the code that says so; one that has ended meanwhile is passed over."""
    below: list[RecordingTransport] = []
    connections = [await connected(below) for _ in range(2 * PER_TURN + 2)]
    for server, _client in connections:
        server.shutdown()
    connections[0][0].connection_lost(None)
    ended = [sum("close" in transport.calls for transport in below)]
    while ended[-1] < len(below):
        await asyncio.sleep(0)
        ended.append(sum("close" in transport.calls for transport in below))
    assert max(later - earlier for earlier, later in itertools.pairwise(ended)) <= PER_TURN
    assert below[0].written == []
    server, client = connections[-1]
    client.receive_data(b"".join(below[-1].written))
    (closed,) = client.events_received()
    assert isinstance(closed, Frame)
    assert Close.parse(closed.data).code == 1012
    server.shutdown()  # harmless, and works after all were done
    await asyncio.sleep(0)
    for server, _client in connections[1:]:
        server.connection_lost(None)


async def test_a_page_that_goes_in_the_same_moment_keeps_no_other_from_its_end() -> None:
    """It has said so, and its end has not come yet."""
    below: list[RecordingTransport] = []
    connections = [await connected(below) for _ in range(3)]
    leaving, client = connections[0]
    client.send_close(1001)
    leaving.conn.receive_data(b"".join(client.data_to_send()))
    for server, _client in connections:
        server.shutdown()
    await eventually(lambda: all("close" in transport.calls for transport in below))
    connections[0][0].shutdown()
    await asyncio.sleep(0)
    for server, _client in connections:
        server.connection_lost(None)


async def shaken_hands(app: Any) -> tuple[PageWebSocket, ClientProtocol, RecordingTransport]:
    """A websocket of *app* whose handshake is over."""
    config = uvicorn.Config(app, ws=PageWebSocket, log_config=None)
    config.load()
    below = RecordingTransport()
    server = PageWebSocket(config, ServerState(), {}, asyncio.get_running_loop())
    server.connection_made(below)
    client = ClientProtocol(parse_uri("ws://localhost/"), extensions=[ClientPerMessageDeflateFactory()])
    client.send_request(client.connect())
    server.data_received(b"".join(client.data_to_send()))
    await eventually(lambda: bool(below.written))
    client.receive_data(below.written.pop())
    client.events_received()
    return server, client, below


async def accepts(_scope: Any, receive: Any, send: Any) -> None:
    """Accept, and wait for the end."""
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, COMPRESS_FROM - 1, COMPRESS_FROM, 65_535, 65_536])
@pytest.mark.parametrize("kind", ["text", "bytes"])
async def test_a_message_of_any_size_arrives(size: int, kind: str) -> None:
    """Around each size at which a frame is written in another way: its length in 7, 16 or 64 bits, or compressed."""
    server, client, below = await shaken_hands(accepts)
    data = "x" * size if kind == "text" else b"x" * size
    await server.send({"type": "websocket.send", kind: data})  # type: ignore[arg-type]
    await eventually(lambda: bool(below.written))
    client.receive_data(b"".join(below.written))
    (frame,) = client.events_received()
    assert isinstance(frame, Frame)
    assert frame.opcode is (Opcode.TEXT if kind == "text" else Opcode.BINARY)
    assert bytes(frame.data) == b"x" * size
    server.connection_lost(None)


async def test_a_connection_that_closes_takes_no_more_messages() -> None:
    """Once the page has said that it goes: that is an error of ASGI's, and nothing is written."""
    server, client, below = await shaken_hands(accepts)
    client.send_close()
    server.data_received(b"".join(client.data_to_send()))
    await eventually(lambda: bool(below.written))
    below.written.clear()
    with pytest.raises(ClientDisconnected):
        await server.send({"type": "websocket.send", "text": "too late"})
    assert below.written == []
    server.connection_lost(None)


async def test_the_application_can_have_what_it_sent_written_now() -> None:
    """By an extension of its scope, once for several messages."""
    written: list[int] = []
    transport = RecordingTransport()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        scope["extensions"][FLUSH]["flush"]()
        before = len(transport.written)
        for _ in range(4):
            await send({"type": "websocket.send", "text": "frame"})
        scope["extensions"][FLUSH]["flush"]()
        written.append(len(transport.written) - before)
        await receive()

    config = uvicorn.Config(app, ws=PageWebSocket, log_config=None)
    config.load()
    server = PageWebSocket(config, ServerState(), {}, asyncio.get_running_loop())
    server.connection_made(transport)
    client = ClientProtocol(parse_uri("ws://localhost/"))
    client.send_request(client.connect())
    server.data_received(b"".join(client.data_to_send()))
    await eventually(lambda: bool(written))
    assert written == [1]
    server.connection_lost(None)
