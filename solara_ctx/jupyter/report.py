"""Who is to blame, and who is told: errors of user code go to the log and the pages, a page's mistakes to that page."""

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import FrameType
from typing import Any

from traitlets import TraitError

from solara_ctx.errors import redact
from solara_ctx.frames import FrameSweeper
from solara_ctx.interrupts import Interrupted
from solara_ctx.jupyter import outputs
from solara_ctx.jupyter.session import IOPUB, Stream, ToPage
from solara_ctx.jupyter.tracebacks import explain_as_text, explain_error, format_traceback

log = logging.getLogger(__name__)

current_page: ContextVar[str | None] = ContextVar("solara_ctx.current_page", default=None)
"""The page whose message is being handled here."""

_WARNINGS_LIMIT = 10
_SHOWN_CHARACTERS = 60
# Modules that a mistake of a page may surface in without any user code having run.
_OURS = frozenset({"solara_ctx", "ipywidgets", "traitlets", "comm", "ipykernel", "IPython"}) | sys.stdlib_module_names

Publish = Callable[[Stream, str, dict[str, Any]], object]


class Reporter:
    """Reports for one kernel.  Any thread; never raises.

    Args:
        kernel_id: Shown redacted.
        debug: Whether pages are told details of errors.
        publish: Sends a message of a type and content.
    """

    def __init__(self, kernel_id: str, *, debug: bool, publish: Publish) -> None:
        self._name = redact(kernel_id)
        self._debug = debug
        self._publish: Publish | None = publish
        self._warnings_left = _WARNINGS_LIMIT
        self._sweeper = FrameSweeper()

    def sever(self) -> None:
        """Tell the log only, from now on."""
        self._publish = None
        self._sweeper.sever()

    def note(self, error: BaseException) -> None:
        """An error that somebody else has logged: let it keep nothing of what has ended, either."""
        self._sweeper.note(error)

    def sweep(self) -> None:
        """Let the errors that were reported so far keep nothing of what has ended."""
        self._sweeper.sweep()

    def showtraceback(self, *_: object, **__: object) -> None:
        """Report the exception that is being handled.

        Named after IPython's: ipywidgets calls it for each handler that raises, on what `get_ipython()` returns.
        """
        error = sys.exc_info()[1]
        if error is not None:
            self.failed(error, "a widget callback")

    def failed(self, error: BaseException, what: str) -> None:
        """Code that a page's message has set off has failed: find out whose fault that is, and report it."""
        if isinstance(error, Interrupted):
            _log(logging.INFO, "%s of kernel %s was interrupted", what, self._name)
            self.publish_error(IOPUB, {"ename": "KeyboardInterrupt", "evalue": "", "traceback": []})
            return
        page_id = current_page.get()
        if page_id is not None and _is_page_fault(error):
            self.page_fault(page_id, f"a value that {what} refuses ({type(error).__name__})", error)
        else:
            self.user_error(error, what)

    def user_error(self, error: BaseException, what: str) -> None:
        """User code has failed: one log entry with the traceback, and an error for the pages or the current output."""
        _log(logging.ERROR, "%s of kernel %s failed", what, self._name, error=error)
        self.tell(error)

    def tell(self, error: BaseException) -> None:
        """Show an error that is in the log on the pages, or in the current output."""
        captured = outputs.is_capturing()
        self.publish_error(IOPUB, error_content(error, details=self._debug or captured, in_page=not captured))
        self._sweeper.note(error)

    def shell_error(self, error: BaseException, lines: list[str]) -> None:
        """IPython shows an error, with a traceback that it has formatted."""
        _log(logging.ERROR, "code in the shell of kernel %s failed", self._name, error=error)
        content = error_content(error, details=self._debug or outputs.is_capturing())
        if content["traceback"]:
            content["traceback"] = lines
        self.publish_error(IOPUB, content)
        self._sweeper.note(error)

    def page_fault(self, page_id: str, reason: str, error: BaseException | None = None, *, quiet: bool = False) -> None:
        """A page has sent what can't be handled: a line in the log, the first few times, and an error for that page.

        Args:
            page_id: Which page.
            reason: What it has sent, with an article, and why that is no good.
            error: What came of it, if it was an exception.
            quiet: It happens in everyday use, too, and is not worth a line.
        """
        self._warn(reason, quiet=quiet)
        ename = "BadMessage" if error is None else type(error).__name__
        self.publish_error(ToPage(page_id, "iopub"), {"ename": ename, "evalue": reason, "traceback": []})

    def malformed(self, reason: str) -> None:
        """A page has sent a frame that is no message: a line in the log, the first few times."""
        self._warn(f"a malformed frame: {reason}")

    def _warn(self, what: str, *, quiet: bool = False) -> None:
        level = logging.DEBUG
        if not quiet and self._warnings_left > 0:
            self._warnings_left -= 1
            level = logging.WARNING
        _log(level, "a page of kernel %s sent %s", self._name, what)

    def publish_error(self, stream: Stream, content: dict[str, Any]) -> None:
        """Send an `error` message; the log has the whole story already, so a failure to send is not one more."""
        publish = self._publish
        if publish is not None:
            try:
                publish(stream, "error", content)
            except Exception:  # noqa: BLE001 - an observer of the Output that it goes to, for example
                _log(logging.DEBUG, "an error message of kernel %s could not be sent", self._name)


def _log(level: int, message: str, *facts: object, error: BaseException | None = None) -> None:
    # A handler may well write to sys.stderr, and that must not be what an Output of the page captures.
    with outputs.suspended():
        log.log(level, message, *facts, exc_info=error)


def shown(text: object) -> str:
    """Text from a page as it may stand in a log: short, printable, on one line."""
    whole = ascii(text)
    return whole if len(whole) <= _SHOWN_CHARACTERS else f"{whole[:_SHOWN_CHARACTERS]}…"


def error_content(error: BaseException, *, details: bool, in_page: bool = False) -> dict[str, Any]:
    """The content of an `error` message.  Keeps nothing of the exception.

    Args:
        error: What was raised.
        details: Whether more than its class may be told.
        in_page: Whether they are for whoever writes the page, and not for an output of the user's, which shows what
            Python would: with the lines of source, and nothing of libraries.
    """
    write = explain_as_text if in_page else format_traceback
    return {
        "ename": type(error).__name__,
        "evalue": describe(error) if details else "",
        "traceback": write(error).splitlines() if details else [],
    }


def page_error(error: BaseException, *, details: bool) -> dict[str, Any]:
    """The same for a page that shows nothing else: its function has failed, or code that it would be made of."""
    return {
        "ename": type(error).__name__,
        "evalue": describe(error) if details else "",
        "traceback": format_traceback(error) if details else None,
        "explained": explain_error(error) if details else [],
    }


def describe(error: BaseException) -> str:
    """`str(error)`, whatever its `__str__` does."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - user code
        return "<no message: its __str__ failed>"


def _is_page_fault(error: BaseException) -> bool:
    """Whether what a page sent is at fault: the error comes from taking the message apart or checking a value.

    What a handler or observer raises is the fault of who wrote it, even when the page set it off.
    """
    foreign = dispatched = False
    innermost = ""
    for frame in _frames_that_led_to(error):
        names: Mapping[str, Any] = frame.f_globals
        innermost = str(names.get("__name__", "")).partition(".")[0]
        function = frame.f_code.co_name
        if innermost == "traitlets" and function == "_notify_observers":
            return False
        dispatched |= innermost == "ipywidgets" and function == "__call__"
        foreign |= innermost not in _OURS
    if isinstance(error, TraitError) and not dispatched:
        return True
    return isinstance(error, Exception) and not foreign


def _frames_that_led_to(error: BaseException) -> Iterator[FrameType]:
    """Those of the error's traceback, and of what has caused it: a StopIteration that passes through a generator of
    traitlets comes out as a RuntimeError, whose own traceback begins there.
    """
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        for frame, _ in traceback.walk_tb(link.__traceback__):
            yield frame
        link = link.__cause__
