"""A browser asks for a page: its HTML, with a kernel id in it, or why there is none just now."""

import logging

from starlette.requests import Request
from starlette.responses import Response

from solara_ctx.registry import KernelRegistry
from solara_ctx.web.assets import Assets
from solara_ctx.web.issuing import Issuer
from solara_ctx.web.pages import Pages
from solara_ctx.web.paths import mount_url, relative_path
from solara_ctx.web.refusals import Refusal, RequestRefused
from solara_ctx.web.templates import ForTemplate, Head, page_config, render_message

log = logging.getLogger(__name__)


class PageRoute:
    """The endpoint of all pages of one `KernelApp`.  Loop only."""

    def __init__(self, registry: KernelRegistry, issuer: Issuer, pages: Pages, assets: Assets) -> None:
        self._registry = registry
        self._issuer = issuer
        self._pages = pages
        self._assets = assets

    async def answer(self, request: Request) -> Response:
        """The page, or one that says why there is none."""
        if self._registry.draining:
            return render_message(
                "The server is stopping", "Please try again in a moment.", 503, {"Retry-After": "1", "Refresh": "5"}
            )
        try:
            kernel_id, remember = self._issuer.issue(request)
        except RequestRefused as refused:
            return _no_page(refused.refusal)
        response = await self._page(request, kernel_id)
        remember(response)
        return response

    async def _page(self, request: Request, kernel_id: str) -> Response:
        path, base_url = relative_path(request.scope), mount_url(request.scope)
        page = self._pages.appearance(path)
        settings = self._registry.settings
        debug = settings.debug
        config = page_config(
            base_url=base_url,
            kernel_id=kernel_id,
            debug=debug,
            widgets_cdn=settings.widgets_cdn,
            properties=page.properties(base_url),
            pages=self._pages.alike(path),
        )
        head = Head(config, self._assets, base_url=base_url, theme=page.theme, icon=page.favicon(base_url))
        try:
            return await page.template.respond(
                ForTemplate(head, base_url=base_url, theme=page.theme), title=page.title, request=request
            )
        except Exception as error:
            log.exception("the template of the page at %s failed", path)
            why = f"{type(error).__name__}: {error}" if debug else "The server's log says why."
            return render_message("This page can't be shown", why, 500, {})


def _no_page(refusal: Refusal) -> Response:
    """What people see instead of a page; it tries again by itself."""
    title, message = _NO_PAGE[refusal.reason]
    seconds = str(refusal.retry_after_s)
    headers = {"Retry-After": seconds, "Refresh": seconds}
    return render_message(title, f"{message} This page tries again by itself.", refusal.status, headers)


_NO_PAGE = {
    "kernel-limit": ("No room just now", "The server has as many pages open as it can take."),
    "too-many-pages": ("Too many at once", "Very many pages were asked for from where you are."),
}
