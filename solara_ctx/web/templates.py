"""The HTML of pages: ours or the user's, by Jinja2."""

import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio.to_thread
import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from solara_ctx.errors import KernelContextError
from solara_ctx.look import Theme
from solara_ctx.web.assets import Assets

_OURS = Path(__file__).parent / "templates"
_ROOT = re.compile(r"<[a-z][^>]*\sdata-solara-root\b", re.IGNORECASE)
_PAGE_HEADERS = {
    # A page carries a kernel id of its own; a copy from a cache would carry that of a kernel that has ended.
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# Which sheet of the dark theme's holds, and what the browser itself paints before there is any.
_DARK_MEDIA = {"light": "not all", "dark": "all", "auto": "(prefers-color-scheme: dark)"}
_COLOR_SCHEMES = {"light": "light", "dark": "dark", "auto": "light dark"}


class TemplateProblem(KernelContextError):
    """A template lacks what a page needs."""


class Head:
    """What a page needs in its `<head>`: `{{ solara.head }}`, or `{{ solara.head(nonce=...) }}`.

    Without inline script, so that a strict content security policy lets it through.
    """

    def __init__(self, config: Mapping[str, object], assets: Assets, *, base_url: str, theme: Theme, icon: str) -> None:
        self._config = config
        self._assets = assets
        self._static = f"{base_url}static/"
        self._theme = theme
        self._icon = icon
        self.used = False
        """Whether it was asked for."""

    def __html__(self) -> str:
        """As it is put into a template."""
        return self()

    def __call__(self, nonce: str = "") -> Markup:
        """The same with a nonce of a content security policy."""
        self.used = True
        html = _HEAD.render(
            assets=self._assets,
            color_scheme=_COLOR_SCHEMES[self._theme],
            config=self._config,
            dark_media=_DARK_MEDIA[self._theme],
            icon=self._icon,
            nonce=nonce,
            static=self._static,
        )
        return Markup(html)  # noqa: S704 - a template has escaped what is in it


class ForTemplate:
    """What a template knows as `solara`."""

    def __init__(self, head: Head, *, base_url: str, theme: Theme) -> None:
        self.head = head
        """Belongs into the template's `<head>`."""
        self.base_url = base_url
        """Where the app is mounted; begins and ends with a slash."""
        self.theme = theme
        """Light, dark or auto."""


class PageTemplate:
    """The HTML around the widgets of a page.  Any thread.

    Args:
        path: The user's own template; its folder is where it includes and extends others from.
        reload: Whether it is read anew when it has changed.

    Raises:
        ValueError: there is no such template, or it can't be read.
    """

    def __init__(self, path: Path | None, *, reload: bool) -> None:
        self.path = _OURS / "page.html" if path is None else path
        """The template."""
        self.is_ours = path is None
        """Whether it is the library's own, which runs no code of the user's."""
        self._environment = _environment(self.path.parent, reload=reload and path is not None)
        try:
            self._environment.get_template(self.path.name)
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"the template {error.filename}, line {error.lineno}: {error.message}") from None
        except (jinja2.TemplateNotFound, UnicodeDecodeError) as error:
            raise ValueError(f"the template {self.path} can't be read: {error!r}") from None

    def render(self, solara: ForTemplate, *, title: str, request: Request) -> str:
        """The HTML.

        Raises:
            TemplateProblem: the template lacks what a page needs.
            Exception: whatever the template runs into.
        """
        template = self._environment.get_template(self.path.name)
        html = template.render(solara=solara, title=title, request=request)
        if not solara.head.used:
            raise TemplateProblem(f"the template {self.path} lacks {{{{ solara.head }}}} in its <head>")
        if not _ROOT.search(html):
            raise TemplateProblem(
                f"the template {self.path} has no place for the widgets; put <div data-solara-root></div> where they "
                "belong"
            )
        return html

    async def respond(self, solara: ForTemplate, *, title: str, request: Request) -> Response:
        """The page.  What is the user's runs on a thread."""
        if self.is_ours:
            html = self.render(solara, title=title, request=request)
        else:
            html = await anyio.to_thread.run_sync(lambda: self.render(solara, title=title, request=request))
        return HTMLResponse(html, headers=_PAGE_HEADERS)


def page_config(
    *,
    base_url: str,
    kernel_id: str,
    debug: bool,
    properties: Mapping[str, object],
    pages: Sequence[str] = (),
    widgets_cdn: str = "",
) -> dict[str, object]:
    """What the page's program needs to know; each is another page."""
    return {
        "baseUrl": base_url,
        "kernelId": kernel_id,
        "pageId": str(uuid.uuid4()),
        "debug": debug,
        "widgetsCdn": widgets_cdn or None,
        "look": dict(properties),
        "pages": list(pages),
    }


def render_message(title: str, message: str, status: int, headers: Mapping[str, str]) -> Response:
    """A page that only says something, for people who did not get the one that they asked for."""
    html = _MESSAGE.render(title=title, message=message)
    return HTMLResponse(html, status, {**_PAGE_HEADERS, **headers})


def _environment(directory: Path, *, reload: bool) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(directory),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        auto_reload=reload,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_OWN = _environment(_OURS, reload=False)
_HEAD, _MESSAGE = _OWN.get_template("head.html"), _OWN.get_template("message.html")
