"""A page's websocket connection goes with its page."""

import asyncio
import gc
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
import uvicorn.protocols.websockets.websockets_sansio_impl  # as uvicorn does before it starts an app
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect

from solara_ctx import patching
from solara_ctx.patching import connections
from solara_ctx.web.uvicorn_ws import PageWebSocket
from tests.support.fakes import PATIENCE_S
from tests.support.kernels import patched
from tests.support.service import eventually


@pytest.fixture
def without_gc() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


class Seen:
    """What the server's side of a connection consists of, weakly."""

    def __init__(self) -> None:
        self.parts: dict[str, weakref.ref[Any]] = {}
        self.lost = asyncio.Event()

    def look(self, server: uvicorn.Server) -> None:
        """Find the one connection that is open."""
        (protocol,) = server.server_state.connections
        for name, part in {
            "protocol": protocol,
            "transport": protocol.transport,
            **({"socket's transport": protocol.transport.below} if isinstance(protocol, PageWebSocket) else {}),  # type: ignore[attr-defined]
            "connection": protocol.conn,  # type: ignore[union-attr]
            "extension": protocol.conn.extensions[0],  # type: ignore[union-attr]
        }.items():
            self.parts[name] = weakref.ref(part)

    def alive(self) -> list[str]:
        return [name for name, part in self.parts.items() if part() is not None]


async def serve_one_connection(*, abort: bool, ws: "str | type[asyncio.Protocol]" = "websockets-sansio") -> Seen:
    """A server of uvicorn's, a connection with a message either way, and its end, by a handshake or without a word."""
    seen = Seen()

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        seen.look(server)
        async for text in websocket.iter_text():
            await websocket.send_text(text * 2)
        seen.lost.set()

    app = Starlette(routes=[WebSocketRoute("/", talk)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws=ws, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENCE_S):
        await eventually(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/", proxy=None) as socket:
            await socket.send("ab")
            assert await socket.recv() == "abab"
            if abort:
                socket.transport.abort()
        await seen.lost.wait()
        await eventually(lambda: not server.server_state.connections)
        server.should_exit = True
        await serving
    return seen


@pytest.mark.usefixtures("without_gc")
@pytest.mark.parametrize("abort", [False, True])
@pytest.mark.parametrize("ws", ["websockets-sansio", PageWebSocket])
async def test_reference_counting_frees_a_connection(ws: "str | type[asyncio.Protocol]", *, abort: bool) -> None:
    """Protocol, transport, parser and compression, however it has ended; of our own websocket, too."""
    with patched():
        seen = await serve_one_connection(abort=abort, ws=ws)
        assert len(seen.parts) == (4 if isinstance(ws, str) else 5)
        assert seen.alive() == []


@pytest.mark.usefixtures("without_gc")
async def test_upstream_still_needs_it() -> None:
    """Once this fails, the patch can go."""
    assert "connection" in (await serve_one_connection(abort=False)).alive()


def test_another_server_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where uvicorn's websockets are not loaded, nothing is patched, or loaded for it."""
    monkeypatch.delitem(sys.modules, connections._SERVER, raising=False)
    assert connections.patches() == ()
    with patched():
        assert connections._SERVER not in sys.modules
        assert all("connection_lost" not in str(patch) for patch in patching.stack.applied)
