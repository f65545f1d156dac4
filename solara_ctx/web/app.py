"""`KernelApp`: puts the rooms together as one ASGI app."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send

from solara_ctx.current import Handle
from solara_ctx.jupyter import KernelHost, Limits, PageLimits, Printed
from solara_ctx.leaks.tracker import LeakTracker
from solara_ctx.lifecycle import CloseReason
from solara_ctx.look import Theme
from solara_ctx.registry import KernelRegistry
from solara_ctx.run import StartHook
from solara_ctx.settings import Settings
from solara_ctx.web.api import KernelsApi
from solara_ctx.web.assets import Assets, HashedFiles
from solara_ctx.web.channels import Channels
from solara_ctx.web.downloads import Downloads
from solara_ctx.web.issuing import Issuer
from solara_ctx.web.looks import Look
from solara_ctx.web.nbextensions import Nbextensions
from solara_ctx.web.page_route import PageRoute
from solara_ctx.web.pages import AnyPages, Pages
from solara_ctx.web.renewal import renew, show_code_error
from solara_ctx.web.resourcez import Resourcez
from solara_ctx.web.service import Service
from solara_ctx.web.session import KernelIds, Sessions, Signer

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
        self._service: Service | None = None
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
            self._start_if_nobody_did()
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
        service = self._start()
        try:
            yield
        finally:
            await service.stop()

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

    def _start(self) -> Service:
        if self._service is not None:
            if self._service.lives:
                raise RuntimeError(
                    "this KernelApp runs already; wire its lifespan once, in the app that is served, and wire it "
                    "before the first request"
                )
            self._service.forget()
        self._service = Service(
            self.registry, self.leaks, self._channels, self.settings, owns_process=self.owns_process
        )
        return self._service

    def _start_if_nobody_did(self) -> None:
        if self._service is not None and self._service.lives_here:
            return
        self._start().keep()
        log.warning(
            "the lifespan of this KernelApp is not wired, so its service started only now, with the first request; "
            "add `lifespan=kernels.lifespan` to the Starlette or FastAPI app that it is mounted in"
        )

    def _name_the_holder(self, kernel: str) -> None:
        if self._service is not None:
            self._service.name_holder(kernel)

    # Endpoints

    async def _readyz(self, _request: Request) -> Response:
        if self.registry.draining:
            return JSONResponse({"status": "server-shutdown"}, 503, {"Retry-After": "1", "Cache-Control": "no-store"})
        if not self.registry.has_room():
            return JSONResponse({"status": "kernel-limit"}, 503, {"Retry-After": "10", "Cache-Control": "no-store"})
        return JSONResponse({"status": "ready"}, headers={"Cache-Control": "no-store"})


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
