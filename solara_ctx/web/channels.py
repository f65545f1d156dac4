"""The websocket of a page, on Jupyter's path and with Jupyter's protocol."""

import asyncio
import logging
import re
import weakref
from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from solara_ctx.context import VirtualKernelContext
from solara_ctx.errors import KernelContextError
from solara_ctx.lifecycle import CloseCode
from solara_ctx.registry import KernelRegistry
from solara_ctx.run import PageFunction
from solara_ctx.web.outbox import FLUSH, Outbox
from solara_ctx.web.paths import page_location
from solara_ctx.web.rate import RateLimit
from solara_ctx.web.refusals import (
    FOREIGN_ORIGIN,
    NO_SESSION,
    STOPPING,
    Refusal,
    RequestRefused,
    refusal_for,
)
from solara_ctx.web.session import Sessions, origin_allowed, user_of

log = logging.getLogger(__name__)

SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"
"""Jupyter's newer framing; see `solara_ctx.jupyter.wire`."""
PAGE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")

FindPage = Callable[[HTTPConnection], PageFunction | None]


class Channels:
    """Serves the websockets of one `KernelApp`.  Loop only."""

    def __init__(self, registry: KernelRegistry, sessions: Sessions, find_page: FindPage) -> None:
        self._registry = registry
        self._sessions = sessions
        self._find_page = find_page
        self._open: set[Outbox] = set()
        self._opened_total = 0
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def open_count(self) -> int:
        """How many websockets are open."""
        return len(self._open)

    @property
    def opened_total(self) -> int:
        """How many were opened since the service began."""
        return self._opened_total

    def none_open(self) -> "asyncio.Future[None]":
        """Done once no websocket is open."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._open:
            self._waiting.append(future)
        else:
            future.set_result(None)
        return future

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One websocket, from its handshake to its end.

        An ASGI app and no endpoint of Starlette's, whose websockets would look at each frame twice more.
        """
        websocket = WebSocket(scope, receive, send)
        subprotocol = SUBPROTOCOL if SUBPROTOCOL in websocket.scope.get("subprotocols", ()) else None
        outbox = Outbox(
            asyncio.get_running_loop(),
            subprotocol,
            limit_bytes=self._registry.settings.kernel_outbox_limit,
            hears_widgets=websocket.query_params.get("widgets") != "later",
        )
        try:
            guest = self._connect(websocket, outbox)
        except RequestRefused as refused:
            log.info("refused a websocket: %s", refused.refusal.message)
            await _refuse(websocket, refused.refusal)
            return
        self._open.add(outbox)
        self._opened_total += 1
        try:
            end = await self._converse(websocket, send, outbox, guest)
            if end is not None:
                await _close(websocket, *end)
        finally:
            self._open.discard(outbox)
            if not self._open:
                self._tell_waiting()

    async def _converse(
        self, websocket: WebSocket, send: Send, outbox: Outbox, guest: "_Guest"
    ) -> tuple[int, str] | None:
        """All that is said, until the page or the kernel ends it: with what to close the websocket then."""
        receiver: asyncio.Task[None] | None = None
        try:
            await websocket.accept(outbox.subprotocol)
            receiver = asyncio.create_task(self._receive(websocket, outbox, guest))
            flush = (websocket.scope.get("extensions") or {}).get(FLUSH, {}).get("flush")
            return await outbox.send_to(send, flush)
        finally:
            # First of all: what follows may have to wait for a page that does not answer.
            _disconnect(guest)
            if receiver is not None and not receiver.done():
                receiver.cancel()
                await asyncio.wait((receiver,))

    def _tell_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _connect(self, websocket: WebSocket, outbox: Outbox) -> "_Guest":
        """Let the page in.

        Raises:
            RequestRefused: it may not come in.
        """
        session_id = self._session_of(websocket)
        page_id = websocket.query_params.get("session_id", "")
        if not PAGE_ID.fullmatch(page_id):
            raise RequestRefused(Refusal(400, "bad-page-id", "session_id has to be 1 to 64 letters, digits, or . - _"))
        location = page_location(websocket)
        page = None if location is None else self._find_page(location)
        if page is None:
            raise RequestRefused(Refusal(404, "no-such-page", "location does not name a page of this app"))
        if self._registry.draining:
            raise RequestRefused(STOPPING)
        kernel_id = websocket.path_params["kernel_id"]
        try:
            connection = self._registry.connect(
                kernel_id, session_id, page_id, sink=outbox, page=page, user=user_of(websocket)
            )
        except KernelContextError as error:
            raise RequestRefused(refusal_for(error)) from None
        return _Guest(page_id, weakref.ref(connection.context), connection.number)

    def _session_of(self, websocket: WebSocket) -> str:
        if not origin_allowed(websocket, self._registry.settings.allowed_origins):
            raise RequestRefused(FOREIGN_ORIGIN)
        session_id = self._sessions.find(websocket)
        if session_id is None:
            raise RequestRefused(NO_SESSION)
        return session_id

    async def _receive(self, websocket: WebSocket, outbox: Outbox, guest: "_Guest") -> None:
        limit = self._registry.settings.websocket_max_frame
        now = asyncio.get_running_loop().time
        rate = RateLimit(self._registry.settings.websocket_max_rate, now())
        try:
            while True:
                message = await websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if not rate.allows(now()):
                    outbox.close(CloseCode.POLICY, "too-fast")
                    return
                text = message.get("text")
                frame = text if text is not None else message["bytes"]
                if len(frame) > limit:
                    outbox.close(CloseCode.TOO_BIG, "too-big")
                    return
                context = guest.context()
                if context is None:
                    return
                outbox.hold()
                room = None if context.receive(guest.page_id, frame) else _room_in(context)
                del context, message, text, frame
                if room is not None:
                    await room.wait()
        except (WebSocketDisconnect, RuntimeError):
            return
        finally:
            # Nobody listens any more: let the sender end.
            outbox.close(CloseCode.DONE, "closed")


class _Guest(NamedTuple):
    """A page that was let in."""

    page_id: str
    # The frames of its websocket may wait a long time for the network; they must not be what keeps the kernel.
    context: weakref.ref[VirtualKernelContext]
    number: int


def _disconnect(guest: _Guest) -> None:
    context = guest.context()
    if context is not None:
        # The registry sees to the cull; nobody here waits for it.
        _ = context.page_disconnect(guest.page_id, guest.number)


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    """Close a websocket; a page that takes no more bytes, not even these, just loses its connection."""
    try:
        async with asyncio.timeout(_CLOSE_GRACE_S):
            await websocket.close(code, reason)
    except (TimeoutError, WebSocketDisconnect, RuntimeError):
        # Starlette raises the last where the other side has closed while we were about to.
        return


async def _refuse(websocket: WebSocket, refusal: Refusal) -> None:
    """Turn a handshake away so that the other side learns why.

    A stranger does not get past the handshake.  Our own page does, where what it asked for is not to be had just
    now: a browser shows a page the close code and reason of a websocket, but of a refused handshake nothing at all.
    """
    if refusal.close_code is not None:
        await websocket.accept()
        await websocket.close(refusal.close_code, refusal.reason)
    elif refusal.status == _FORBIDDEN:
        # The server's own answer to a close before the accept (ASGI's websocket spec).  Not a denial response: after
        # one, uvicorn 0.54's websockets-sansio logs an error about an incomplete handshake.
        await websocket.close(CloseCode.POLICY, refusal.reason)
    else:
        await websocket.send_denial_response(JSONResponse(refusal.body(), refusal.status, refusal.headers()))


def _room_in(context: VirtualKernelContext) -> asyncio.Event:
    """An event that is set when the kernel can take more."""
    room, loop = asyncio.Event(), asyncio.get_running_loop()

    def there_is_room() -> None:
        loop.call_soon_threadsafe(room.set)

    context.when_drained(there_is_room)
    return room


_FORBIDDEN = 403
# A slow page learns why it is cut off; one that is dead is not waited for.
_CLOSE_GRACE_S = 5.0
