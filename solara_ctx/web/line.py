"""The sending half of one websocket: a task that sends what there is, naps, and is woken."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Protocol

from starlette.types import Send
from starlette.websockets import WebSocketDisconnect

from solara_ctx.clock import PER_TURN, call_on
from solara_ctx.web.resume import Said

# How long a page may take to read what was sent before the end.
_CLOSE_GRACE_S = 5.0


class Source(Protocol):
    """Where a line gets its frames."""

    def next_for(self, line: "Line") -> str | bytes | None:
        """The next frame; `None` where there is none, and the line has a nap or an end."""

    def has_napped(self) -> None:
        """The line is about to look again."""


class Line:
    """One connection of a page, as far as something is sent over it.

    `send_to` is for the event loop's thread.  The other methods are for the source, which holds its lock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.end: tuple[int, str] | None = None
        """With which code and reason to close the websocket, once that is decided."""
        self._loop = loop
        # By their kind: one who asks and asks, and reads nothing, makes no more of them wait.
        self._words: dict[str, str] = {}
        # From when the task is told, to when it finds nothing more; at first it looks without being told.
        self._is_awake = True
        # Of the loop's thread alone.
        self._nap: asyncio.Future[None] | None = None
        self._task: asyncio.Task[object] | None = None
        self._is_cut = False
        self._deadline: asyncio.TimerHandle | None = None

    def say(self, word: Said) -> None:
        """Send a word of the protocol itself, before all frames that wait."""
        if self.end is None:
            self._words[word.kind] = word.text
            self.wake()

    def wake(self) -> None:
        """There is something to do; wakes the task once for a burst of frames."""
        if self._is_awake:
            return
        self._is_awake = True
        if not self._loop.is_closed():
            # Also on the loop's own thread: a widget's finalizer may have come here while the loop was about to sleep.
            self._loop.call_soon_threadsafe(self._end_nap)

    def finish(self, code: int, reason: str) -> None:
        """End, after what waits; the first end wins."""
        if self.end is None:
            self.end = (int(code), reason)
            self.wake()
            if not self._loop.is_closed():
                call_on(self._loop, self._limit_the_wait)

    def cut(self, code: int, reason: str) -> None:
        """End at once, also in the midst of a frame that the page does not take."""
        if self.end is None:
            self.end = (int(code), reason)
        if not self._loop.is_closed():
            call_on(self._loop, self._stop)

    def next_word(self) -> str | None:
        """The next word to send; `None` where none waits."""
        return self._words.pop(next(iter(self._words))) if self._words else None

    def nap(self) -> None:
        """There is nothing to send just now."""
        self._is_awake = self.end is not None
        self._nap = None if self._is_awake else self._loop.create_future()

    async def send_to(self, send: Send, source: Source, flush: Callable[[], object] | None = None) -> None:
        """Send what comes until the end, or until the page is gone.

        Args:
            send: The websocket's own, of ASGI.
            source: Has the frames.
            flush: Lets what was sent leave at once, where the server can.
        """
        self._task = asyncio.current_task()
        try:
            while not self._is_cut and (nap := await self._send_waiting(send, source)) is not None:
                if flush is not None:
                    flush()
                await nap
                source.has_napped()
        except (OSError, RuntimeError, WebSocketDisconnect):
            # What servers raise where the other side has closed: an OSError by ASGI's specification.
            self.end = None
        except asyncio.CancelledError:
            # Somebody else's may have come in the same moment.
            if not self._is_cut or self._task is None or self._task.uncancel() > 0:
                raise
        finally:
            self._task = None
            if self._deadline is not None:
                self._deadline.cancel()

    async def _send_waiting(self, send: Send, source: Source) -> "asyncio.Future[None] | None":
        """Send what waits; what to wait for then, `None` at the end."""
        sent = 0
        while (frame := source.next_for(self)) is not None:
            await send({"type": "websocket.send", "text" if isinstance(frame, str) else "bytes": frame})
            sent += 1
            if sent % PER_TURN == 0:
                # A server's `send` does not give way while there is room to write to: with a thread that makes more as
                # fast as it is sent, nobody else would have a turn, and a stop took 19 s.
                await asyncio.sleep(0)
        return self._nap

    def _limit_the_wait(self) -> None:
        if self._task is not None:
            # From an empty context, and cancelled when the task ends: nothing is kept for the length of the wait.
            context = contextvars.Context()
            self._deadline = self._loop.call_later(_CLOSE_GRACE_S, self._stop, context=context)

    def _stop(self) -> None:
        # The task may be inside `websocket.send`, which waits until the page reads again: for ever, perhaps.
        if not self._is_cut:
            self._is_cut = True
            if self._task is not None:
                self._task.cancel()

    def _end_nap(self) -> None:
        if self._nap is not None and not self._nap.done():
            self._nap.set_result(None)
