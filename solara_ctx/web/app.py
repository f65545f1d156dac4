"""`KernelApp`: puts the rooms together as one ASGI app."""

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from operator import methodcaller
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send

from solara_ctx import patching
from solara_ctx.clock import wait_through, wait_within
from solara_ctx.collector import PRODUCTION_THRESHOLDS, set_collector
from solara_ctx.current import Handle
from solara_ctx.jupyter import KernelHost, Limits, PageLimits, Printed
from solara_ctx.jupyter.message_log import show_messages
from solara_ctx.leaks.explain import explain
from solara_ctx.leaks.tracker import LeakTracker, Surroundings
from solara_ctx.lifecycle import CloseReason
from solara_ctx.look import Theme
from solara_ctx.registry import KernelRegistry
from solara_ctx.run import StartHook
from solara_ctx.settings import Settings
from solara_ctx.web.api import KernelsApi
from solara_ctx.web.assets import Assets, HashedFiles
from solara_ctx.web.channels import Channels
from solara_ctx.web.downloads import Downloads
from solara_ctx.web.interpreter_exit import on_interpreter_exit
from solara_ctx.web.issuing import Issuer
from solara_ctx.web.looks import Look
from solara_ctx.web.nbextensions import Nbextensions
from solara_ctx.web.page_route import PageRoute
from solara_ctx.web.pages import AnyPages, Pages
from solara_ctx.web.renewal import renew, show_code_error
from solara_ctx.web.resourcez import Resourcez
from solara_ctx.web.session import KernelIds, Sessions, Signer
from solara_ctx.web.siblings import may_have_siblings
from solara_ctx.web.stop_signals import Resume, StopSignals
from solara_ctx.workers import WorkerPool

log = logging.getLogger(__name__)

# For how long a stopping server waits until each page has been sent the reason. A bound, never a delay.
_TOLD_WITHIN_S = 1.0


class KernelApp:
    """An ASGI app whose every browser page has a live Python kernel of its own.

    Mount it in a Starlette or FastAPI app at any path, or serve it alone::

        kernels = KernelApp(counter)
        app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan)

    Args:
        pages: A page function, or several by path.  It runs once per page, in a worker thread, inside the page's
            kernel context; it takes no argument, or the page's `starlette.requests.HTTPConnection`; it returns a
            widget, a sequence of widgets, or `None`; or a dict of them, by the names of places in the page's template.
            `Page` says more about one of them.
        settings: Read from the environment where not given.
        title: As for `Page`, for those that say nothing themselves, and so are the next.
        favicon: The file of a picture, its URL, or an emoji.
        theme: `"light"`, `"dark"`, or `"auto"` for what the browser's user prefers.
        template: The file of a Jinja2 template for the HTML around the widgets.

    Raises:
        InvalidSettings: a setting can't be used.
        FrontendMissing: the package was installed without its frontend.
        TypeError, ValueError: a page function, a path or what is said of how pages look can't be used.
    """

    def __init__(
        self,
        pages: AnyPages,
        *,
        settings: Settings | None = None,
        title: str | None = None,
        favicon: str | Path | None = None,
        theme: Theme = "auto",
        template: str | Path | None = None,
    ) -> None:
        self.settings = settings or Settings()
        """What the app goes by; frozen."""
        assets = Assets()
        files = HashedFiles(directory=assets.directory)
        look = Look(title, favicon, theme, template)
        self._pages = Pages(pages, look=look, files=files, reload=self.settings.debug)
        signer = Signer(*(key.get_secret_value().encode() for key in self.settings.session_secret_key))
        self._sessions = Sessions(signer, in_frames=self.settings.cookie_in_frames)
        message = Limits(self.settings.websocket_max_nesting, self.settings.websocket_max_buffers)
        self._limits = PageLimits(self.settings.kernel_max_comms, message, self.settings.upload_max_size)
        ids = KernelIds(signer, lifetime_s=self.settings.kernel_connect_timeout)
        self.registry = KernelRegistry(self.settings, ids=ids, make_host=self._make_host)
        """The kernels of this app: a read-only mapping from kernel id to context."""
        issuer = Issuer(self.registry, self._sessions)
        self._channels = Channels(self.registry, self._sessions, self._pages.bind)
        self._service: _Service | None = None
        self.owns_process = False
        """Whether the process does nothing but serve this app, so that its garbage collector may be set for it."""
        self.leaks = LeakTracker(
            zombie_after_s=self.settings.kernel_zombie_after,
            on_zombie=self._name_the_holder if self.settings.debug else None,
        )
        """What became of the kernels that were closed."""
        resourcez = Resourcez(self.registry, self._channels, self.leaks, self.settings.resourcez_token)
        self._page = PageRoute(self.registry, issuer, self._pages, assets)
        self._files = files
        self._other_routes: list[BaseRoute] = [
            *Downloads(self.registry, self._sessions).routes(),
            *KernelsApi(self.registry, self._sessions, issuer).routes(),
            WebSocketRoute("/api/kernels/{kernel_id}/channels", self._channels),
            Route("/resourcez", resourcez.answer, methods=["GET"]),
            Route("/resourcez/kernels/{kernel}", resourcez.close, methods=["DELETE"]),
            Route("/readyz", self._readyz, methods=["GET"]),
            Mount("/static", files),
            Mount("/nbextensions", Nbextensions()),
        ]
        self._router = Router(routes=self._routes(), lifespan=self.lifespan)
        self._code_error: Mapping[str, object] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "lifespan":
            await self._start_if_nobody_did()
        await self._router(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """The service's life.  Give it to the host app, alone or inside the host's own.

        For example::

            @asynccontextmanager
            async def lifespan(app):
                async with kernels.lifespan(app):
                    yield

        At its end every kernel is closed, with the reason `server-shutdown`.
        """
        service = await self._start()
        try:
            yield
        finally:
            await self._stop(service)

    def on_kernel_start(self, hook: StartHook) -> Callable[[], None]:
        """Call *hook*, without arguments, in every kernel before its page function, with the context current.

        What it returns, if anything, is called when the kernel closes, like an `on_close` hook.

        Returns:
            A function that takes the hook off again for kernels yet to come, harmless to call twice.
        """
        return self.registry.on_start(hook)

    async def take_over(self, fresh: "KernelApp") -> int:
        """Have the pages and start hooks of *fresh*, whose code was imported anew, instead of its own.  Loop only.

        Kernels whose page function is another one now restart, those whose page is gone close, and all others go on.
        *fresh* becomes another name of this app: its code finds the kernels there.  Its settings are not taken over.

        Returns:
            How many kernels were begun afresh, or closed, once they have been.
        """
        replaced = self._pages.replace(fresh._pages)
        self._files.replace(fresh._files)
        self.registry.take_start_hooks(fresh.registry)
        self._router.routes = self._routes()
        fresh.__dict__ = self.__dict__
        self.show_code_error(None)
        ends = renew(list(self.registry.values()), replaced)
        # A close that comes in between is no error here, and has its own report.
        await asyncio.gather(*ends, return_exceptions=True)
        return len(ends)

    def show_code_error(self, content: Mapping[str, object] | None) -> None:
        """Show all pages that code which was to take their place could not be loaded, or no more (`None`).  Loop only.

        Args:
            content: As `jupyter.report.page_error` makes it.
        """
        if content != self._code_error:
            self._code_error = content
            show_code_error(list(self.registry.values()), content)

    def _routes(self) -> list[BaseRoute]:
        return [*(Route(path, self._page.answer, methods=["GET"]) for path in self._pages.paths), *self._other_routes]

    def _make_host(self, handle: Handle) -> KernelHost:
        host = KernelHost(
            handle,
            kernel_id=handle.kernel_id,
            debug=self.settings.debug,
            limits=self._limits,
            printed=Printed(to_page=self.settings.output != "server", to_server=self.settings.output != "page"),
            on_shutdown=partial(_shut_down, handle),
            on_navigate=partial(_navigate, handle),
        )
        if self._code_error is not None:
            host.show_code_error(self._code_error)
        return host

    @property
    def paths(self) -> list[str]:
        """The paths that have a page, relative to the mount."""
        return self._pages.paths

    # The service

    async def _start(self) -> "_Service":
        if self._service is not None and self._service.alive and not self._service.loop.is_closed():
            raise RuntimeError(
                "this KernelApp runs already; wire its lifespan once, in the app that is served, and wire it before "
                "the first request"
            )
        if not self.settings.session_secret_key and may_have_siblings():
            log.warning(
                "this process may be one of several, and SOLARA_SESSION_SECRET_KEY is not set: a browser that reaches "
                "another one is a stranger there, and its page starts afresh; give all of them the same key"
            )
        loop = asyncio.get_running_loop()
        patching.acquire()
        self.registry.start(scrub_threads=patching.scrub_dummy_threads, watch=self.leaks.watch)
        signals = StopSignals(self._stop_signalled)
        signals.install()
        if self._service is not None:  # whose loop has ended without it
            self._service.restore_collector()
            self._service.forget_exit()
            self._service.forget_stop()
            self._service.hide_messages()
        service = self._service = _Service(loop, signals)
        service.restore_collector = self._set_collector()
        service.forget_stop = patching.on_server_stop(partial(self._tell_before, service))
        if self.settings.debug:
            service.hide_messages = show_messages()
        if threading.current_thread().daemon:
            service.forget_exit = on_interpreter_exit(partial(self._drain_at_exit, service))
        self.leaks.start(
            Surroundings(
                clock=self.registry.clock, in_background=service.background.submit, on_loop=loop.call_soon_threadsafe
            )
        )
        return self._service

    def _set_collector(self) -> Callable[[], None]:
        freeze, thresholds = self.settings.gc_freeze, self.settings.gc_thresholds
        in_production = self.owns_process and not self.settings.debug
        return set_collector(
            freeze=in_production if freeze is None else freeze,
            thresholds=PRODUCTION_THRESHOLDS if thresholds is None and in_production else thresholds,
        )

    async def _stop(self, service: "_Service") -> None:
        if not service.alive:
            return
        service.alive = False
        try:
            drain = self._begin_drain(service)
            await wait_through(drain)
            drain.result()
        finally:
            self.leaks.stop()
            service.background.close()
            service.forget_exit()
            service.forget_stop()
            service.hide_messages()
            service.signals.remove()
            patching.release()
            service.restore_collector()

    def _stop_signalled(self, resume: Resume) -> None:
        # In a signal handler, between any two instructions of the main thread: only pass it on.
        service = self._service
        if service is None or not service.alive:
            resume()
        elif service.keeper is None:
            # Not only when the lifespan ends: uvicorn waits for its connections first, without a limit, and a page
            # that reads nothing, of a sleeping laptop for example, would keep every kernel from closing.
            service.loop.call_soon_threadsafe(self._drain_before, service, resume)
        else:
            # Nobody will call us again, so the server has to wait until the kernels are closed.
            service.keeper.add_done_callback(lambda _: resume())
            service.loop.call_soon_threadsafe(service.keeper.cancel)

    def _begin_drain(self, service: "_Service") -> "asyncio.Task[None]":
        """Tell the pages, and begin to close the kernels; once, however often it is asked for."""
        if service.drain is None:
            self.registry.begin_drain()
            self.leaks.collect_no_more()
            service.drain = service.loop.create_task(self._drain(service), context=contextvars.Context())
        return service.drain

    def _drain_before(self, service: "_Service", resume: Resume) -> None:
        """Let the server hear of the signal once all pages are told: it would tell them something else."""
        _ = self._begin_drain(service)
        service.told.add_done_callback(lambda _: resume())

    async def _tell_before(self, service: "_Service") -> None:
        """The same for a server that waits for this instead of being called."""
        if service.loop is asyncio.get_running_loop():
            _ = self._begin_drain(service)
            await asyncio.shield(service.told)

    def _drain_at_exit(self, service: "_Service") -> None:
        """The main thread has ended, and soon the service's own will stop wherever it is: close the kernels first."""
        drained = threading.Event()

        def begin() -> None:
            self._begin_drain(service).add_done_callback(lambda _: drained.set())

        with contextlib.suppress(RuntimeError):  # the loop has ended
            service.loop.call_soon_threadsafe(begin)
            if service.loop.is_running():
                # The drain's own budget: but somebody may block the loop, and then nobody would keep to it.
                drained.wait(self.settings.kernel_drain_timeout)

    async def _drain(self, service: "_Service") -> None:
        try:
            # Pages are sent away with the first step of their kernel's end and not, as else, with the last: the server
            # waits for its connections, or has a word of its own for them.
            reason = CloseReason.SERVER_SHUTDOWN
            each = methodcaller("send_pages_away", reason)
            await self.registry.drain(reason, each=each, begun=partial(self._tell_server, service))
        finally:
            service.all_told()

    async def _tell_server(self, service: "_Service") -> None:
        # What the last pages are told is on its way, and has some turns of the loop to go; a page that reads nothing is
        # left to the server.
        within_s = min(_TOLD_WITHIN_S, self.settings.kernel_drain_timeout)
        await wait_within(self.registry.clock, self._channels.none_open(), within_s)
        service.all_told()

    async def _start_if_nobody_did(self) -> None:
        service = self._service
        loop = asyncio.get_running_loop()
        if service is not None and service.loop is loop and service.alive:
            return
        service = await self._start()
        log.warning(
            "the lifespan of this KernelApp is not wired, so its service started only now, with the first request; "
            "add `lifespan=kernels.lifespan` to the Starlette or FastAPI app that it is mounted in"
        )
        # From an empty context: the task lives as long as the loop, and must not keep the request that began it.
        service.keeper = loop.create_task(self._keep(service), context=contextvars.Context())

    async def _keep(self, service: "_Service") -> None:
        """Wait for the loop's end, which cancels every task, and close the kernels then."""
        try:
            await service.loop.create_future()
        finally:
            await self._stop(service)

    def _name_the_holder(self, kernel: str) -> None:
        """Say in the log what keeps a zombie, without being asked; in debug mode only, as it takes seconds."""
        service = self._service
        if service is None:
            return

        def search() -> None:
            found = explain(self.leaks.living(kernel))
            log.warning("kernel %s is kept by %s", kernel, found.text())
            with contextlib.suppress(RuntimeError):  # the loop may have ended
                service.loop.call_soon_threadsafe(self.leaks.note_holder, kernel, found.text())

        service.background.submit(search)

    # Endpoints

    async def _readyz(self, _request: Request) -> Response:
        if self.registry.draining:
            return JSONResponse({"status": "server-shutdown"}, 503, {"Retry-After": "1", "Cache-Control": "no-store"})
        if not self.registry.has_room():
            return JSONResponse({"status": "kernel-limit"}, 503, {"Retry-After": "10", "Cache-Control": "no-store"})
        return JSONResponse({"status": "ready"}, headers={"Cache-Control": "no-store"})


class _Service:
    """One start of a `KernelApp` on an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, signals: StopSignals) -> None:
        self.loop = loop
        self.signals = signals
        self.alive = True
        self.background = WorkerPool(1, name="solara-ctx-collector")
        self.keeper: asyncio.Task[None] | None = None
        self.drain: asyncio.Task[None] | None = None
        self.restore_collector: Callable[[], None] = lambda: None
        self.forget_exit: Callable[[], None] = lambda: None
        self.forget_stop: Callable[[], None] = lambda: None
        self.hide_messages: Callable[[], None] = lambda: None
        self.told: asyncio.Future[None] = loop.create_future()
        """Done when all pages know that the server stops."""

    def all_told(self) -> None:
        """All pages know it; harmless when they did."""
        if not self.told.done():
            self.told.set_result(None)


def _shut_down(handle: Handle, restart: bool) -> None:  # noqa: FBT001 - the flag of Jupyter's shutdown_request
    context = handle.peek()
    if context is None:
        return
    if restart:
        context.restart()
    else:
        context.close(CloseReason.SHUTDOWN_REQUESTED)


def _navigate(handle: Handle, location: str) -> None:
    context = handle.peek()
    if context is not None:
        context.navigate(location)
