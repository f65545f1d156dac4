"""A bad network: a relay between a browser and a server that does to their connections what networks do.

Chromium's own "offline" does not do: while it is set, a websocket with frames under way in the page is never told that
its connection has ended (2 of 30 pages that had just opened stayed as they were, on a busy machine).
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 65_536
_BLACK_HOLE_S = 0.3


class Wire:
    """One connection of the browser, and the one to the server that belongs to it."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near = near
        self.far = far
        self.head = b""
        """The first bytes that the browser has sent: the handshake."""
        self.is_swallowed = False
        """Whether everything is lost on the way, without a word."""
        self.next_is_cut_short = False
        self.lag: Callable[[], float] | None = None
        """How long each chunk takes, in seconds."""

    @property
    def is_websocket(self) -> bool:
        return b"upgrade: websocket" in self.head.lower()

    def reset(self) -> None:
        """Both ends learn at once that it is gone; what is on the way is lost."""
        for writer in (self.near, self.far):
            writer.transport.abort()


class BadNetwork:
    """A relay to one server.

    Args:
        server_url: Where connections lead to.
        seed: What happens by chance happens again with the same one.
    """

    def __init__(self, server_url: str, *, seed: int = 0) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
        self._target = _address(server_url)
        self._listener: asyncio.Server | None = None
        self._wires: set[Wire] = set()
        self._is_down = False

    @property
    def url(self) -> str:
        """Where the browser finds the server at the other end."""
        assert self._listener is not None, "enter the context first"
        host, port = self._listener.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.close()
        self.down()

    @property
    def websockets(self) -> list[Wire]:
        """The connections that are websockets."""
        return [wire for wire in self._wires if wire.is_websocket]

    def lead_to(self, server_url: str) -> None:
        """Let connections that begin from now on lead to another server."""
        self._target = _address(server_url)

    def down(self) -> None:
        """Nothing connects, and nothing is connected."""
        self._is_down = True
        for wire in self._wires:
            wire.reset()

    def up(self) -> None:
        """Connections may begin again."""
        self._is_down = False

    # What may happen to a websocket

    async def reset(self, wire: Wire) -> None:
        """It is reset: a router has forgotten it."""
        wire.reset()

    async def close(self, wire: Wire) -> None:
        """It ends in good order on TCP's level, and without a word on that of websockets."""
        for writer in (wire.near, wire.far):
            writer.close()

    async def half_close(self, wire: Wire) -> None:
        """One side hears that the other has ended, which goes on for a while."""
        writer = self.chance.choice((wire.near, wire.far))
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()
        await asyncio.sleep(_BLACK_HOLE_S * self.chance.random())
        wire.reset()

    async def truncate(self, wire: Wire) -> None:
        """It is reset in the midst of a frame."""
        wire.next_is_cut_short = True
        await asyncio.sleep(_BLACK_HOLE_S)
        wire.reset()

    async def swallow(self, wire: Wire) -> None:
        """Everything is lost for a while, and then it is reset."""
        wire.is_swallowed = True
        await asyncio.sleep(_BLACK_HOLE_S * self.chance.random())
        wire.reset()

    async def delay(self, wire: Wire) -> None:
        """Everything takes longer, and then it is reset."""
        wire.lag = lambda: 0.05 * self.chance.random()
        await asyncio.sleep(_BLACK_HOLE_S * self.chance.random())
        wire.reset()

    async def duplicate(self, wire: Wire) -> None:
        """Its handshake comes once more, late: the server believes that the page has come back on another connection,
        of which the page knows nothing, and ends the one that the page has.
        """
        with contextlib.suppress(OSError):
            _, far = await asyncio.open_connection(*self._target)
            far.write(wire.head)
            await asyncio.sleep(_BLACK_HOLE_S * self.chance.random())
            far.transport.abort()

    @property
    def faults(self) -> list[Callable[[Wire], Awaitable[None]]]:
        """All that may happen."""
        return [self.reset, self.close, self.half_close, self.truncate, self.swallow, self.delay, self.duplicate]

    # The relay

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_down:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        wire = Wire(writer, far_writer)
        self._wires.add(wire)
        try:
            await asyncio.gather(self._pump(wire, reader, far_writer), self._pump(wire, far_reader, writer))
        except OSError:
            pass  # one side has ended; so does the other
        finally:
            self._wires.discard(wire)
            wire.reset()

    async def _pump(self, wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            if writer is wire.far and not wire.head:
                wire.head = chunk
            if wire.is_swallowed:
                continue
            if wire.lag is not None:
                await asyncio.sleep(wire.lag())
            if wire.next_is_cut_short:
                writer.write(chunk[: self.chance.randrange(len(chunk))])
                wire.is_swallowed = True
                continue
            writer.write(chunk)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
