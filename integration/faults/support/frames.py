"""Attacks by websockets: handshakes and frames that no browser sends."""

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable

from integration.faults.support.arena import Arena, Attack
from integration.faults.support.raw import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    RawSocket,
    announced,
    answer,
    dialled,
    exchange,
    frame,
    handshake,
    head,
)
from integration.support.protocol import message

Cases = dict[str, tuple[Attack, object]]
MEGABYTE = 1_000_000
DEFLATE = "permessage-deflate"


def shakes(**headers: str | None) -> Attack:
    """The status of a handshake with other headers than a browser's, in a session that may come in."""

    async def attack(arena: Arena) -> int:
        async with arena.attacker() as client:
            return (await arena.shake(arena.channels(client), Cookie=client.cookie(), **headers)).status

    return attack


def shakes_at(path: str) -> Attack:
    """The status of a handshake on a path that is for plain requests."""

    async def attack(arena: Arena) -> int:
        return (await arena.shake(arena.base + path)).status

    return attack


def shakes_oddly(method: str, version: str, body: bytes = b"") -> Attack:
    """The status of a handshake by another method or version of HTTP, or with a body."""

    async def attack(arena: Arena) -> int:
        async with arena.attacker() as client:
            length = {"Content-Length": str(len(body))} if body else {}
            fields = handshake(Host=arena.host, Cookie=client.cookie(), **length)
            data = head(method, arena.channels(client), fields).replace(b"HTTP/1.1", version.encode(), 1)
            return (await exchange(arena.url, data + body)).status

    return attack


async def chosen_of_hundreds(arena: Arena) -> str | None:
    """Which of six hundred subprotocols is taken."""
    names = ", ".join([f"evil-{number}" for number in range(600)])
    async with arena.attacker() as client:
        accepted = await arena.shake(arena.channels(client), Cookie=client.cookie(), Sec_WebSocket_Protocol=names)
        assert accepted.status == 101
        return accepted.header("sec-websocket-protocol")


async def slow_handshakes(arena: Arena) -> str:
    """A hundred handshakes that never end, a byte now and then: others are served meanwhile."""
    async with arena.attacker() as client:
        data = head("GET", arena.channels(client), handshake(Host=arena.host, Cookie=client.cookie()))
        connections = []
        try:
            connections += [await asyncio.open_connection(*arena.host.split(":")) for _ in range(100)]
            for byte in data[:40]:
                for _, writer in connections:
                    writer.write(bytes((byte,)))
                await arena.bystander.click()
        finally:
            for _, writer in connections:
                writer.transport.abort()
    return "served"


HANDSHAKES: Cases = {
    "at the page": (shakes_at(""), 403),
    "at the kernels": (shakes_at("api/kernels"), 403),
    "at resourcez": (shakes_at("resourcez"), 403),
    "at readyz": (shakes_at("readyz"), 403),
    "at a file": (shakes_at("static/main.js"), 404),
    "nowhere": (shakes_at("nowhere"), 403),
    "an old version": (shakes(Sec_WebSocket_Version="8"), 400),
    "a version that is none": (shakes(Sec_WebSocket_Version="thirteen"), 400),
    "no version": (shakes(Sec_WebSocket_Version=None), 400),
    "no key": (shakes(Sec_WebSocket_Key=None), 400),
    "a short key": (shakes(Sec_WebSocket_Key="YWJj"), 400),
    "a key that is none": (shakes(Sec_WebSocket_Key="\xff" * 16), 400),
    "an extension that is none": (shakes(Sec_WebSocket_Extensions="x-evil; a=b"), 101),
    "an extension with a false window": (shakes(Sec_WebSocket_Extensions=f"{DEFLATE}; server_max_window_bits=99"), 101),
    "four hundred extensions": (shakes(Sec_WebSocket_Extensions=", ".join([DEFLATE] * 400)), 101),
    "extensions that can't be read": (shakes(Sec_WebSocket_Extensions=';;,="'), 400),
    "subprotocols that can't be read": (shakes(Sec_WebSocket_Protocol="a b, \x7f"), 400),
    "hundreds of subprotocols": (chosen_of_hundreds, None),
    "thousands of subprotocols": (shakes(Sec_WebSocket_Protocol=", ".join(["evil"] * 4000)), 400),
    "a header that is too long": (shakes(X_Long="a" * 50_000), 400),
    "hundreds of headers": (shakes(**{f"X_{number}": "y" for number in range(500)}), 400),
    "another upgrade": (shakes(Upgrade="h2c"), 404),
    "no upgrade": (shakes(Upgrade=None), 404),
    "no connection to upgrade": (shakes(Connection="close"), 404),
    "by POST": (shakes_oddly("POST", "HTTP/1.1"), 405),
    "by HTTP/1.0": (shakes_oddly("GET", "HTTP/1.0"), 101),
    "with a body": (shakes_oddly("GET", "HTTP/1.1", b"x" * 1000), 400),
    "that never end": (slow_handshakes, "served"),
}


def frames(*sent: bytes, **headers: str) -> Attack:
    """The close code that frames are answered with."""

    async def attack(arena: Arena) -> int:
        async with arena.attacker() as client, arena.websocket(client, **headers) as socket:
            socket.send(*sent)
            return await socket.end()

    return attack


def talks(conversation: Callable[[RawSocket, Arena], Awaitable[object]], **headers: str) -> Attack:
    """What comes of a longer conversation."""

    async def attack(arena: Arena) -> object:
        async with arena.attacker() as client, arena.websocket(client, **headers) as socket:
            return await conversation(socket, arena)

    return attack


def deflated(data: bytes) -> bytes:
    """As permessage-deflate (RFC 7692) has it."""
    deflate = zlib.compressobj(wbits=-15)
    return (deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def info() -> bytes:
    """A question that is answered."""
    return frame(TEXT, json.dumps(message("kernel_info_request")).encode())


async def endless_fragments(socket: RawSocket, _arena: Arena) -> int:
    """A message in empty pieces, which never gets any larger."""
    socket.send(frame(TEXT, b"", fin=False))
    for _ in range(100):
        socket.send(frame(0, b"", fin=False) * 1000)
        await socket.writer.drain()
    return await socket.end()


async def pings_unread(socket: RawSocket, arena: Arena) -> str:
    """Pings for which nobody takes the answers: the server does not keep those."""
    socket.writer.transport.pause_reading()  # type: ignore[attr-defined]
    before = await _memory(arena)
    burst = frame(PING, b"x" * 125) * 1000
    try:
        async with asyncio.timeout(10):
            for _ in range(400):
                socket.send(burst)
                await socket.writer.drain()
    except (TimeoutError, ConnectionError):
        pass  # cut off, or not read any more
    grown = await _memory(arena) - before
    return "bounded" if grown < 20 * MEGABYTE else f"{grown:,} bytes more"


async def _memory(arena: Arena) -> int:
    data = (await arena.bystander.client.http.get(f"{arena.base}resourcez")).json()
    return int(data["process"]["memory"]["rss"])


async def pings_read(socket: RawSocket, arena: Arena) -> str:
    """Ten thousand pings: each is answered, and others are served meanwhile."""
    for _ in range(100):
        socket.send(frame(PING, b"x") * 100)
        pongs = 0
        while pongs < 100:
            opcode, _payload = await socket.receive()
            pongs += opcode == PONG
    await arena.bystander.click()
    return "served"


async def nothing_read(socket: RawSocket, _arena: Arena) -> int:
    """Questions, of the answers to which none is read."""
    socket.writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(900):
        socket.send(frame(TEXT, json.dumps(message("comm_info_request")).encode()))
    await socket.writer.drain()
    socket.writer.transport.resume_reading()  # type: ignore[attr-defined]
    return await socket.end()


async def gone_without_a_word(socket: RawSocket, _arena: Arena) -> int:
    """A network that is gone: nothing comes back, not even a pong. The server finds out by itself."""
    return await socket.end()


async def half_a_frame(socket: RawSocket, _arena: Arena) -> int:
    """A frame that never ends; nor is a ping answered."""
    socket.send(announced(TEXT, 100) + b"\x00" * 20)
    return await socket.end()


async def half_closed(socket: RawSocket, _arena: Arena) -> int:
    """The end of what the client has to say, and no more."""
    socket.writer.write_eof()
    return await socket.end()


async def another_request(socket: RawSocket, arena: Arena) -> int:
    """A plain request where frames are expected."""
    socket.send(head("GET", f"{arena.base}resourcez", {"Host": arena.host}))
    return await socket.end()


async def after_the_end(socket: RawSocket, _arena: Arena) -> int:
    """A close, and then more questions."""
    socket.send(frame(CLOSE, b"\x03\xe8"), info() * 100)
    return await socket.end()


LARGE = 250_000  # above what the server takes, 200 KB
FRAMES: Cases = {
    "unmasked": (frames(frame(TEXT, b"{}", masked=False)), 1002),
    "a reserved opcode": (frames(frame(3, b"x")), 1002),
    "a reserved control opcode": (frames(frame(11, b"x")), 1002),
    "a reserved bit": (frames(frame(TEXT, b"{}", rsv=1)), 1002),
    "all reserved bits": (frames(frame(TEXT, b"{}", rsv=7)), 1002),
    "compressed, which was not agreed on": (frames(frame(TEXT, deflated(b"{}"), rsv=4)), 1002),
    "a long ping": (frames(frame(PING, b"x" * 126)), 1002),
    "a long close": (frames(frame(CLOSE, b"\x03\xe8" + b"x" * 124)), 1002),
    "a ping in pieces": (frames(frame(PING, b"x", fin=False)), 1002),
    "a close of one byte": (frames(frame(CLOSE, b"x")), 1002),
    "a close code that is none": (frames(frame(CLOSE, b"\x03\xed")), 1002),
    "a close code below all": (frames(frame(CLOSE, b"\x00\x01")), 1002),
    "a close reason that is no UTF-8": (frames(frame(CLOSE, b"\x03\xe8\xff")), 1007),
    "a close code of one's own": (frames(frame(CLOSE, b"\x0f\xa1mine")), 4001),
    "text that is no UTF-8": (frames(frame(TEXT, b"\xff\xfe")), 1007),
    "text cut inside a letter": (frames(frame(TEXT, b'{"\xc3')), 1007),
    "text with a surrogate": (frames(frame(TEXT, b"\xed\xa0\x80")), 1007),
    "text that is no UTF-8, in pieces": (frames(frame(TEXT, b"\xc3", fin=False), frame(0, b"\x28")), 1007),
    "text that is no message": (frames(frame(TEXT, b"[1]")), 1007),
    "bytes that are no message": (frames(frame(BINARY, b"\x00" * 99)), 1007),
    "nothing": (frames(frame(TEXT), frame(BINARY)), 1007),
    "a huge announced length": (frames(announced(BINARY, 1 << 62)), 1009),
    "a length above all": (frames(bytes((0x82, 0xFF)) + b"\xff" * 8), 1009),
    "a length just above the limit": (frames(frame(TEXT, b" " * LARGE)), 1009),
    "pieces above the limit": (
        frames(frame(TEXT, b" " * (LARGE // 2), fin=False), frame(0, b" " * (LARGE // 2))),
        1009,
    ),
    "a piece without a beginning": (frames(frame(0, b"x")), 1002),
    "a beginning within a message": (frames(frame(TEXT, b"{", fin=False), frame(TEXT, b"}")), 1002),
    "pieces without an end": (talks(endless_fragments), 1008),
    "a bomb": (
        frames(frame(TEXT, deflated(b" " * 100 * MEGABYTE), rsv=4), Sec_WebSocket_Extensions=DEFLATE),
        1009,
    ),
    "a small bomb": (
        frames(frame(TEXT, deflated(b" " * 2 * MEGABYTE), rsv=4), Sec_WebSocket_Extensions=DEFLATE),
        1009,
    ),
    "a bomb in pieces": (
        frames(
            frame(TEXT, deflated(b" " * 50 * MEGABYTE)[:1000], rsv=4, fin=False),
            frame(0, deflated(b" " * 50 * MEGABYTE)[1000:]),
            Sec_WebSocket_Extensions=DEFLATE,
        ),
        1009,
    ),
    "compressed nonsense": (frames(frame(TEXT, b"\xff" * 50, rsv=4), Sec_WebSocket_Extensions=DEFLATE), 1002),
    "pings, read": (talks(pings_read), "served"),
    "pings, unread": (talks(pings_unread), "bounded"),
    "answers, unread": (talks(nothing_read), 1011),
    "no pong": (talks(gone_without_a_word), 1011),
    "half a frame": (talks(half_a_frame), 1011),
    "half closed": (talks(half_closed), 0),
    "a request among frames": (talks(another_request), 1002),
    "questions after the close": (talks(after_the_end), 1000),
    "pongs that nobody asked for": (frames(frame(PONG, b"x") * 1000, frame(CLOSE, b"\x03\xe8")), 1000),
}

CASES: Cases = {
    **{f"handshake: {name}": case for name, case in HANDSHAKES.items()},
    **{f"frame: {name}": case for name, case in FRAMES.items()},
}


async def many_connections(arena: Arena) -> str:
    """Two hundred connections that say nothing at all."""
    connections = [await asyncio.open_connection(*arena.host.split(":")) for _ in range(200)]
    await arena.bystander.click()
    for _, writer in connections:
        writer.transport.abort()
    return "served"


async def pipelined(arena: Arena) -> list[int]:
    """Many requests at once on one connection, each answered in its turn."""
    data = head("GET", f"{arena.base}readyz", {"Host": arena.host}) * 50
    async with dialled(arena.url) as (reader, writer):
        writer.write(data)
        return sorted({(await answer(reader)).status for _ in range(50)})


CASES |= {
    "connection: many that say nothing": (many_connections, "served"),
    "connection: many requests at once": (pipelined, [200]),
}
