"""`sys.stdout`, `sys.stderr` and `sys.displayhook`: what kernels print becomes state of an Output, open or not."""

import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial, wraps
from typing import Any, Self, TextIO

from solara_ctx import current
from solara_ctx.jupyter import outputs
from solara_ctx.jupyter.host import current_host
from solara_ctx.patching.stack import Patch


class CapturedStream:
    """Passes everything on to a stream, except text that a `with Output():` wants, or a kernel's pages.

    Everything else about it, attributes and methods, is that stream's own.
    """

    _solara_ctx_name: str
    _solara_ctx_stream: Any

    def __init__(self, name: str, stream: TextIO) -> None:
        self.__dict__.update(_solara_ctx_name=name, _solara_ctx_stream=stream)

    def write(self, text: str) -> int:
        """Write *text*; to the output that captures here, if there is one, else where what kernels print goes."""
        # The variables themselves, as this is what each print of the process costs.
        if outputs._capture.get() is not None and outputs.write(self._solara_ctx_name, text):
            return len(text)
        if current._binding.get() is not None and not _is_for_server(self._solara_ctx_name, text):
            return len(text)
        return self._solara_ctx_stream.write(text)  # type: ignore[no-any-return]

    def flush(self) -> None:
        """Flush; show what was written in the output that captures here, if there is one."""
        if outputs.peek() is not None and outputs.flush():
            return
        host = current_host()
        if host is not None:
            host.printing.flush()
        self._solara_ctx_stream.flush()

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of *lines*."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_solara_ctx_stream"], name)

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(type(self), name):
            # Who replaces `write` keeps the one he found, which is ours: on the stream it would come to call itself.
            object.__setattr__(self, name, value)
        else:
            setattr(self._solara_ctx_stream, name, value)

    def __iter__(self) -> Any:
        return iter(self._solara_ctx_stream)

    def __enter__(self) -> Self:
        self._solara_ctx_stream.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._solara_ctx_stream.__exit__(*error)

    def __repr__(self) -> str:
        return f"<{self._solara_ctx_name}, captured where a page's Output asks for it, of {self._solara_ctx_stream!r}>"


# What these print is about errors, with lines and paths of the program.
_TELLTALES = frozenset({"traceback", "warnings"})


def _is_for_server(name: str, text: str) -> bool:
    host = current_host()
    if host is None or outputs.is_suspended():
        return True
    printing = host.printing
    # The frame of who calls `write`; `print` has none.
    if name == "stderr" and not printing.shows_details and sys._getframe(2).f_globals.get("__name__") in _TELLTALES:
        return True
    return printing.take(name, text)


def patches() -> Sequence[Patch]:
    """The patches of streams; none for a stream that the process does not have."""
    return (
        *(
            Patch(
                target=sys,
                attribute=name,
                make=partial(_captured, name),
                why="print() has no other seam, and an Output shows what was printed in it",
                upstream="CPython 3.11 to 3.13",
                undo=_uncaptured,
            )
            for name in ("stdout", "stderr")
            if getattr(sys, name) is not None
        ),
        Patch(
            target=logging.Handler,
            attribute="handle",
            make=_handle,
            why="a handler may write to sys.stderr, and log lines are the server's, whatever kernel they are about",
            upstream="CPython 3.11 to 3.13",
        ),
        Patch(
            target=sys,
            attribute="displayhook",
            make=_display_hook,
            why="IPython puts the hook of the running shell there, one for the process",
            upstream="ipython 9",
        ),
    )


def _captured(name: str, stream: TextIO | CapturedStream) -> CapturedStream:
    # Where somebody had saved ours, and put it back after we had left, it is not wrapped again.
    return stream if isinstance(stream, CapturedStream) else CapturedStream(name, stream)


def _uncaptured(stream: TextIO | CapturedStream) -> TextIO:
    return stream._solara_ctx_stream if isinstance(stream, CapturedStream) else stream


def capture_current_streams() -> None:
    """Let `sys.stdout` and `sys.stderr` be captured, though somebody has replaced them since the patches were applied.

    pytest does so between the phases of a test, `contextlib.redirect_stdout` for a block.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, CapturedStream):
            setattr(sys, name, CapturedStream(name, stream))


def _display_hook(original: Callable[[object], Any]) -> Callable[[object], Any]:
    def displayhook(value: object) -> Any:
        """Show the value of an expression in the shell that runs it."""
        host = current_host()
        shell = None if host is None else host.shell_if_made
        return original(value) if shell is None else shell.displayhook(value)

    return displayhook


def _handle(original: Callable[[logging.Handler, logging.LogRecord], Any]) -> Callable[..., Any]:
    @wraps(original)
    def handle(self: logging.Handler, record: logging.LogRecord) -> Any:
        """Handle a record; what is written meanwhile is for no page, unless an Output asks for it."""
        if current.peek_handle() is None or outputs.is_capturing():
            return original(self, record)
        with outputs.suspended():
            return original(self, record)

    return handle
