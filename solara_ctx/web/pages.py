"""The HTML of a page, and the files that the browser loads with it."""

import inspect
import json
import mimetypes
import re
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from html import escape
from pathlib import Path
from typing import cast

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from solara_ctx.errors import KernelContextError
from solara_ctx.run import PageFunction
from solara_ctx.web.paths import relative_path

STATIC_DIRECTORY = Path(__file__).parent / "static"
"""Where the package build puts the frontend."""

PageCallable = Callable[[], object] | Callable[[HTTPConnection], object]
"""A page function: it takes no argument, or the page's connection."""

# Names carry a hash of the content, so a file never changes (RFC 8246).
_ENCODINGS = {"br": ".br", "gzip": ".gz"}  # the best first
_REFUSED = re.compile(r"q=0(\.0*)?")
_FOR_EVER = "public, max-age=31536000, immutable"


class FrontendMissing(KernelContextError):
    """The browser's part of the library was not built."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"there is no manifest.json in {directory.name}/: the frontend was not built; install the package with "
            "`pip install .`, which builds it, or run `python3 dev.py frontend` in a checkout"
        )


class Assets:
    """What the package build has put into `static/`, by its manifest."""

    def __init__(self, directory: Path = STATIC_DIRECTORY) -> None:
        # Reads the system's tables of file types; Starlette would do so on the event loop, at the first file.
        mimetypes.init()
        try:
            manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FrontendMissing(directory) from None
        self.directory = directory
        self.entry: str = manifest["entry"]
        self.styles: list[str] = manifest["styles"]
        self.preload: list[str] = manifest["preload"]


class HashedFiles(StaticFiles):
    """Serves files whose names carry a hash of their content, compressed where the build has done so.

    The browser asks for each of them once, and may keep it for ever.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._names = frozenset(path.name for path in directory.iterdir())

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, in the best encoding that the browser takes."""
        accepted = Headers(scope=scope).get("accept-encoding", "")
        encoding = next((name for name in _ENCODINGS if self._has(path, name) and _accepts(accepted, name)), None)
        response = await super().get_response(path if encoding is None else path + _ENCODINGS[encoding], scope)
        if encoding is not None:
            response.headers["Content-Encoding"] = encoding
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = _FOR_EVER
        return response

    def _has(self, path: str, encoding: str) -> bool:
        return path + _ENCODINGS[encoding] in self._names


def _accepts(header: str, encoding: str) -> bool:
    """Whether `Accept-Encoding` names the encoding, and not only to refuse it with a weight of 0 (RFC 9110, 12.5.3)."""
    for part in header.split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() == encoding:
            return not _REFUSED.fullmatch(weight.strip().lower())
    return False


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
