"""The websocket of a page, on Jupyter's path and with Jupyter's protocol."""

import asyncio
import logging
import random
import re
import weakref
from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from solara_ctx.context import VirtualKernelContext
from solara_ctx.errors import KernelContextError
from solara_ctx.lifecycle import CloseCode
from solara_ctx.registry import KernelRegistry
from solara_ctx.run import PageFunction
from solara_ctx.web.conversation import Conversation, Guest
from solara_ctx.web.outbox import Outbox
from solara_ctx.web.paths import mount_url, page_location
from solara_ctx.web.rate import RateLimit
from solara_ctx.web.refusals import (
    FOREIGN_ORIGIN,
    NO_SESSION,
    STOPPING,
    Refusal,
    RequestRefused,
    refusal_for,
)
from solara_ctx.web.replay import ReplayLimits
from solara_ctx.web.resume import RESUME
from solara_ctx.web.session import Sessions, origin_allowed, user_of

log = logging.getLogger(__name__)

JUPYTER = "v1.kernel.websocket.jupyter.org"
"""Jupyter's newer framing; see `solara_ctx.jupyter.wire`."""
PAGE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")

FindPage = Callable[[HTTPConnection], PageFunction | None]


class Channels:
    """Serves the websockets of one `KernelApp`.  Loop only."""

    def __init__(self, registry: KernelRegistry, sessions: Sessions, find_page: FindPage) -> None:
        self._registry = registry
        self._sessions = sessions
        self._find_page = find_page
        self._open: set[Conversation] = set()
        self._opened_total = self._leaving = 0
        self._waiting: list[asyncio.Future[None]] = []
        # Of each kernel, whoever connects: a page that comes back would have a burst to spend again.
        self._rates: weakref.WeakKeyDictionary[VirtualKernelContext, RateLimit] = weakref.WeakKeyDictionary()

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
        subprotocol, resumes = _agree(websocket)
        try:
            guest, outbox = self._connect(websocket, JUPYTER if resumes else subprotocol, resumes=resumes)
        except RequestRefused as refused:
            log.info("refused a websocket: %s", refused.refusal.message)
            await _refuse(websocket, refused.refusal)
            return
        conversation = Conversation(
            websocket,
            send,
            outbox=outbox,
            guest=guest,
            settings=self._registry.settings,
            rate=self._rate_of(guest, resumes=resumes),
            resumes=resumes,
        )
        del outbox
        self._open.add(conversation)
        self._opened_total += 1
        try:
            end = await conversation.run(subprotocol)
            if end is not None:
                await _close(websocket, *end)
        finally:
            self._open.discard(conversation)
            if not self._open:
                self._tell_waiting()

    def _tell_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _connect(self, websocket: WebSocket, framing: str | None, *, resumes: bool) -> tuple[Guest, Outbox]:
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
        outbox = self._known_outbox(kernel_id, page_id) if resumes else None
        if outbox is None:
            outbox = self._make_outbox(framing, resumes=resumes)
        try:
            connection = self._registry.connect(
                kernel_id,
                session_id,
                page_id,
                sink=outbox,
                page=page,
                user=user_of(websocket),
                base_url=mount_url(websocket.scope),
                returns="returns" in websocket.query_params,
            )
        except KernelContextError as error:
            raise RequestRefused(refusal_for(error)) from None
        return Guest(page_id, weakref.ref(connection.context), connection.number), outbox

    def _rate_of(self, guest: Guest, *, resumes: bool) -> RateLimit:
        context, settings = guest.context(), self._registry.settings
        # A page that comes back sends what it has kept, and what was done meanwhile, all at once.
        burst = 2 * settings.replay_max_messages + _QUESTIONS if resumes else 0
        rate = RateLimit(settings.websocket_max_rate, asyncio.get_running_loop().time(), at_least=burst)
        return rate if context is None else self._rates.setdefault(context, rate)

    def _known_outbox(self, kernel_id: str, page_id: str) -> Outbox | None:
        """What the page has left behind when it lost its connection; nothing is done with it before it is let in."""
        context = self._registry.get(kernel_id)
        sink = None if context is None else context.page_sink(page_id)
        return sink if isinstance(sink, Outbox) and sink.outlives_connection else None

    def _make_outbox(self, framing: str | None, *, resumes: bool) -> Outbox:
        settings = self._registry.settings
        limits = ReplayLimits(settings.replay_max_messages, settings.replay_max_size, settings.replay_max_age)
        return Outbox(
            asyncio.get_running_loop(),
            framing,
            limit_bytes=settings.kernel_outbox_limit,
            replay=limits if resumes else None,
            return_after_s=self._return_after_s,
        )

    def _return_after_s(self) -> float:
        """When a page may come back after the server has stopped: all of them at once would be too much for the next
        one.
        """
        # Those who are told last are as many as those who were told first: by then most connections have ended.
        self._leaving = max(self._leaving, len(self._open))
        longest_s = min(_RETURN_WITHIN_S, _RETURN_AFTER_S + self._leaving / _RETURNS_PER_S)
        return random.uniform(_RETURN_AFTER_S, longest_s)  # noqa: S311 - chance, not secrecy

    def _session_of(self, websocket: WebSocket) -> str:
        if not origin_allowed(websocket, self._registry.settings.allowed_origins):
            raise RequestRefused(FOREIGN_ORIGIN)
        session_id = self._sessions.find(websocket)
        if session_id is None:
            raise RequestRefused(NO_SESSION)
        return session_id


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


def _agree(websocket: WebSocket) -> tuple[str | None, bool]:
    """The subprotocol to accept, and whether a page is there that can resume.

    Such a page names its protocol in the address where a proxy has dropped the header: a browser refuses a handshake
    whose answer does not name what it has asked for, so it asks for nothing then.
    """
    offered = websocket.scope.get("subprotocols", ())
    if RESUME in offered:
        return RESUME, True
    if websocket.query_params.get("protocol") == RESUME:
        return None, True
    return (JUPYTER if JUPYTER in offered else None), False


_FORBIDDEN = 403
# A slow page learns why it is cut off; one that is dead is not waited for.
_CLOSE_GRACE_S = 5.0
# A person who looks at the page does not wait long, and the server that comes next gets so many pages a second; each
# costs it 5 to 7 ms (docs/performance.md).
_RETURN_AFTER_S = 0.5
_RETURNS_PER_S = 100
_RETURN_WITHIN_S = 60.0
_QUESTIONS = 100
