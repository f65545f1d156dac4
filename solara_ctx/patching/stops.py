"""A server that stops says so while its connections are open, for whoever has something to tell the pages.

uvicorn needs no patch: it stops by a signal, which can be heard first.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any

from solara_ctx.patching.stack import Patch

_SERVER = "hypercorn.asyncio.run"

Listener = Callable[[], Awaitable[object]]
_listeners: dict[object, Listener] = {}


def patches() -> Sequence[Patch]:
    """The patch of hypercorn; none in a process that has another server."""
    # Loaded before an app starts, where it serves.
    server = sys.modules.get(_SERVER)
    if server is None:
        return ()
    return (
        Patch(
            target=server,
            attribute="raise_shutdown",
            make=_telling_first,
            why="its worker processes are told to stop by no signal, and tell the app only after they have waited for "
            "all connections",
            upstream="hypercorn 0.18",
        ),
    )


def on_server_stop(listener: Listener) -> Callable[[], None]:
    """Call and await *listener* when hypercorn is about to stop, on its event loop; it waits for that.  Any thread.

    Returns:
        A function that takes the listener off again, harmless to call twice.
    """
    entry = object()  # the same function may be registered twice
    _listeners[entry] = listener

    def unregister() -> None:
        _listeners.pop(entry, None)

    return unregister


def _telling_first(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @wraps(original)
    async def raise_shutdown(shutdown_event: Callable[..., Awaitable[Any]]) -> None:
        async def told() -> None:
            await shutdown_event()
            await asyncio.gather(*(listener() for listener in list(_listeners.values())))

        await original(told)

    return raise_shutdown
