"""The page functions of an app, and the HTML of a page."""

import inspect
import json
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from typing import cast

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response

from solara_ctx.run import PageFunction
from solara_ctx.web.assets import Assets
from solara_ctx.web.paths import relative_path

PageCallable = Callable[[], object] | Callable[[HTTPConnection], object]
"""A page function: it takes no argument, or the page's connection."""


class Pages:
    """The page functions of one `KernelApp` by path.

    Raises:
        TypeError: a page function is no function that takes at most the page's connection.
        ValueError: a path does not begin with a slash, or has parameters.
    """

    def __init__(self, pages: PageCallable | Mapping[str, PageCallable]) -> None:
        by_path = pages if isinstance(pages, Mapping) else {"/": pages}
        if not by_path:
            raise ValueError("KernelApp needs at least one page function")
        self._functions = {_check_path(path): _adapt(path, function) for path, function in by_path.items()}
        self._titles = {path: _title(function) for path, function in by_path.items()}

    @property
    def paths(self) -> list[str]:
        """The paths that have a page, relative to the mount."""
        return list(self._functions)

    def title(self, path: str) -> str:
        """What the browser shows for the page at *path*."""
        return self._titles[path]

    def bind(self, connection: HTTPConnection) -> PageFunction | None:
        """The page function for what the connection asks for, ready to run; `None` if there is no such page."""
        function = self._functions.get(relative_path(connection.scope))
        return None if function is None else partial(function, connection)


def render(assets: Assets, *, base_url: str, kernel_id: str, title: str, debug: bool) -> Response:
    """The HTML of a page that carries a kernel id.  Without inline script, so that a strict CSP lets it through."""
    static = escape(f"{base_url}static/")
    config = {"baseUrl": base_url, "kernelId": kernel_id, "pageId": str(uuid.uuid4()), "debug": debug}
    styles = "".join(f'<link rel="stylesheet" href="{static}{name}">\n' for name in assets.styles)
    preloads = "".join(
        f'<link rel="modulepreload" href="{static}{name}">\n' for name in (assets.entry, *assets.preload)
    )
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
{styles}{preloads}</head>
<body>
<div id="solara-app"></div>
<noscript>This page needs JavaScript.</noscript>
<script type="application/json" id="solara-config">{_json_in_html(config)}</script>
<script type="module" src="{static}{assets.entry}"></script>
</body>
</html>
"""
    return HTMLResponse(html, headers=_PAGE_HEADERS)


def render_message(title: str, message: str, status: int, headers: Mapping[str, str]) -> Response:
    """A page that only says something, for people who did not get the one that they asked for."""
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{_MESSAGE_STYLE}</style>
</head>
<body><main><h1>{escape(title)}</h1><p>{escape(message)}</p></main></body>
</html>
"""
    return HTMLResponse(html, status, {**_PAGE_HEADERS, **headers})


_PAGE_HEADERS = {
    # A page carries a kernel id of its own; a copy from a cache would carry that of a kernel that has ended.
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_MESSAGE_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;color:#1f2933;background:#f7f8fa;margin:0}"
    "main{max-width:36rem;margin:18vh auto;padding:0 1.5rem}h1{font-size:1.4rem}"
)


def _json_in_html(value: object) -> str:
    # A `</script>` inside a string would end the element; the escape means the same to a JSON parser.
    return json.dumps(value).replace("<", "\\u003c")


def _check_path(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"the path {path!r} of a page has to begin with a slash")
    if "{" in path:
        raise ValueError(
            f"the path {path!r} of a page can't have parameters; let the page function take the page's connection, "
            "and read its query_params"
        )
    return path


def _adapt(path: str, function: PageCallable) -> Callable[[HTTPConnection], object]:
    """A page function that takes the connection, whether the user's does or not."""
    given: object = function
    if not callable(given) or isinstance(given, type):
        raise TypeError(f"the page at {path} has to be a function, not {given!r}")
    if inspect.iscoroutinefunction(function):
        raise TypeError(
            f"the page function at {path} is async; make it a plain function, it runs in a worker thread, "
            "and start what is async with get_current_context().create_task(...)"
        )
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL}]
    required = [p for p in positional if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    required += [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(required) > 1 or (required and required[0].kind is required[0].KEYWORD_ONLY):
        raise TypeError(
            f"the page function at {path} may take one argument, the page's connection, not {len(required)}"
        )
    if positional:
        return cast("Callable[[HTTPConnection], object]", function)
    plain = cast("Callable[[], object]", function)
    return lambda _connection: plain()


def _title(function: PageCallable) -> str:
    name: object = getattr(function, "__name__", None)
    words = str(name or type(function).__name__).strip("_").replace("_", " ").capitalize()
    return "Page" if words in {"", "<lambda>"} else words
