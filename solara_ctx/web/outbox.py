"""What waits to be sent to one page."""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable

from solara_ctx.clock import call_on
from solara_ctx.lifecycle import CloseCode
from solara_ctx.web import resume
from solara_ctx.web.line import Line
from solara_ctx.web.replay import Replay, ReplayLimits
from solara_ctx.web.resume import Hello, Said, Welcome

# How long an answer may be gathered until what there is of it is sent. A click is answered in a tenth of this; a person
# does not see it, and a callback that takes longer is seen to be busy all the same.
_HOLD_S = 0.005


class Outbox:
    """A bounded queue of frames, which one line at a time sends.  Implements `solara_ctx.ports.Sink`.

    That of a page which can resume lives as long as the page does: it keeps what may have to be sent again, and what is
    put while there is no line.  Where that becomes too much, or takes too long, it forgets it all and takes no more;
    a page that comes back then has to take the state of everything.  On the line of such a page only words are sent
    until the page has said where it is.

    `put`, `flush` and `close` are safe from any thread and never block; the rest is for the event loop's thread.

    Args:
        loop: The loop on which its lines send.
        framing: The Jupyter websocket subprotocol that frames are encoded for, `None` for the default framing.
        limit_bytes: A page that falls further behind loses its connection, not the server its memory.
        replay: What to keep for a page that can resume; `None` for one that can't.
        return_after_s: How long pages are asked to wait when the server stops.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        framing: str | None,
        *,
        limit_bytes: int,
        replay: ReplayLimits | None = None,
        return_after_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        # A page that can resume asks for the states of all widgets whenever its stream begins or has a gap.
        self.hears_widgets = replay is None
        self.is_listening = True
        self._loop = loop
        self._framing = framing
        self._limit_bytes = limit_bytes
        self._return_after_s = return_after_s
        # Protects the fields below, down to `_held_until`.  A collection may come at any allocation in here, and run a
        # finalizer that puts something.
        self._lock = threading.RLock()
        self._frames: deque[str | bytes] = deque()
        self._bytes = 0
        self._huge_bytes = 0
        self._replay = None if replay is None else Replay(replay)
        self._line: Line | None = None
        self._sends = False
        """Whether frames are sent on the line."""
        self._has_begun = False
        """Whether they were on any."""
        self._gap: str | None = None
        self._end: tuple[int, str] | None = None
        self._held_until: float | None = None
        # Of the loop's thread alone.
        self._hold_timer: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def subprotocol(self) -> str | None:
        """The Jupyter websocket subprotocol that frames are encoded for, `None` for the default framing."""
        return self._framing

    @property
    def queued_frames(self) -> int:
        """How many frames wait."""
        return len(self._frames)

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait; characters count as bytes."""
        return self._bytes

    @property
    def replay_bytes(self) -> int:
        """How many bytes of what was sent are kept until the page has acknowledged them."""
        return 0 if self._replay is None else self._replay.kept_bytes

    @property
    def outlives_connection(self) -> bool:
        """Whether a page that has lost its connection may go on with this outbox."""
        return self._replay is not None and self._end is None

    # What the kernel does; any thread

    def put(self, frame: str | bytes) -> None:
        """Queue a frame; dropped when the outbox is closed, or a page without a connection has to resync anyway."""
        with self._lock:
            if not self.is_listening:
                return
            self._frames.append(frame)
            if self._is_too_much(len(frame)) or (not self._sends and self._is_too_much_to_keep()):
                self._overflow()
            elif self._sends and self._held_until is None and self._line is not None:
                self._line.wake()

    def flush(self) -> None:
        """The answer is complete: send what was put."""
        with self._lock:
            self._held_until = None
            if self._frames and self._sends and self._line is not None:
                self._line.wake()

    def close(self, code: int, reason: str) -> None:
        """Let the connection end after the frames queued so far, and take no more; the first close wins."""
        with self._lock:
            if self._end is not None:
                return
            self._end = (int(code), reason)
            self.is_listening = False
            if self._line is not None:
                if code == CloseCode.GOING_AWAY and self._replay is not None:
                    self._line.say(resume.draining(self._return_after_s()))
                self._line.finish(code, reason)
            elif self._has_begun:
                self._forget()
        if not self._loop.is_closed():
            call_on(self._loop, self._cancel_expiry)

    # What a connection does; loop only

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

    def attach(self) -> Line:
        """A connection begins: its line.  That of an older connection ends, as what the page's status says is about the
        newer one from now on.
        """
        self._cancel_expiry()
        line = Line(self._loop)
        with self._lock:
            replaced, self._line = self._line, line
            self._sends = self._replay is None
            self._has_begun = self._has_begun or self._sends
            if replaced is not None:
                replaced.cut(CloseCode.REPLACED, "replaced")
            if self._end is not None:
                line.finish(*self._end)
        return line

    def resume(self, line: Line, hello: Hello, write: Callable[[Welcome], Said]) -> None:
        """The page has said where it is: send what it has not seen, if that line is still the one that sends.

        Args:
            line: What the page has said it on.
            hello: What it knows.
            write: Writes the first word on the line.
        """
        with self._lock:
            if self._line is not line or self._replay is None:
                return
            resync = self._catch_up(self._replay, hello)
            line.say(write(Welcome(self._replay.id, self._replay.received, self._replay.sent, resync)))
            self._sends = self._has_begun = True

    def detach(self, line: Line) -> None:
        """A connection has ended; harmless when another has taken its place."""
        with self._lock:
            if self._line is not line:
                return
            self._line = self._held_until = None
            self._sends = False
            if self._replay is None:
                self._forget()
            elif self._is_too_much_to_keep():
                self._break_off("too-much")
        self._forget_hold()
        if self._replay is not None and self.outlives_connection:
            # From an empty context, and cancelled when the page comes back or ends.
            context, age_s = contextvars.Context(), self._replay.limits.age_s
            self._expiry = self._loop.call_later(age_s, self._expire, context=context)

    def is_current(self, line: Line) -> bool:
        """Whether that line is the one that sends."""
        return self._line is line

    def say(self, line: Line, word: Said) -> None:
        """Send a word of the protocol itself, if that line is the one that sends."""
        with self._lock:
            if self._line is line:
                line.say(word)

    def cut(self, line: Line, code: int, reason: str) -> None:
        """End a connection at once."""
        with self._lock:
            line.cut(code, reason)

    @property
    def received(self) -> int:
        """How many messages of the page were seen, in this stream."""
        return 0 if self._replay is None else self._replay.received

    def count_received(self) -> None:
        """One more was seen."""
        if self._replay is not None:
            self._replay.received += 1

    def acknowledged(self, seen: int) -> bool:
        """The page has seen so many messages; false where it can't have."""
        with self._lock:
            return self._replay is not None and self._replay.acknowledge(seen)

    def next_for(self, line: Line) -> str | bytes | None:
        """The next frame for that line; as for `line.Source`."""
        with self._lock:
            if line is self._line:
                word = line.next_word()
                if word is not None:
                    return word
                if self._frames and self._sends:
                    frame = self._frames.popleft()
                    self._count(-len(frame), len(frame))
                    if self._replay is not None:
                        self._replay.send(frame)
                    return frame
            line.nap()
            return None

    def has_napped(self) -> None:
        """The line has napped: what was held has been sent, mostly."""
        # Otherwise the timer would wake the loop for nothing after each click.
        if self._held_until is None:
            self._forget_hold()

    def _catch_up(self, replay: Replay, hello: Hello) -> str | None:
        """Go on where the page is; why that is not possible.  The lock is held."""
        self.is_listening = self._end is None
        gap, self._gap = self._gap, None
        if hello.stream != replay.id:
            if self._has_begun:
                self._forget()
                self._replay = Replay(replay.limits)
                self.hears_widgets = False
            return None if hello.stream is None else "unknown-stream"
        frames = None if gap is not None else replay.rewind(hello.seen)
        if frames is None:
            self._forget()
            self.hears_widgets = False
            return gap or "missing"
        self._frames.extendleft(reversed(frames))
        for size in map(len, frames):
            self._count(size, size)
        return None

    def _is_too_much(self, size: int) -> bool:
        """Whether a frame more is one too many; the lock is held.

        One that is larger than all that may wait is let through, as it would never be otherwise: the states of all
        widgets are one message.  But only one at a time.
        """
        is_second = size > self._limit_bytes and self._huge_bytes > 0
        self._count(size, size)
        return is_second or self._bytes - self._huge_bytes > self._limit_bytes

    def _count(self, change: int, size: int) -> None:
        self._bytes += change
        if size > self._limit_bytes:
            self._huge_bytes += change

    def _is_too_much_to_keep(self) -> bool:
        """Whether more waits than is kept for a page that was cut off; the lock is held."""
        replay = self._replay
        return (
            replay is not None
            and self._has_begun
            and (
                self._bytes + replay.kept_bytes > replay.limits.bytes
                or len(self._frames) + replay.kept_messages > replay.limits.messages
            )
        )

    def _overflow(self) -> None:
        """Free what waits, and the line from a page that takes nothing; the lock is held."""
        if self._replay is None:
            self._end = (CloseCode.TRY_AGAIN_LATER, "overloaded")
        self._break_off("overloaded" if self._sends else "too-much")
        if self._sends and self._line is not None:
            self._line.cut(CloseCode.TRY_AGAIN_LATER, "overloaded")

    def _break_off(self, why: str) -> None:
        """Forget what was sent, and take no more, until the page is back; the lock is held."""
        self._forget()
        self._gap = why
        self.is_listening = False

    def _forget(self) -> None:
        self._frames.clear()
        self._bytes = self._huge_bytes = 0
        if self._replay is not None:
            self._replay.forget()

    def _expire(self) -> None:
        self._expiry = None
        with self._lock:
            if self._line is None and self._end is None:
                self._break_off("too-long")

    def _cancel_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _forget_hold(self) -> None:
        if self._hold_timer is not None:
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
