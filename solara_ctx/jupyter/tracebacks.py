"""Errors of user code as a person wants to see them: the lines of source around each frame, their own frames first.

Taken from an error at once, as plain values: nothing here keeps the error, its frames or what is in them.
"""

import importlib
import linecache
import os
import sysconfig
import traceback
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from types import TracebackType
from typing import Any

Json = dict[str, Any]

_AROUND = 3
# Of an error that calls itself ten thousand times, or has a chain of as many causes.
_MOST_FRAMES = 100
_MOST_LINKS = 20
# With the slash: a package of somebody else's may have a name that begins like ours.
_PACKAGE = f"{Path(__file__).parent.parent}{os.sep}"
_LIBRARIES = tuple(
    {str(Path(sysconfig.get_path(name))) for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {_PACKAGE}
)
_HOW = {
    "cause": "The above exception was the direct cause of the following exception:",
    "context": "During handling of the above exception, another exception occurred:",
}
_OUR_NAME = "solara_ctx"
_PYTHON = "Python"
# What leads to the user's code: this library, and the import system, where that is a module.
_NOT_WORTH_A_LINE = (_PACKAGE, "<frozen importlib", importlib.__file__ or _PACKAGE)
# Pythons of Debian and of an environment within the project lie elsewhere.
_PLACES_OF_LIBRARIES = {"site-packages", "dist-packages"}


def format_traceback(error: BaseException) -> str:
    """The traceback as text, as Python writes it, without the frames of this library that lead to the user's code."""
    return "".join(traceback.format_exception(type(error), error, _without_ours(error.__traceback__)))


def explain_error(error: BaseException) -> list[Json]:
    """An error and what it came of, one after the other, for a page to show.

    Each has a `summary` (`ValueError: …`), `how` it led to the one before (`cause`: that was raised from it, `context`:
    while it was handled; `None` for the first), and its `frames`, the outermost first.  A frame has `file`, `line`,
    `function`, `library` (whose it is; `None` for the user's own), `source` (pairs of number and text) and `mark` (the
    columns of its line that failed, from and to; or `None`).
    """
    whole = traceback.TracebackException(
        type(error), error, _without_ours(error.__traceback__), limit=-_MOST_FRAMES, compact=True
    )
    return [_link(link, how) for link, how in islice(_links(whole), _MOST_LINKS)]


def explain_as_text(error: BaseException) -> str:
    """The same as text, in the order of a terminal, whose last line is what one sees: the error itself, after its
    frames and what it came of.  What libraries did in between is counted only.
    """
    lines: list[str] = []
    for link in reversed(explain_error(error)):
        for own, frames in groupby(link["frames"], lambda frame: frame["library"] is None):
            group = list(frames)
            if own:
                for frame in group:
                    lines += _frame_as_text(frame)
            else:
                libraries = ", ".join(dict.fromkeys(frame["library"] for frame in group))
                lines += [f"  {len(group)} {'frame' if len(group) == 1 else 'frames'} in {libraries}", ""]
        lines.append(link["summary"])
        if link["how"]:
            lines += ["", _HOW[link["how"]], ""]
    return "\n".join(lines)


def _frame_as_text(frame: Json) -> list[str]:
    function = f", in {frame['function']}" if frame["function"] else ""
    lines = [f"  {frame['file']}, line {frame['line']}{function}"]
    width = len(str(frame["line"] + _AROUND))
    for number, text in frame["source"]:
        failed = number == frame["line"]
        lines.append(f"  {'>' if failed else ' '} {number:>{width}}  {text}".rstrip())
        if failed and frame["mark"]:
            begin, end = frame["mark"]
            lines.append(" " * (width + 6 + begin) + "^" * max(end - begin, 1))
    return [*lines, ""]


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    outermost = trace
    while outermost is not None and outermost.tb_frame.f_code.co_filename.startswith(_NOT_WORTH_A_LINE):
        outermost = outermost.tb_next
    return outermost or trace


_Link = tuple[traceback.TracebackException, str | None]


def _links(whole: traceback.TracebackException) -> Iterator[_Link]:
    link: traceback.TracebackException | None = whole
    how: str | None = None
    while link is not None:
        yield link, how
        if link.__cause__ is not None:
            how, link = "cause", link.__cause__
        elif link.__suppress_context__:
            link = None
        else:
            how, link = "context", link.__context__


def _link(link: traceback.TracebackException, how: str | None) -> Json:
    frames = [_frame(frame) for frame in link.stack]
    # Of a group: what it has in it, without frames.
    parts = [line for part in link.exceptions or () for line in part.format_exception_only()]
    summary = "".join([_summary(link), *(f"\n  {part.rstrip()}" for part in parts)])
    if getattr(link, "lineno", None) is not None:  # the place of a SyntaxError is no frame
        frames.append(_syntax_frame(link))
    return {"summary": summary, "how": how, "frames": frames}


def _summary(link: traceback.TracebackException) -> str:
    # Of a SyntaxError the lines before are the place, which is shown as a frame.
    lines = list(link.format_exception_only())
    first = next((i for i, line in enumerate(lines) if not line.startswith("  ")), 0)
    return "".join(lines[first:]).rstrip()


def _frame(frame: traceback.FrameSummary) -> Json:
    line = frame.lineno or 0
    mark = None
    if frame.colno is not None and frame.end_colno is not None:
        text = linecache.getline(frame.filename, line)
        one_line = frame.end_lineno == line
        end = _column(text, frame.end_colno) if one_line else len(text.rstrip())
        mark = [_column(text, frame.colno), end] if text else None
    return _place(frame.filename, line, frame.name, mark)


def _syntax_frame(link: traceback.TracebackException) -> Json:
    filename, line = str(link.filename), int(str(link.lineno))
    begin = max(int(link.offset or 1) - 1, 0)
    end = int(link.end_offset or 0) - 1
    return _place(filename, line, None, [begin, max(end, begin + 1)])


def _place(filename: str, line: int, function: str | None, mark: list[int] | None) -> Json:
    lines = linecache.getlines(filename)
    first = max(line - _AROUND, 1)
    source = [[number, lines[number - 1].rstrip()] for number in range(first, min(line + _AROUND, len(lines)) + 1)]
    return {
        "file": filename,
        "line": line,
        "function": function,
        "library": library_of(filename),
        "source": source,
        "mark": mark,
    }


def library_of(filename: str) -> str | None:
    """Whose code a file is: the name of a library, `Python` for its own; `None` for the user's."""
    path = Path(filename)
    if filename.startswith(_PACKAGE):
        return _OUR_NAME
    below = [i for i, part in enumerate(path.parts) if part in _PLACES_OF_LIBRARIES]
    if below:
        return path.parts[below[-1] + 1].removesuffix(".py") if len(path.parts) > below[-1] + 1 else _PYTHON
    if filename.startswith(("<frozen ", *_LIBRARIES)):
        return _PYTHON
    return None


def _column(text: str, offset: int) -> int:
    """Python counts the bytes of a line, a page its letters."""
    return len(text.encode()[:offset].decode(errors="replace"))
