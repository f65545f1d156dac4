"""How names, keys, places and values from a user's process are put into words.

Kernel and session ids address things, so they are shortened wherever they may turn up: in keys, in the names of tasks,
threads and loggers, and in attributes that were set by name.
"""

import functools
import os
import re
import sysconfig
from pathlib import Path

from solara_ctx.errors import redact

_LONGEST_KEY = 40
_LONGEST_NUMBER = 64
_SHOWN_PARTS = 4
_TOKEN = re.compile(r"[\w-]{20,}")
_PACKAGES = ("/site-packages/", "/dist-packages/")
_OUR_OWN = f"{Path(__file__).parents[1]}{os.sep}"


def data(text: str) -> str:
    """Shorten a string that comes from data, and whatever in it may be an id."""
    text = _TOKEN.sub(lambda match: redact(match[0]), text[: 4 * _LONGEST_KEY])
    return text if len(text) <= _LONGEST_KEY else f"{text[: _LONGEST_KEY - 1]}…"


def name(text: str) -> str:
    """The name of a variable or an attribute: long ones with digits may have been made from an id."""
    return _TOKEN.sub(lambda match: redact(match[0]) if any(map(str.isdigit, match[0])) else match[0], text)


def key(thing: object) -> str:
    """A key of a dict, as far as it can be shown without asking it."""
    if type(thing) is str:
        return repr(data(thing))
    if type(thing) is bytes:
        return f"b{data(thing[: 4 * _LONGEST_KEY].decode('ascii', 'replace'))!r}"
    if type(thing) is int:
        return data(str(thing) if thing.bit_length() <= _LONGEST_NUMBER else hex(thing))
    if type(thing) in {float, bool, type(None)}:
        return repr(thing)
    if type(thing) is tuple:
        parts = [key(part) for part in thing[:_SHOWN_PARTS]]
        more = ", …" if len(thing) > _SHOWN_PARTS else "," if len(thing) == 1 else ""
        shown = ", ".join(parts)
        return f"({shown[: 2 * _LONGEST_KEY]}{more})"
    return "…"


def place(file: str | None, line: int | None) -> str:
    """`myapp.py:14`, or an empty string where nothing is known."""
    if file is None:
        return ""
    return short_path(file) if line is None else f"{short_path(file)}:{line}"


def at(file: str | None, line: int | None) -> str:
    """` (myapp.py:14)`, or nothing."""
    where = place(file, line)
    return f" ({where})" if where else ""


def short_path(file: str) -> str:
    """The path as people speak of it: from the current directory, the package, or Python's library on."""
    for folder in _PACKAGES:
        if folder in file:
            return file.rpartition(folder)[2]
    for base in (*_library(), *_here()):
        if file.startswith(base):
            return file[len(base) :]
    home = f"{Path.home()}{os.sep}"
    return f"~/{file[len(home) :]}" if len(home) > 2 and file.startswith(home) else file  # noqa: PLR2004


def is_users(file: str | None) -> bool:
    """Whether the file is neither of Python's library, nor an installed package, nor ours."""
    if not file or file.startswith("<") or any(folder in file for folder in _PACKAGES):
        return False
    return not file.startswith((*_library(), _OUR_OWN))


def _here() -> tuple[str, ...]:
    try:
        return (os.path.join(os.getcwd(), ""),)  # noqa: PTH109, PTH118 -- as code objects spell their files
    except FileNotFoundError:  # somebody has removed the current directory
        return ()


@functools.cache
def _library() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(os.path.join(paths[which], "") for which in ("stdlib", "platstdlib"))  # noqa: PTH118
