"""One websocket of a page that was let in, from its handshake to its end."""

import asyncio
import contextvars
import logging
import random
import weakref
from collections.abc import Callable
from itertools import count
from typing import NamedTuple, cast

from starlette.types import Message, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from solara_ctx.clock import PER_TURN
from solara_ctx.context import VirtualKernelContext
from solara_ctx.lifecycle import CloseCode
from solara_ctx.settings import Settings
from solara_ctx.web import resume
from solara_ctx.web.line import Line
from solara_ctx.web.outbox import Outbox
from solara_ctx.web.rate import RateLimit
from solara_ctx.web.resume import Ack, BadWord, Hello, Ping, Said, Welcome

log = logging.getLogger(__name__)

FLUSH = "solara_ctx.flush"
"""An extension of ASGI's websocket scope: `{"flush": f}`, where calling `f` writes at once what was sent before."""
KEEPALIVE = "solara_ctx.keepalive"
"""An extension of ASGI's websocket scope: `{"set": f}`, where `f(interval_s, timeout_s)` sets how often the server
pings, and how long the answer may take.
"""
# Of what a page sends, so much may be unacknowledged, and for so long.
_ACK_MESSAGES = 64
_ACK_BYTES = 1_000_000
_ACK_AFTER_S = 5.0
# A page says hello as soon as its socket is open.
_HELLO_WITHIN_S = 10.0
# Words to pages that have connected together would come together ever after: the first comes so much earlier, at most.
_EARLY = 0.25

End = tuple[int, str]


class Guest(NamedTuple):
    """A page that was let in."""

    page_id: str
    # The frames of its websocket may wait a long time for the network; they must not be what keeps the kernel.
    context: weakref.ref[VirtualKernelContext]
    number: int


class Conversation:
    """What is said over one websocket.  Loop only, once.

    Args:
        websocket: It, as Starlette sees it.
        send: The websocket's own, of ASGI.
        outbox: What is to be sent.
        guest: Who it is.
        settings: Limits, and when to ping.
        rate: How fast it may send.
        resumes: Whether `resume.RESUME` is spoken.
    """

    def __init__(
        self,
        websocket: WebSocket,
        send: Send,
        *,
        outbox: Outbox,
        guest: Guest,
        settings: Settings,
        rate: RateLimit,
        resumes: bool,
    ) -> None:
        self._websocket = websocket
        self._send = send
        self._outbox = outbox
        self._guest = guest
        self._settings = settings
        self._resumes = resumes
        self._loop = asyncio.get_running_loop()
        self._rate = rate
        self._owed_messages = self._owed_bytes = 0
        self._ack_timer: asyncio.TimerHandle | None = None
        self._alive_timer: asyncio.TimerHandle | None = None

    async def run(self, subprotocol: str | None) -> End | None:
        """All that is said, until the page or the kernel ends it: with what to close the websocket then.

        Args:
            subprotocol: Accept the handshake with this one.
        """
        receiver: asyncio.Task[None] | None = None
        line = self._outbox.attach()
        try:
            await self._websocket.accept(subprotocol)
            receiver = asyncio.create_task(self._receive(line))
            if self._resumes:
                self._keep_alive(line)
            flush = cast("Callable[[], object] | None", self._extension(FLUSH, "flush"))
            await line.send_to(self._send, self._outbox, flush)
            return line.end
        finally:
            # First of all: what follows may have to wait for a page that does not answer.
            self._leave(line)
            if receiver is not None and not receiver.done():
                receiver.cancel()
                await asyncio.wait((receiver,))

    def _leave(self, line: Line) -> None:
        for timer in (self._ack_timer, self._alive_timer):
            if timer is not None:
                timer.cancel()
        self._outbox.detach(line)
        context = self._guest.context()
        if context is not None:
            # The registry sees to the cull; nobody here waits for it.
            _ = context.page_disconnect(self._guest.page_id, self._guest.number)

    # What the page says

    async def _hello(self) -> Hello | None:
        """The page's first word; `None` where it does not come."""
        try:
            async with asyncio.timeout(_HELLO_WITHIN_S):
                message = await self._websocket.receive()
            word = resume.read(message.get("text") or "")
        except (TimeoutError, BadWord, WebSocketDisconnect, RuntimeError):
            return None
        return word if isinstance(word, Hello) else None

    async def _receive(self, line: Line) -> None:
        end: End = (CloseCode.DONE, "closed")
        try:
            if self._resumes:
                hello = await self._hello()
                if hello is None:
                    # The end of this connection only: the page may have another one with more sense.
                    self._outbox.cut(line, CloseCode.MALFORMED, "no-hello")
                    return
                self._outbox.resume(line, hello, self._write_welcome)
            for number in count(1):
                message = await self._websocket.receive()
                # A page that has come back on another line says there, once more, what has not been counted here.
                if message["type"] == "websocket.disconnect" or not self._outbox.is_current(line):
                    return
                if not self._rate.allows(self._loop.time()):
                    end = (CloseCode.POLICY, "too-fast")
                    return
                fault = await self._take(line, message)
                del message
                if fault is not None:
                    end = fault
                    return
                if number % PER_TURN == 0:
                    # To receive does not give way while something is there, and 400 small messages come with one read.
                    await asyncio.sleep(0)
        except (WebSocketDisconnect, RuntimeError):
            return
        finally:
            # Nobody listens any more: let the sender end.
            self._end(line, *end)

    async def _take(self, line: Line, message: Message) -> End | None:
        """Act on one frame; with what to end the connection, if so."""
        text = message.get("text")
        frame: str | bytes = message["bytes"] if text is None else text
        if len(frame) > self._settings.websocket_max_frame:
            log.warning("a page sent a message of %d bytes; SOLARA_WEBSOCKET_MAX_FRAME lets larger ones in", len(frame))
            return (CloseCode.TOO_BIG, "too-big")
        if self._resumes and isinstance(frame, str):
            return self._heard(line, frame)
        context = self._guest.context()
        if context is None:
            return (CloseCode.DONE, "closed")
        self._outbox.hold()
        if self._resumes:
            self._outbox.count_received()
            self._owe_ack(line, len(frame))
        room = None if context.receive(self._guest.page_id, frame) else _room_in(context)
        del context, message, text, frame
        if room is not None:
            await room.wait()
        return None

    def _heard(self, line: Line, text: str) -> End | None:
        """Act on a word; with what to end the connection, if so."""
        try:
            word = resume.read(text)
        except BadWord:
            return (CloseCode.MALFORMED, "malformed-frame")
        match word:
            case Ping():
                self._acknowledge(line)
            case Ack(seen):
                if not self._outbox.acknowledged(seen):
                    return (CloseCode.POLICY, "bad-ack")
            case Hello():
                return (CloseCode.POLICY, "second-hello")
        return None

    def _end(self, line: Line, code: int, reason: str) -> None:
        if code == CloseCode.DONE:
            # The page is gone, and may come back.
            self._outbox.cut(line, code, reason)
        elif self._outbox.is_current(line):
            # It did what it may not do: what it has sent is not worth going on with.
            self._outbox.close(code, reason)

    # What is said of the connection itself

    def _write_welcome(self, welcome: Welcome) -> Said:
        interval_s, timeout_s = self._settings.websocket_ping_interval, self._settings.websocket_ping_timeout
        return welcome.write(
            silence_s=interval_s + timeout_s if interval_s else None,
            keep_messages=self._settings.replay_max_messages,
            keep_bytes=self._settings.replay_max_size,
            keep_s=self._settings.replay_max_age,
        )

    def _owe_ack(self, line: Line, size: int) -> None:
        """A message has come, which is to be acknowledged some time."""
        self._owed_messages += 1
        self._owed_bytes += size
        if self._owed_messages >= _ACK_MESSAGES or self._owed_bytes >= _ACK_BYTES:
            self._acknowledge(line)
        elif self._ack_timer is None:
            # From an empty context: nothing of what is current here is to be kept.
            context = contextvars.Context()
            self._ack_timer = self._loop.call_later(_ACK_AFTER_S, self._acknowledge, line, context=context)

    def _acknowledge(self, line: Line) -> None:
        self._owed_messages = self._owed_bytes = 0
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
        self._outbox.say(line, resume.ack(self._outbox.received))

    def _keep_alive(self, line: Line) -> None:
        """Let the server find out whether the page is there, and the page whether the server is."""
        interval_s = self._settings.websocket_ping_interval
        if not interval_s:
            return
        # By pings of websockets: a browser answers them amid a long message, and while a script stands still.
        set_pings = cast("Callable[[float, float], object] | None", self._extension(KEEPALIVE, "set"))
        if set_pings is not None:
            set_pings(interval_s, self._settings.websocket_ping_timeout)
        # The scripts of a page do not see those.
        after_s = interval_s * random.uniform(1 - _EARLY, 1)  # noqa: S311 - chance, not secrecy
        self._alive_timer = self._loop.call_later(after_s, self._say_alive, line, context=contextvars.Context())

    def _say_alive(self, line: Line) -> None:
        self._outbox.say(line, resume.ALIVE)
        interval_s = self._settings.websocket_ping_interval
        self._alive_timer = self._loop.call_later(interval_s, self._say_alive, line, context=contextvars.Context())

    def _extension(self, name: str, key: str) -> object:
        """What the server offers beyond ASGI; `None` where it does not."""
        extensions: dict[str, dict[str, object]] = self._websocket.scope.get("extensions") or {}
        return extensions.get(name, {}).get(key)


def _room_in(context: VirtualKernelContext) -> asyncio.Event:
    """An event that is set when the kernel can take more."""
    room, loop = asyncio.Event(), asyncio.get_running_loop()

    def there_is_room() -> None:
        loop.call_soon_threadsafe(room.set)

    context.when_drained(there_is_room)
    return room
