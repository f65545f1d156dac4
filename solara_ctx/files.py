"""The files that page code offers to its browser: under addresses that nobody guesses, and gone with the kernel."""

import mimetypes
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from solara_ctx.errors import ContextClosed

Data = bytes | bytearray | memoryview | str
"""What a file consists of; a `str` is text, in UTF-8."""
Made = Data | Path | Iterable[Data]
"""What a function returns that makes a file when it is asked for."""
Content = Data | Path | Callable[[], Made]
"""What can be offered: data, a file on the server's disk, or a function that makes it."""

_TOKEN_BYTES = 16
_LONGEST_NAME = 200
# What a header or a file system would take for something else.
_BAD_IN_NAME = re.compile(r'[\x00-\x1f\x7f/\\<>:"|?*\ud800-\udfff]')
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)
_NONE: frozenset[str] = frozenset()  # each call makes another one, of 216 bytes
_UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class OfferedFile:
    """A file that a kernel offers."""

    name: str
    """What the browser calls it."""
    media_type: str
    """Its type."""
    inline: bool
    """Whether the browser may show it, instead of saving it."""
    content: bytes | Path | Callable[[], Made]
    """What is in it."""


class KernelFiles:
    """The files that one run of a page function offers.  Safe from any thread."""

    def __init__(self, kernel_id: str, base_url: str) -> None:
        self.in_the_making = 0
        """How many functions make one just now.  Loop only."""
        self._kernel_id = kernel_id
        self._prefix = f"{base_url}files/{kernel_id}/"
        self._files: dict[str, OfferedFile] | None = {}
        # What is not the page's own.
        self._floor = _NONE

    def __len__(self) -> int:
        return len(self._files or ())

    def add(self, content: Content, name: str, *, media_type: str | None = None, inline: bool = False) -> str:
        """Offer a file to the browser of this kernel, and to nobody else, until the kernel ends.

        Args:
            content: Bytes, text, or the `Path` of a file on the server, which is read when it is asked for; or a
                function without arguments that returns one of these, or an iterable of bytes or text, such as a
                generator.  It is called for each download, on a worker thread, with the kernel current, beside what
                else the kernel does.
            name: What the browser calls it.
            media_type: Its type; by the name where not given.
            inline: Whether the browser may show it, as in a new tab; where not, it saves it.

        Returns:
            Its URL, as in `HTML(f'<a href="{url}" download>Report</a>')`.

        Raises:
            ContextClosed: the kernel has ended.
            TypeError, ValueError: an argument can't be used.
        """
        offered = OfferedFile(_checked_name(name), _checked_type(media_type, name), inline, _checked_content(content))
        files = self._files
        if files is None:
            raise ContextClosed(self._kernel_id, doing="offer files")
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        files[token] = offered
        return f"{self._prefix}{token}/{quote(name, safe='')}"

    def remove(self, url: str) -> None:
        """Offer that file no longer; harmless when it is not offered.  Downloads that have begun go on."""
        if url.startswith(self._prefix):
            self._drop(url[len(self._prefix) :].partition("/")[0])

    def find(self, token: str, name: str) -> OfferedFile | None:
        """The file of that token and name."""
        found = (self._files or {}).get(token)
        return found if found is not None and found.name == name else None

    def lay_floor(self) -> None:
        """What is offered from now on is the page's."""
        self._floor = frozenset(self._files or ())

    def leave_page(self) -> None:
        """Let go of what the page has offered."""
        for token in (self._files or {}).keys() - self._floor:
            self._drop(token)

    def _drop(self, token: str) -> None:
        if self._files is not None:
            self._files.pop(token, None)

    def clear(self) -> None:
        """Let go of all files, and take no more."""
        self._files = None


def as_bytes(data: object) -> bytes | None:
    """The bytes of data; `None` where it is no data."""
    if isinstance(data, str):
        return data.encode()
    # Plain bytes are not copied.
    return bytes(data) if isinstance(data, bytes | bytearray | memoryview) else None


def _checked_content(content: Content) -> bytes | Path | Callable[[], Made]:
    if isinstance(content, Path):
        if not content.is_file():
            raise ValueError(f"there is no file {str(content)!r} to offer")
        return content
    given: object = content
    data = as_bytes(given)
    if data is not None:
        return data
    if callable(content):
        return content
    raise TypeError(
        "a file is made of bytes, text, a pathlib.Path, or a function that returns one of these or yields pieces, not "
        f"of a {type(content).__name__}"
    )


def _checked_name(name: str) -> str:
    given: object = name
    if not isinstance(given, str):
        raise TypeError(f"the name of a file is a string, not {name!r}")
    if not name.strip(". ") or len(name) > _LONGEST_NAME or _BAD_IN_NAME.search(name):
        raise ValueError(f"{name!r} can't be the name of a file everywhere; take letters, digits, spaces, and . - _")
    return name


def _checked_type(media_type: str | None, name: str) -> str:
    given: object = media_type
    if given is None:
        given = mimetypes.guess_type(name)[0] or _UNKNOWN
    if not isinstance(given, str) or not _MEDIA_TYPE.fullmatch(given):
        raise ValueError(f"a media type is like 'text/csv', not {given!r}")
    return f"{given}; charset=utf-8" if given.startswith("text/") and ";" not in given else given
