"""Kernels over HTTP, on Jupyter's paths and with Jupyter's models, and the beacon of a page that is leaving.

The paths and models are those of jupyter_server's REST API, `api/kernels`.  A session sees its own kernels only.
"""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from solara_ctx.context import VirtualKernelContext
from solara_ctx.errors import ContextClosed, KernelContextError, redact
from solara_ctx.lifecycle import CloseReason, PageStatus, State
from solara_ctx.registry import KernelRegistry
from solara_ctx.web.issuing import Issuer
from solara_ctx.web.paths import mount_url
from solara_ctx.web.refusals import FOREIGN_ORIGIN, NO_SESSION, STOPPING, Refusal, RequestRefused, refusal_for
from solara_ctx.web.session import Sessions, origin_allowed, user_of

log = logging.getLogger(__name__)

_SPEC_NAME = "python3"
_NO_STORE = {"Cache-Control": "no-store"}

Handler = Callable[[Request, str], Awaitable[Response]]


class KernelsApi:
    """The REST routes of one `KernelApp`.  Loop only."""

    def __init__(self, registry: KernelRegistry, sessions: Sessions, issuer: Issuer) -> None:
        self._registry = registry
        self._sessions = sessions
        self._issuer = issuer

    def routes(self) -> list[BaseRoute]:
        """The routes, relative to the mount."""
        kernel = "/api/kernels/{kernel_id}"
        return [
            Route("/api/kernels", self._list, methods=["GET"]),
            Route("/api/kernels", self._issue, methods=["POST"]),
            Route(kernel, self._guarded(self._show), methods=["GET"]),
            Route(kernel, self._guarded(self._delete), methods=["DELETE"]),
            Route(f"{kernel}/interrupt", self._guarded(self._interrupt), methods=["POST"]),
            Route(f"{kernel}/restart", self._guarded(self._restart), methods=["POST"]),
            Route(f"{kernel}/pages/{{page_id}}/close", self._page_closed, methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        session_id = self._sessions.find(request)
        kernels = [] if session_id is None else self._registry.of_session(session_id)
        try:
            user = user_of(request)
        except KernelContextError as error:
            return _refuse(refusal_for(error))
        own = [_model(context) for context in kernels if context.user == user]
        return JSONResponse(own, headers=_NO_STORE)

    async def _issue(self, request: Request) -> Response:
        refusal = self._foreign(request) or self._stopping()
        if refusal is not None:
            return _refuse(refusal)
        try:
            kernel_id, remember = self._issuer.issue(request)
        except RequestRefused as refused:
            return _refuse(refused.refusal)
        location = f"{mount_url(request.scope)}api/kernels/{kernel_id}"
        response = JSONResponse(_not_started(kernel_id), status_code=201, headers={"Location": location, **_NO_STORE})
        remember(response)
        return response

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            session = self._session_of(request)
            if isinstance(session, Refusal):
                return _refuse(session)
            try:
                return await handler(request, session)
            except KernelContextError as error:
                return _refuse(refusal_for(error))

        return guarded

    async def _show(self, request: Request, session_id: str) -> Response:
        kernel_id = request.path_params["kernel_id"]
        context = self._registry.find(kernel_id, session_id, user_of(request))
        return JSONResponse(_not_started(kernel_id) if context is None else _model(context), headers=_NO_STORE)

    async def _delete(self, request: Request, session_id: str) -> Response:
        context = self._registry.find(request.path_params["kernel_id"], session_id, user_of(request))
        if context is not None:
            await context.aclose(CloseReason.SHUTDOWN_REQUESTED)
        return Response(status_code=204)

    async def _interrupt(self, request: Request, session_id: str) -> Response:
        context = self._registry.find(request.path_params["kernel_id"], session_id, user_of(request))
        if context is not None:
            context.interrupt()
        return Response(status_code=204)

    async def _restart(self, request: Request, session_id: str) -> Response:
        kernel_id = request.path_params["kernel_id"]
        context = self._registry.find(kernel_id, session_id, user_of(request))
        if context is not None:
            context.restart()
        return JSONResponse(_not_started(kernel_id) if context is None else _model(context), headers=_NO_STORE)

    async def _page_closed(self, request: Request) -> Response:
        """The beacon.  It may come before or after the websocket's end, twice, or for a page that nobody knows."""
        session = self._session_of(request)
        if isinstance(session, Refusal):
            return _refuse(session)
        kernel_id = request.path_params["kernel_id"]
        try:
            context = self._registry.find(kernel_id, session, user_of(request))
        except ContextClosed:
            return Response(status_code=204)
        except KernelContextError as error:
            return _refuse(refusal_for(error))
        if context is not None:
            log.debug("a page of kernel %s has closed", redact(kernel_id))
            context.page_close(request.path_params["page_id"])
        return Response(status_code=204)

    def _session_of(self, request: Request) -> str | Refusal:
        foreign = self._foreign(request)
        if foreign is not None:
            return foreign
        return self._sessions.find(request) or NO_SESSION

    def _foreign(self, request: Request) -> Refusal | None:
        return None if origin_allowed(request, self._registry.settings.allowed_origins) else FOREIGN_ORIGIN

    def _stopping(self) -> Refusal | None:
        return STOPPING if self._registry.draining else None


def _refuse(refusal: Refusal) -> Response:
    log.info("refused a request: %s", refusal.message)
    return JSONResponse(refusal.body(), refusal.status, refusal.headers())


def _not_started(kernel_id: str) -> dict[str, object]:
    return {"id": kernel_id, "name": _SPEC_NAME, "execution_state": "starting", "connections": 0}


def _model(context: VirtualKernelContext) -> dict[str, object]:
    connected = sum(status is PageStatus.CONNECTED for status in context.page_status.values())
    execution_state = {State.OPEN: "idle", State.RESTARTING: "restarting"}.get(context.state, "terminating")
    return {
        "id": context.id,
        "name": _SPEC_NAME,
        "execution_state": execution_state,
        "connections": connected,
    }
