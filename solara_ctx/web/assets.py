"""The files that the browser loads with a page, as the package build has made them."""

import hashlib
import json
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
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
_TYPES = {".woff2": "font/woff2"}
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
        self.dark: str = manifest["dark"]
        self.preload: list[str] = manifest["preload"]


class HashedFiles:
    """Serves files whose names carry a hash of their content, compressed where the build has done so, from memory.

    The browser asks for each of them once, and may keep it for ever.  A file from the disk costs the server 0.9 ms,
    most of that for four ways to a thread and back; all of them together are 2 MB.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._files = {} if directory is None else dict(_files(directory))

    def add(self, path: Path) -> str:
        """Serve that file, too.

        Returns:
            The name under which it is served, with a hash of its content.
        """
        content = path.read_bytes()
        # Its own name would be part of a URL as it is.
        name = f"{hashlib.sha256(content).hexdigest()[:16]}{path.suffix.lower()}"
        self._files[name] = {None: _File(content, mimetypes.guess_type(name)[0], f'"{name}"')}
        return name

    def replace(self, other: "HashedFiles") -> None:
        """Serve the files of *other* from now on, and no more of its own.  Loop only."""
        self._files = other._files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The file, in the best encoding that the browser takes."""
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        encodings = self._files.get(relative_path(scope).removeprefix("/"))
        if encodings is None:
            return PlainTextResponse("Not Found", 404)
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})
        headers = Headers(scope=scope)
        accepted = headers.get("accept-encoding", "")
        encoding = next((name for name in _ENCODINGS if name in encodings and accepts(accepted, name)), None)
        file = encodings[encoding]
        answers = {"Cache-Control": _FOR_EVER, "ETag": file.tag, "Vary": "Accept-Encoding"}
        if has_it(headers.get("if-none-match", ""), file.tag):
            return Response(None, 304, answers)
        if encoding is not None:
            answers["Content-Encoding"] = encoding
        # A fresh one each time: middleware edits the headers of an answer where they are.
        return Response(file.content, headers=answers, media_type=file.media_type)


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str | None
    tag: str


def _files(directory: Path) -> Iterator[tuple[str, dict[str | None, _File]]]:
    """Each file by its encoding, `None` for the file as it is."""
    for path in directory.iterdir():
        if path.suffix in _ENCODINGS.values() or path.name == _MANIFEST:
            continue
        twins = ((name, path.with_name(path.name + suffix)) for name, suffix in _ENCODINGS.items())
        paths: dict[str | None, Path] = {None: path}
        paths.update((name, twin) for name, twin in twins if twin.exists())
        # Python's own table has no web fonts, and a system may have no other.
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
        yield path.name, {name: _File(each.read_bytes(), kind, f'"{each.name}"') for name, each in paths.items()}


def has_it(header: str, tag: str) -> bool:
    """Whether `If-None-Match` names the tag; a proxy that has compressed the file has made it a weak one."""
    return any(part.strip().removeprefix("W/") in {tag, "*"} for part in header.split(","))


def accepts(header: str, encoding: str) -> bool:
    """Whether `Accept-Encoding` names the encoding, and not only to refuse it with a weight of 0 (RFC 9110, 12.5.3)."""
    for part in header.split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() == encoding:
            return not _REFUSED.fullmatch(weight.strip().lower())
    return False
