"""What waits to be sent to one connection of a page."""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable

from starlette.types import Send
from starlette.websockets import WebSocketDisconnect

from solara_ctx.clock import call_on
from solara_ctx.lifecycle import CloseCode

FLUSH = "solara_ctx.flush"
"""An extension of ASGI's websocket scope: `{"flush": f}`, where calling `f` writes at once what was sent before."""
# How long a page may take to read what was sent before the end.
_CLOSE_GRACE_S = 5.0
# How long an answer may be gathered until what there is of it is sent. A click is answered in a tenth of this; a person
# does not see it, and a callback that takes longer is seen to be busy all the same.
_HOLD_S = 0.005


class Outbox:
    """A bounded queue of frames with one sender.  Implements `solara_ctx.ports.Sink`.

    `put`, `flush` and `close` are safe from any thread and never block; `hold` and `send_to` are for the event loop's
    thread.

    Args:
        loop: The loop on which `send_to` runs.
        subprotocol: What was negotiated.
        limit_bytes: A page that falls further behind loses its connection, not the server its memory.
        hears_widgets: As for `Sink`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        subprotocol: str | None,
        *,
        limit_bytes: int,
        hears_widgets: bool = True,
    ) -> None:
        self.hears_widgets = hears_widgets
        self._loop = loop
        self._subprotocol = subprotocol
        self._limit_bytes = limit_bytes
        # Protects the fields below, down to `_held_until`.  Held for O(1) work only.
        self._lock = threading.Lock()
        self._frames: deque[str | bytes] = deque()
        self._bytes = 0
        self._end: tuple[int, str] | None = None
        # From when the sender is told, to when it finds nothing more; at first it looks without being told.
        self._is_awake = True
        self._held_until: float | None = None
        # Of the loop's thread alone.
        self._nap: asyncio.Future[None] | None = None
        self._hold_timer: asyncio.TimerHandle | None = None
        self._sender: asyncio.Task[object] | None = None
        self._cut_off = False
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def subprotocol(self) -> str | None:
        """The Jupyter websocket subprotocol that was negotiated, `None` for the default framing."""
        return self._subprotocol

    @property
    def queued_frames(self) -> int:
        """How many frames wait."""
        return len(self._frames)

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait; characters count as bytes."""
        return self._bytes

    def put(self, frame: str | bytes) -> None:
        """Queue a frame; dropped when the outbox is closed."""
        with self._lock:
            if self._end is not None:
                return
            self._frames.append(frame)
            self._bytes += len(frame)
            if self._bytes > self._limit_bytes:
                self._overflow()
            if self._held_until is None or self._end is not None:
                self._wake_sender()

    def hold(self) -> None:
        """An answer is about to be worked on: keep what is put until `flush`, and for 5 ms at most.

        A click has four frames for an answer. Each wakes the event loop, which then competes with the worker for the
        interpreter while that still works on the next.
        """
        with self._lock:
            # Not later where it is held already: messages that come one upon the other, while a slow callback works on
            # the first, would hold back what that has to say for as long as they come.
            if self._held_until is None:
                self._held_until = self._loop.time() + _HOLD_S
        if self._hold_timer is None:
            self._hold_timer = self._loop.call_later(_HOLD_S, self._end_hold, context=contextvars.Context())

    def flush(self) -> None:
        """The answer is complete: send what was put."""
        with self._lock:
            self._held_until = None
            if self._frames:
                self._wake_sender()

    def close(self, code: int, reason: str) -> None:
        """Let the connection end after the frames queued so far; the first close wins."""
        with self._lock:
            if self._end is None:
                self._end = (int(code), reason)
                self._wake_sender()
                if not self._loop.is_closed():
                    call_on(self._loop, self._limit_the_wait)

    async def send_to(self, send: Send, flush: Callable[[], object] | None = None) -> tuple[int, str] | None:
        """Send what comes until the outbox is closed.

        Args:
            send: The websocket's own, of ASGI.
            flush: Lets what was sent leave at once, where the server can.

        Returns:
            The code and reason to close the websocket with; `None` when the page is gone.
        """
        self._sender = asyncio.current_task()
        try:
            while (nap := await self._send_waiting(send)) is not None:
                if flush is not None:
                    flush()
                await nap
                self._forget_hold()
        except (OSError, RuntimeError, WebSocketDisconnect):
            # What servers raise where the other side has closed: an OSError by ASGI's specification.
            return None
        except asyncio.CancelledError:
            if not self._cut_off or self._sender is None:
                raise
            self._sender.uncancel()
        finally:
            self._sender = None
            for timer in (self._deadline, self._hold_timer):
                if timer is not None:
                    timer.cancel()
        return self._end

    async def _send_waiting(self, send: Send) -> "asyncio.Future[None] | None":
        """Send what waits; what to wait for then, `None` at the end."""
        while (frame := self._next()) is not None:
            await send({"type": "websocket.send", "text" if isinstance(frame, str) else "bytes": frame})
        return self._nap

    def _next(self) -> str | bytes | None:
        with self._lock:
            if self._frames:
                frame = self._frames.popleft()
                self._bytes -= len(frame)
                return frame
            self._is_awake = self._end is not None
            self._nap = None if self._is_awake else self._loop.create_future()
            return None

    def _forget_hold(self) -> None:
        """Take back the timer of a hold that is over: it would wake the loop for nothing after each click."""
        if self._hold_timer is not None and self._held_until is None:
            self._hold_timer.cancel()
            self._hold_timer = None

    def _end_hold(self) -> None:
        # It may be that of an earlier hold, whose answer had nothing to send.
        with self._lock:
            until = self._held_until
        if until is not None and until > self._loop.time():
            self._hold_timer = self._loop.call_at(until, self._end_hold, context=contextvars.Context())
            return
        self._hold_timer = None
        if until is not None:
            self.flush()

    def _overflow(self) -> None:
        """Free what waits, and the sender from a page that takes nothing; the lock is held."""
        self._frames.clear()
        self._bytes = 0
        self._end = (CloseCode.TRY_AGAIN_LATER, "overloaded")
        if not self._loop.is_closed():
            call_on(self._loop, self._stop_sending)

    def _limit_the_wait(self) -> None:
        if self._sender is not None:
            # From an empty context, and cancelled when the sender ends: nothing is kept for the length of the wait.
            context = contextvars.Context()
            self._deadline = self._loop.call_later(_CLOSE_GRACE_S, self._stop_sending, context=context)

    def _stop_sending(self) -> None:
        # The sender may be inside `websocket.send`, which waits until the page reads again: for ever, perhaps.
        if self._sender is not None:
            self._cut_off = True
            self._sender.cancel()

    def _wake_sender(self) -> None:
        """Wake the sender once for a burst of frames; the lock is held."""
        if self._is_awake:
            return
        self._is_awake = True
        if not self._loop.is_closed():
            # Also on the loop's own thread: a widget's finalizer may have come here while the loop was about to sleep.
            self._loop.call_soon_threadsafe(self._end_nap)

    def _end_nap(self) -> None:
        if self._nap is not None and not self._nap.done():
            self._nap.set_result(None)
