"""Who has asked for the end of a kernel, or for a fresh one, and what they all wait for."""

import asyncio
import concurrent.futures
import re
import threading
from typing import TypeAlias

from solara_ctx.errors import ContextClosed
from solara_ctx.lifecycle import CloseReason
from solara_ctx.ports import Watch
from solara_ctx.teardown import CloseReport

# It travels as the reason of a websocket's close frame, which has room for 123 bytes (RFC 6455 section 5.5).
_REASON = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

ReportFuture: TypeAlias = concurrent.futures.Future[CloseReport]


class Claims:
    """The claim to close a kernel, made once, and the claim to restart it, one at a time.  Safe from any thread.

    Everybody who asks gets the same future; only the one who was first has to act.
    """

    def __init__(self, kernel_id: str) -> None:
        self._kernel_id = kernel_id
        self._lock = threading.Lock()  # protects the three fields below, for O(1) work only
        self._reason: str | None = None
        self._closing: ReportFuture | None = None
        self._restarting: ReportFuture | None = None

    @property
    def reason(self) -> str | None:
        """The first reason that was given for the end; `None` while nobody has asked for it."""
        return self._reason

    @property
    def closing(self) -> bool:
        """Whether somebody has asked for the end."""
        return self._closing is not None

    def close(self, reason: str) -> tuple[ReportFuture, bool]:
        """Ask for the end.

        Returns:
            The future of the report, and whether this was the first to ask.

        Raises:
            ValueError: the reason is not one lower-case word, or is "restart".
        """
        if reason == CloseReason.RESTART:
            # Pages that are told so come back at once, to a kernel that is not there.
            raise ValueError(
                '"restart" can\'t be a close reason; call restart() for a fresh kernel, or use another word'
            )
        if not _REASON.fullmatch(reason):
            raise ValueError(f'{reason!r} can\'t be a close reason; use one lower-case word such as "logged-out"')
        with self._lock:
            if self._closing is not None:
                return self._closing, False
            self._closing = _claimed_future()
            self._reason = str(reason)
            return self._closing, True

    def restart(self) -> tuple[ReportFuture, bool]:
        """Ask for a fresh kernel.

        Returns:
            The future of the report, and whether this was the first to ask.

        Raises:
            ContextClosed: somebody has asked for the end.
        """
        with self._lock:
            if self._closing is not None:
                raise ContextClosed(self._kernel_id, doing="restart", reason=self._reason)
            if self._restarting is not None:
                return self._restarting, False
            self._restarting = _claimed_future()
            return self._restarting, True

    def restart_is_over(self) -> None:
        """Let the next one ask for a fresh kernel."""
        with self._lock:
            self._restarting = None


def _claimed_future() -> ReportFuture:
    """A future that nobody can cancel: many wait for it."""
    future: ReportFuture = concurrent.futures.Future()
    future.set_running_or_notify_cancel()
    return future


def hand_over(future: ReportFuture, watch: Watch, task: asyncio.Task[CloseReport]) -> None:
    """A teardown has ended: tell those who wait for it, and those who watch what becomes of its memory."""
    watch.closed()
    error = task.exception()
    if error is None:
        future.set_result(task.result())
    else:
        future.set_exception(error)


def announce_end(
    closed_event: threading.Event, future: ReportFuture, watch: Watch, task: asyncio.Task[CloseReport]
) -> None:
    """A close has ended."""
    if task.exception() is None:
        # Before the future: whoever waits for that finds the event set.
        closed_event.set()
    hand_over(future, watch, task)
