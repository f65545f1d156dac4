"""The JavaScript of other people's widgets: what lies in `share/jupyter/nbextensions` of the server's environment.

That is where `pip install` puts the AMD modules of widgets for the classic notebook, and Voila and others take them
from.  It holds what belongs to them, too: styles, fonts, images.
"""

import gzip
import hashlib
import json
import os
import re
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread
from jupyter_core.paths import jupyter_path
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from solara_ctx.web.assets import accepts, has_it
from solara_ctx.web.paths import relative_path

KEPT_BYTES = 32_000_000
"""How much of the files is kept in memory: the modules of a dozen packages."""

_TEXTS = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".map": "application/json",
    ".svg": "image/svg+xml",
}
_TYPES = {
    **_TEXTS,
    ".woff2": "font/woff2",
    ".woff": "font/woff",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
    ".eot": "application/vnd.ms-fontobject",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
}
# No name of a hidden file, of a parent folder or of a drive is one of these.
_NAME = re.compile(r"[\w@][\w.@+~-]*", re.ASCII)
_DEEPEST = 16
_WORTH_COMPRESSING = 1000
# Names carry no hash of the content, and an upgrade of a package changes it: ask each time whether it is the same.
_REVALIDATE = "no-cache"
# What an `extension.js` tells a notebook: which module is in which file.
_MAPPING = re.compile(r"""["']?([\w@./-]+)["']?\s*:\s*["']nbextensions/([\w@.+~/-]+)["']""", re.ASCII)
_LONGEST_MAPPING = 64_000


def nbextension_directories() -> tuple[Path, ...]:
    """Where Jupyter looks: the environment, the user's own folder, the system; what `JUPYTER_PATH` names before all."""
    return tuple(map(Path, jupyter_path("nbextensions")))


def labextension_directories() -> tuple[Path, ...]:
    """Where packages tell the versions of their modules."""
    return tuple(map(Path, jupyter_path("labextensions")))


class Nbextensions:
    """Serves `/package/file`, and at `/` which modules there are.

    Args:
        directories: Where the packages lie; of two with a file of the same name, the first counts.
        labextensions: Where the same packages lie as extensions of JupyterLab, for their versions.
        kept_bytes: How much of the files is kept in memory, as it is sent.
    """

    def __init__(
        self,
        directories: Iterable[Path] | None = None,
        labextensions: Iterable[Path] | None = None,
        *,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._directories = tuple(nbextension_directories() if directories is None else directories)
        self._labextensions = tuple(labextension_directories() if labextensions is None else labextensions)
        self._shelf = _Shelf(kept_bytes)
        self._list: tuple[_Times, _File] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The file, compressed where the browser takes that and it is worth it."""
        await (await self._answer(scope))(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})
        path = relative_path(scope).removeprefix("/")
        headers = Headers(scope=scope)
        compress = accepts(headers.get("accept-encoding", ""), "gzip")
        # In a thread, as disks may be slow, and to compress a module of 4 MB takes 0.1 s.
        file = await to_thread.run_sync(self._file, path, compress)
        if file is None:
            return PlainTextResponse("Not Found", 404, {"Cache-Control": _REVALIDATE})
        answers = {
            "Cache-Control": _REVALIDATE,
            "ETag": file.tag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if has_it(headers.get("if-none-match", ""), file.tag):
            return Response(None, 304, answers)
        if file.compressed:
            answers["Content-Encoding"] = "gzip"
        return Response(file.content, headers=answers, media_type=file.media_type)

    def _file(self, path: str, compress: bool) -> "_File | None":  # noqa: FBT001 - called by position, in a thread
        if not path:
            return self._listed()
        found = self._find(path)
        return None if found is None else self._shelf.take(*found, compress=compress)

    def _find(self, path: str) -> tuple[str, os.stat_result] | None:
        """The real path of a file that may be served, and what the system says of it."""
        names = path.split("/")
        if not 1 < len(names) <= _DEEPEST or not all(map(_NAME.fullmatch, names)):
            return None
        if os.path.splitext(path)[1].lower() not in _TYPES:  # noqa: PTH122 - of a URL
            return None
        # A package may be a link to where one is at work on it; `jupyter nbextension install --symlink` makes one.
        # Below it, whoever may read what a link leads to is for the system to say, not for a browser.
        package = names[: 2 if names[0].startswith("@") else 1]
        for directory in self._directories:
            real = os.path.realpath(directory.joinpath(*names))
            roots = map(os.path.realpath, (directory, directory.joinpath(*package)))
            if not any(real.startswith(root + os.sep) for root in roots):
                continue
            try:
                status = os.stat(real)  # noqa: PTH116 - a path from the system
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                return real, status
        return None

    def _listed(self) -> "_File":
        """The list of modules, made anew when a package has come or gone."""
        directories = (*self._directories, *self._labextensions)
        # Packages of an organisation come and go one level deeper.
        times = tuple(_changed_ns(each) for place in directories for each in (place, *sorted(place.glob("@*"))))
        if self._list is not None and self._list[0] == times:
            return self._list[1]
        content = json.dumps({"modules": self.modules()}, separators=(",", ":")).encode()
        tag = hashlib.blake2b(content, digest_size=12).hexdigest()
        file = _File(content, "application/json", f'"{tag}"', compressed=False)
        self._list = times, file
        return file

    def modules(self) -> dict[str, dict[str, str | None]]:
        """The modules by name: `path`, below the folder that is served, and `version`, as far as the package says.

        Of a package that brings an extension of JupyterLab only, which nothing else can load, `path` is `None`.
        Reads a few files for each package; not for the event loop.
        """
        versions = dict(self._versions())
        modules: dict[str, dict[str, str | None]] = {
            name: {"path": path, "version": versions.get(name)} for name, path in self._paths().items()
        }
        for name, version in versions.items():
            modules.setdefault(name, {"path": None, "version": version})
        return modules

    def _paths(self) -> dict[str, str]:
        paths: dict[str, str] = {}
        for directory in self._directories:
            for package in _packages(directory):
                if self._find(f"{package}/index.js"):
                    paths.setdefault(package, f"{package}/index.js")
                for module, target in self._mapped(package):
                    paths.setdefault(module, target)
        return paths

    def _mapped(self, package: str) -> Iterator[tuple[str, str]]:
        """Where the modules of a package are, for packages that name them otherwise than their folder."""
        found = self._find(f"{package}/extension.js")
        if found is None or found[1].st_size > _LONGEST_MAPPING:
            return
        text = Path(found[0]).read_text(encoding="utf-8", errors="replace")
        for module, target in _MAPPING.findall(text):
            if self._find(f"{target}.js"):
                yield module, f"{target}.js"

    def _versions(self) -> Iterator[tuple[str, str | None]]:
        seen = set()
        for directory in self._labextensions:
            for package in _packages(directory):
                try:
                    about = json.loads((directory / package / "package.json").read_text(encoding="utf-8"))
                    name, version = about["name"], about["version"]
                except (OSError, ValueError, TypeError, LookupError):
                    continue
                if isinstance(name, str) and isinstance(version, str) and name not in seen:
                    seen.add(name)
                    yield name, version


_Times = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    tag: str
    compressed: bool


class _Shelf:
    """Files as they are sent, those that were asked for last.  Any thread."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        # Protects the two fields below.
        self._lock = threading.Lock()
        self._files: OrderedDict[tuple[str, bool], _File] = OrderedDict()
        self._bytes = 0
        # Held while a file is read: of many pages that ask for the same one, one does the work.
        self._reading = threading.Lock()

    def take(self, path: str, status: os.stat_result, *, compress: bool) -> _File | None:
        """The file as it is now; `None` where it has just gone."""
        suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - a path from the system
        compress = compress and suffix in _TEXTS and status.st_size >= _WORTH_COMPRESSING
        # Of another file of the same name, one of the three is another.
        tag = f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}{"-gzip" if compress else ""}"'
        key = (path, compress)
        file = self._kept(key, tag)
        if file is not None:
            return file
        with self._reading:
            file = self._kept(key, tag)
            if file is None:
                try:
                    content = Path(path).read_bytes()
                except OSError:
                    return None
                if compress:
                    content = gzip.compress(content, 6, mtime=0)
                file = _File(content, _TYPES[suffix], tag, compress)
                self._keep(key, file)
        return file

    def _kept(self, key: tuple[str, bool], tag: str) -> _File | None:
        with self._lock:
            file = self._files.get(key)
            if file is None or file.tag != tag:
                return None
            self._files.move_to_end(key)
            return file

    def _keep(self, key: tuple[str, bool], file: _File) -> None:
        with self._lock:
            old = self._files.pop(key, None)
            self._bytes -= 0 if old is None else len(old.content)
            if len(file.content) > self._limit_bytes:
                return
            self._files[key] = file
            self._bytes += len(file.content)
            while self._bytes > self._limit_bytes:
                _, oldest = self._files.popitem(last=False)
                self._bytes -= len(oldest.content)


def _changed_ns(directory: Path) -> int:
    try:
        return directory.stat().st_mtime_ns
    except OSError:
        return 0


def _packages(directory: Path) -> Iterator[str]:
    """The folders of a directory; those of an organisation ("@…") are one level deeper."""
    try:
        names = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    except OSError:  # most of the places where Jupyter looks are not there
        return
    for name in filter(_NAME.fullmatch, names):
        if name.startswith("@"):
            yield from (f"{name}/{below}" for below in _packages(directory / name))
        else:
            yield name
