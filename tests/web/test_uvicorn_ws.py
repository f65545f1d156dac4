"""The websocket of uvicorn that gathers, reads on, and compresses by size."""

import asyncio
import itertools
import zlib
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Close, Frame, Opcode
from websockets.uri import parse_uri

from solara_ctx.clock import PER_TURN
from solara_ctx.lifecycle import CloseCode
from solara_ctx.web import uvicorn_ws
from solara_ctx.web.conversation import FLUSH
from solara_ctx.web.uvicorn_ws import (
    COMPRESS_FROM,
    COMPRESS_UP_TO,
    MOST_PIECES,
    DeflateBySize,
    Gathered,
    PageWebSocket,
)
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

    def abort(self) -> None:
        """Note it."""
        self.calls.append("abort")


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
    """So that the transport tells the sender when it is full, and nothing large is copied."""
    gathered = Gathered(below, asyncio.get_running_loop())
    gathered.write(b"x")
    gathered.write(b"y" * 70_000)
    assert [len(data) for data in below.written] == [1, 70_000]
    await asyncio.sleep(0)
    assert len(below.written) == 2


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
    client = ClientProtocol(parse_uri("ws://localhost/"), extensions=[ClientPerMessageDeflateFactory()], max_size=None)
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


@pytest.mark.parametrize(
    "size", [0, 1, 125, 126, 127, COMPRESS_FROM - 1, COMPRESS_FROM, 65_535, 65_536, 1_000_001, 3_000_000]
)
@pytest.mark.parametrize("kind", ["text", "bytes"])
async def test_a_message_of_any_size_arrives(size: int, kind: str) -> None:
    """Around each size at which a frame is written in another way: its length in 7, 16 or 64 bits, or compressed."""
    server, client, below = await shaken_hands(accepts)
    data = "x" * size if kind == "text" else b"x" * size
    await server.send({"type": "websocket.send", kind: data})  # type: ignore[arg-type]
    server._gathered.flush()
    client.receive_data(b"".join(below.written))
    frames = cast("list[Frame]", client.events_received())
    first, *others = (frame.opcode for frame in frames)
    assert first is (Opcode.TEXT if kind == "text" else Opcode.BINARY)
    assert set(others) <= {Opcode.CONT}
    assert [frame.fin for frame in frames] == [False] * len(others) + [True]
    assert b"".join(frame.data for frame in frames) == b"x" * size
    server.connection_lost(None)


async def test_a_large_message_goes_as_it_is_taken() -> None:
    """Piece by piece, with room for pings in between; each length is written as short as it can be."""
    server, _client, below = await shaken_hands(accepts)
    server.pause_writing()
    message: Any = {"type": "websocket.send", "bytes": b"x" * (2 * COMPRESS_UP_TO + 200)}
    sending = asyncio.create_task(server.send(message))
    await asyncio.sleep(0)
    assert below.written == []
    server.resume_writing()
    await sending
    await eventually(lambda: len(below.written) == 5)
    heads = [data[:4] for data in below.written[::2]]
    assert heads == [b"\x02\x7f\0\0", b"\x00\x7f\0\0", b"\x80\x7e\0\xc8"]
    server.connection_lost(None)


@pytest.mark.parametrize("end", ["the page goes", "the server says that it goes"])
async def test_a_large_message_ends_with_its_connection(end: str) -> None:
    """What is left of it is of no use."""
    server, _client, _below = await shaken_hands(accepts)
    sent: list[int] = []

    def write(data: bytes | memoryview) -> None:
        sent.append(len(data))
        if len(data) == COMPRESS_UP_TO:
            server.pause_writing()

    server._gathered.write = write  # type: ignore[method-assign]
    message: Any = {"type": "websocket.send", "bytes": b"x" * (3 * COMPRESS_UP_TO)}
    sending = asyncio.create_task(server.send(message))
    await eventually(lambda: len(sent) == 2)
    if end == "the page goes":
        server.connection_lost(None)
        with pytest.raises(ClientDisconnected):
            await sending
    else:
        server.close_sent = True
        server.resume_writing()
        await sending
        server.connection_lost(None)
    assert sent == [10, COMPRESS_UP_TO]


async def test_a_message_that_is_too_large_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """With the settings that would let it in."""
    server, client, _below = await shaken_hands(accepts)
    client.send_binary(b"x" * 17_000_000)
    server.data_received(b"".join(client.data_to_send()))
    assert "more than 16777216 bytes" in caplog.text
    assert "SOLARA_WEBSOCKET_MAX_FRAME" in caplog.text
    assert "--ws-max-size" in caplog.text
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


def said(below: RecordingTransport, client: ClientProtocol) -> list[Frame]:
    """What the server has sent by now."""
    client.receive_data(b"".join(below.written))
    below.written.clear()
    return [event for event in client.events_received() if isinstance(event, Frame)]


@pytest.mark.parametrize("text", [b"\xff", b"abc\xed\xa0\x80", "é".encode()[:1]])
@pytest.mark.parametrize("pieces", [1, 2])
async def test_text_that_is_none_is_no_error_of_the_server(
    caplog: pytest.LogCaptureFixture, text: bytes, pieces: int
) -> None:
    """The connection ends with 1007; upstream writes a traceback for each into the log."""
    transports: list[RecordingTransport] = []
    server, client = await connected(transports)
    if pieces == 1:
        client.send_text(text)
    else:
        client.send_text(text[:1], fin=False)
        client.send_continuation(text[1:], fin=True)
    server.data_received(b"".join(client.data_to_send()))
    await asyncio.sleep(0)
    (closed,) = said(transports[0], client)
    assert Close.parse(bytes(closed.data)).code == 1007
    assert "close" in transports[0].calls
    assert [record for record in caplog.records if record.exc_info] == []
    server.connection_lost(None)


async def test_text_beyond_ascii_arrives() -> None:
    """Also where a piece ends inside a letter."""
    transports: list[RecordingTransport] = []
    server, client = await connected(transports)
    text = "é€😀".encode()
    client.send_text(text[:3], fin=False)
    client.send_continuation(text[3:], fin=True)
    of_app, server.queue = server.queue, asyncio.Queue()
    server.data_received(b"".join(client.data_to_send()))
    assert server.queue.get_nowait() == {"type": "websocket.receive", "text": "é€😀"}
    assert server.frames == []
    server.queue = of_app
    server.connection_lost(None)


@pytest.mark.parametrize(("pieces", "taken"), [(MOST_PIECES, True), (MOST_PIECES + 1, False), (3 * MOST_PIECES, False)])
async def test_a_message_of_endlessly_many_pieces_ends_the_connection(pieces: int, taken: bool) -> None:
    """Empty ones make no message too large, and would be kept until it is complete, which it need never be."""
    transports: list[RecordingTransport] = []
    server, client = await connected(transports)
    client.send_binary(b"", fin=False)
    for _ in range(pieces - 1):
        client.send_continuation(b"", fin=False)
    server.data_received(b"".join(client.data_to_send()))
    await asyncio.sleep(0)
    assert len(server.frames) == (pieces if taken else 0)
    codes = [Close.parse(bytes(frame.data)).code for frame in said(transports[0], client)]
    assert codes == ([] if taken else [1008])
    assert ("close" in transports[0].calls) is not taken
    server.connection_lost(None)


async def test_a_ping_is_not_answered_to_who_takes_no_answers() -> None:
    """The answers would pile up for as long as pings come."""
    transports: list[RecordingTransport] = []
    server, client = await connected(transports)
    for writable in (True, False, True):
        if writable:
            server.resume_writing()
        else:
            server.pause_writing()
        client.send_ping(b"are you there?")
        server.data_received(b"".join(client.data_to_send()))
        await asyncio.sleep(0)
        assert [frame.opcode for frame in said(transports[0], client)] == [Opcode.PONG] * writable
    server.connection_lost(None)


@pytest.mark.parametrize("header", [b"X-Long: " + b"a" * 20_000, b"Content-Length: 5", b"X-Odd: \x7f", b"no header"])
async def test_a_handshake_that_can_not_be_read_is_answered(header: bytes) -> None:
    """Upstream says nothing, and keeps the connection for as long as the other side likes."""
    server, client, below = await served(deflate=False)
    data = b"".join(client.data_to_send()).replace(b"\r\n\r\n", b"\r\n" + header + b"\r\n\r\n")
    server.data_received(data)
    await asyncio.sleep(0)
    assert b"".join(below.written).startswith(b"HTTP/1.1 400 ")
    assert below.calls.count("close") == 1
    server.data_received(b"and more")
    server.connection_lost(None)


async def test_who_sends_on_after_the_end_is_not_read_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was on its way is dropped, and an answer to the end awaited; after 64 KiB nothing is read, and it is cut."""
    monkeypatch.setattr(uvicorn_ws, "_CUT_AFTER_S", 0.0)

    async def ends(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": CloseCode.POLICY, "reason": "too-fast"})

    server, _client, below = await shaken_hands(ends)
    await eventually(lambda: server.close_sent)
    head = b"\x82\xff" + (200_000).to_bytes(8) + bytes(4)
    server.data_received(head + b"x" * (65_536 - len(head)))
    assert below.calls == []
    server.data_received(b"x")
    server.data_received(b"x")
    assert below.calls == ["pause"]
    await eventually(lambda: below.calls == ["pause", "abort"])
    server.connection_lost(None)
