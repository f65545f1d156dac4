"""The files that the browser loads with a page, as the package build has made them."""

import json
import mimetypes
import re
from collections.abc import Iterator
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from solara_ctx.errors import KernelContextError
from solara_ctx.web.paths import relative_path

STATIC_DIRECTORY = Path(__file__).parent / "static"
"""Where the package build puts the frontend."""

_MANIFEST = "manifest.json"
_ENCODINGS = {"br": ".br", "gzip": ".gz"}  # the best first
_REFUSED = re.compile(r"q=0(\.0*)?")
# Names carry a hash of the content, so a file never changes (RFC 8246).
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
        try:
            manifest = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FrontendMissing(directory) from None
        self.directory = directory
        self.entry: str = manifest["entry"]
        self.styles: list[str] = manifest["styles"]
        self.preload: list[str] = manifest["preload"]


class HashedFiles:
    """Serves files whose names carry a hash of their content, compressed where the build has done so, from memory.

    The browser asks for each of them once, and may keep it for ever.  A file from the disk costs the server 0.9 ms,
    most of that for four ways to a thread and back; all of them together are 2 MB.
    """

    def __init__(self, directory: Path) -> None:
        # The answers are made once, too.
        self._answers = dict(_answers(directory))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The file, in the best encoding that the browser takes."""
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        encodings = self._answers.get(relative_path(scope).removeprefix("/"))
        if encodings is None:
            return PlainTextResponse("Not Found", 404)
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})
        headers = Headers(scope=scope)
        accepted = headers.get("accept-encoding", "")
        encoding = next((name for name in _ENCODINGS if name in encodings and _accepts(accepted, name)), None)
        answer = encodings[encoding]
        if headers.get("if-none-match") == answer.headers["etag"]:
            return Response(None, 304, {name: answer.headers[name] for name in ("cache-control", "etag", "vary")})
        return answer


def _answers(directory: Path) -> Iterator[tuple[str, dict[str | None, Response]]]:
    """The answers for each file by its encoding, `None` for the file as it is."""
    mimetypes.init()  # reads the system's tables: not at the first file
    for path in directory.iterdir():
        if path.suffix in _ENCODINGS.values() or path.name == _MANIFEST:
            continue
        twins = ((name, path.with_name(path.name + suffix)) for name, suffix in _ENCODINGS.items())
        files: dict[str | None, Path] = {None: path}
        files.update((name, twin) for name, twin in twins if twin.exists())
        yield path.name, {encoding: _response(path.name, file, encoding) for encoding, file in files.items()}


def _response(name: str, file: Path, encoding: str | None) -> Response:
    headers = {"Cache-Control": _FOR_EVER, "ETag": f'"{file.name}"', "Vary": "Accept-Encoding"}
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    return Response(file.read_bytes(), headers=headers, media_type=mimetypes.guess_type(name)[0])


def _accepts(header: str, encoding: str) -> bool:
    """Whether `Accept-Encoding` names the encoding, and not only to refuse it with a weight of 0 (RFC 9110, 12.5.3)."""
    for part in header.split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() == encoding:
            return not _REFUSED.fullmatch(weight.strip().lower())
    return False
