"""What waits to be sent to one connection of a page."""

import asyncio
import threading
from collections import deque

from starlette.websockets import WebSocket, WebSocketDisconnect

from solara_ctx.lifecycle import CloseCode


class Outbox:
    """A bounded queue of frames with one sender.  Implements `solara_ctx.ports.Sink`.

    `put` and `close` are safe from any thread and never block; `send_to` is for the event loop's thread.

    Args:
        loop: The loop on which `send_to` runs.
        subprotocol: What was negotiated.
        limit_bytes: A page that falls further behind loses its connection, not the server its memory.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, subprotocol: str | None, *, limit_bytes: int) -> None:
        self._loop = loop
        self._subprotocol = subprotocol
        self._limit_bytes = limit_bytes
        # Protects the four fields below.  Held for O(1) work only.
        self._lock = threading.Lock()
        self._frames: deque[str | bytes] = deque()
        self._bytes = 0
        self._end: tuple[int, str] | None = None
        self._wake_scheduled = False
        self._wake = asyncio.Event()

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
                self._frames.clear()
                self._bytes = 0
                self._end = (CloseCode.TRY_AGAIN_LATER, "overloaded")
            self._wake_sender()

    def close(self, code: int, reason: str) -> None:
        """End the connection after the frames queued so far; the first close wins."""
        with self._lock:
            if self._end is None:
                self._end = (int(code), reason)
                self._wake_sender()

    async def send_to(self, websocket: WebSocket) -> None:
        """Send what comes until the outbox is closed, then close the websocket; returns early when the page is gone."""
        try:
            while True:
                await self._wake.wait()
                frames, end = self._take()
                for frame in frames:
                    if isinstance(frame, str):
                        await websocket.send_text(frame)
                    else:
                        await websocket.send_bytes(frame)
                if end is not None:
                    await websocket.close(*end)
                    return
        except (WebSocketDisconnect, RuntimeError):
            # Starlette raises the latter where the other side has closed while we were about to send.
            return

    def _take(self) -> tuple[deque[str | bytes], tuple[int, str] | None]:
        with self._lock:
            frames, self._frames = self._frames, deque()
            self._bytes = 0
            self._wake_scheduled = False
            self._wake.clear()
            return frames, self._end

    def _wake_sender(self) -> None:
        """Wake the sender once for a burst of frames; the lock is held."""
        if self._wake_scheduled:
            return
        self._wake_scheduled = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)
