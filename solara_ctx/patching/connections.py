"""A page's websocket connection goes with its page.

Two cycles would leave it to the garbage collector: in `websockets`, a protocol refers to its parser, a generator, and
that to the protocol; in asyncio, a transport refers to a method of its own.  Measured: 16 KB for each page that has
gone, and 60 KB where messages are compressed.
"""

import contextlib
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from solara_ctx.patching.stack import Patch

_SERVER = "uvicorn.protocols.websockets.websockets_sansio_impl"
_READ = "_read_ready_cb"


def patches() -> Sequence[Patch]:
    """The patch of uvicorn's connections; none in a process that has another server."""
    # Loaded by uvicorn before an app starts, where it serves websockets with it.
    server = sys.modules.get(_SERVER)
    if server is None:
        return ()
    return (
        Patch(
            target=server.WebSocketsSansIOProtocol,
            attribute="connection_lost",
            make=_breaking_cycles,
            why="nobody closes the parser of a connection that is lost, and so it keeps the connection",
            upstream="uvicorn 0.54, websockets 17, CPython 3.11 to 3.13",
        ),
    )


def _breaking_cycles(connection_lost: Callable[[Any, Exception | None], None]) -> Callable[..., None]:
    @wraps(connection_lost)
    def lost(protocol: Any, error: Exception | None) -> None:
        try:
            connection_lost(protocol, error)
        finally:
            # Nothing more is read.  A parser that is just running (ValueError) is left to the collector.
            with contextlib.suppress(AttributeError, ValueError):
                protocol.conn.parser.close()
            transport = getattr(protocol, "transport", None)
            if getattr(transport, _READ, None) is not None:  # uvloop's has none
                setattr(transport, _READ, None)

    return lost
