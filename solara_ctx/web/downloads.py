"""`/files`: what page code offers to its browser, for the kernel's session and user, as long as the kernel lives."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from solara_ctx.context import VirtualKernelContext
from solara_ctx.errors import ContextClosed, KernelContextError
from solara_ctx.files import KernelFiles, Made, OfferedFile
from solara_ctx.lifecycle import State
from solara_ctx.registry import KernelRegistry
from solara_ctx.web.making import Making
from solara_ctx.web.refusals import FOREIGN_ORIGIN, NO_SESSION, Refusal, RequestRefused, refusal_for
from solara_ctx.web.session import Sessions, origin_allowed, user_of
from solara_ctx.web.templates import render_message
from solara_ctx.workers import WorkerPool

log = logging.getLogger(__name__)

PATH = "/files/{kernel_id}/{token}/{name}"
# So many functions of one kernel make a file at a time: each may keep a worker thread busy, that others want as well.
_MAKING_AT_ONCE = 4
_SLICE_BYTES = 65_536

NO_FILE = Refusal(404, "no-such-file", "there is no such file; it is offered no longer, or its page was closed")
"""Nobody offers it."""
TOO_MANY_FILES = Refusal(429, "too-many-downloads", "too many files of this page are being made; try again soon", 5)
"""The kernel makes as many files as it may."""


class Downloads:
    """The files of one `KernelApp`.  Loop only."""

    def __init__(self, registry: KernelRegistry, sessions: Sessions) -> None:
        self._registry = registry
        self._sessions = sessions

    def routes(self) -> list[BaseRoute]:
        """The routes, relative to the mount."""
        return [Route(PATH, self._answer, methods=["GET"])]

    async def _answer(self, request: Request) -> Response:
        try:
            context, file = self._find(request)
        except RequestRefused as refused:
            return _refuse(refused.refusal)
        if isinstance(file.content, Path):
            return await _from_disk(file, file.content)
        if isinstance(file.content, bytes):
            return _from_memory(file, file.content)
        if request.method == "HEAD":
            return Response(headers=_headers(file), media_type=file.media_type)
        if context.files.in_the_making >= _MAKING_AT_ONCE:
            return _refuse(TOO_MANY_FILES)
        return _MadeFile(_Order(file, file.content, context), self._registry.workers)

    def _find(self, request: Request) -> tuple[VirtualKernelContext, OfferedFile]:
        """The file and its kernel, for who may have them.

        Raises:
            RequestRefused: there is none, or who asks may not have it.
        """
        if not origin_allowed(request, self._registry.settings.allowed_origins):
            raise RequestRefused(FOREIGN_ORIGIN)
        session_id = self._sessions.find(request)
        if session_id is None:
            raise RequestRefused(NO_SESSION)
        asked = request.path_params
        try:
            context = self._registry.find(asked["kernel_id"], session_id, user_of(request))
        except ContextClosed:
            raise RequestRefused(NO_FILE) from None
        except KernelContextError as error:
            raise RequestRefused(refusal_for(error)) from None
        is_open = context is not None and context.state is State.OPEN
        file = context.files.find(asked["token"], asked["name"]) if context is not None and is_open else None
        if context is None or file is None:
            raise RequestRefused(NO_FILE)
        return context, file


class _Order(NamedTuple):
    """A file that is to be made."""

    file: OfferedFile
    make: Callable[[], Made]
    context: VirtualKernelContext


class _MadeFile(Response):
    """A file that a function makes while it is sent, in a task of the kernel's: whose end is the download's, too."""

    def __init__(self, order: _Order, workers: WorkerPool) -> None:
        super().__init__(headers=_headers(order.file), media_type=order.file.media_type)
        del self.headers["content-length"]
        self._order = [order]
        self._workers = workers
        self._is_sent = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The task alone holds what is the kernel's: it ends with that, and this here some turns of the loop later.
        order = self._order.pop()
        asgi = (scope, receive, partial(self._pass_on, send))
        coroutine = self._send(order.file, order.make, order.context.files, asgi)
        try:
            sent = asyncio.wrap_future(order.context.create_task(coroutine, name=f"download of {order.file.name}"))
        except ContextClosed:
            await _refuse(NO_FILE)(scope, receive, send)
            return
        del order, coroutine
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            # Where the kernel has ended, the browser sees a connection that ends too early.
            await asyncio.wait([sent, gone], return_when=asyncio.FIRST_COMPLETED)
            if self._is_sent:  # who has it all may leave; what is left to do is done
                await asyncio.wait([sent])
        finally:
            gone.cancel()
            sent.cancel()
            if sent.done() and not sent.cancelled():
                sent.exception()  # logged by now

    async def _pass_on(self, send: Send, message: Message) -> None:
        await send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_sent = True

    async def _send(
        self, file: OfferedFile, make: Callable[[], Made], files: KernelFiles, asgi: tuple[Scope, Receive, Send]
    ) -> None:
        making = Making(make, self._workers)
        with _counted(files):
            try:
                try:
                    made = await making.on_worker(making.begin)
                except Exception:
                    message = "Something went wrong in the app while it was made."
                    await render_message("This file can't be had", message, 500, {})(*asgi)
                    raise  # into the log
                if isinstance(made, Path):
                    await (await _from_disk(file, made))(*asgi)
                elif isinstance(made, bytes):
                    await _from_memory(file, made)(*asgi)
                else:
                    await self._stream(making, asgi[2])
            finally:
                await making.on_worker(making.close)

    async def _stream(self, making: Making, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        more = True
        while more:
            data, more = await making.on_worker(making.go_on)
            await send({"type": "http.response.body", "body": data, "more_body": more})
            del data


async def _from_disk(file: OfferedFile, path: Path) -> Response:
    try:
        found = await anyio.to_thread.run_sync(path.stat)
    except OSError as error:
        log.warning("the file %s that a kernel offers as %s can't be read: %s", path, file.name, error)
        return _refuse(NO_FILE)
    return _DiskFile(path, headers=_headers(file), media_type=file.media_type, stat_result=found)


class _DiskFile(FileResponse):
    """A file that is read no further once the browser has left."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Since 2.4 an ASGI server raises an error then, and Starlette relies on it; uvicorn says nothing.
        await super().__call__({**scope, "asgi": {**scope.get("asgi", {}), "spec_version": "2.3"}}, receive, send)


def _from_memory(file: OfferedFile, content: bytes) -> Response:
    headers = {**_headers(file), "Content-Length": str(len(content))}
    return StreamingResponse(_slices(content), headers=headers, media_type=file.media_type)


async def _slices(content: bytes) -> AsyncIterator[memoryview]:
    # A server keeps what it is given until the browser has taken it, and copies it before that.
    view = memoryview(content)
    for start in range(0, len(content), _SLICE_BYTES):
        yield view[start : start + _SLICE_BYTES]
        # A server's `send` does not give way while there is room to write to, and so hears of no end of the connection:
        # asyncio logged a line for each slice that was written to a browser that had left.
        await asyncio.sleep(0)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def _counted(files: KernelFiles) -> Iterator[None]:
    files.in_the_making += 1
    try:
        yield
    finally:
        files.in_the_making -= 1


def _headers(file: OfferedFile) -> dict[str, str]:
    how = "inline" if file.inline else "attachment"
    ascii_name = file.name.encode("ascii", "replace").decode().replace("?", "_")
    headers = {
        # The second for browsers, the first for who knows no better (RFC 6266).
        "Content-Disposition": f"{how}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(file.name, safe='')}",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }
    # HTML or SVG that is shown is no page of ours: it runs nothing, and is of no origin. Chrome shows no PDF so.
    if file.media_type != "application/pdf":
        headers["Content-Security-Policy"] = "sandbox"
    return headers


def _refuse(refusal: Refusal) -> Response:
    log.info("refused a file: %s", refusal.message)
    message = f"{refusal.message[0].upper()}{refusal.message[1:]}."
    return render_message("This file can't be had", message, refusal.status, refusal.headers())
