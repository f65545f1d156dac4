"""What was sent to a page and may have to be sent again.  Pure; the caller holds its lock."""

import secrets
from collections import deque
from typing import NamedTuple


class ReplayLimits(NamedTuple):
    """How much of what was sent to a page is kept until the page has said that it has it."""

    messages: int
    bytes: int
    age_s: float
    """For how long what is sent to a page without a connection is kept."""


class Replay:
    """One stream of messages to a page: how many there were, and the last of them, as far as the page has not
    acknowledged them.
    """

    def __init__(self, limits: ReplayLimits) -> None:
        self.id = secrets.token_urlsafe(12)
        """Names the stream to the page."""
        self.limits = limits
        self.sent = 0
        """How many messages were sent."""
        self.received = 0
        """How many messages of the page were seen.  Loop only."""
        self._kept: deque[str | bytes] = deque()
        self._bytes = 0

    @property
    def kept_bytes(self) -> int:
        """How many bytes are kept; characters count as bytes."""
        return self._bytes

    @property
    def kept_messages(self) -> int:
        """How many messages are kept."""
        return len(self._kept)

    def send(self, frame: str | bytes) -> None:
        """That frame is being sent: number it, and keep it, if need be instead of older ones."""
        self.sent += 1
        self._kept.append(frame)
        self._bytes += len(frame)
        while self._bytes > self.limits.bytes or len(self._kept) > self.limits.messages:
            self._bytes -= len(self._kept.popleft())

    def acknowledge(self, seen: int) -> bool:
        """The page has seen so many messages; false where it can't have."""
        if seen > self.sent:
            return False
        while self._kept and self.sent - len(self._kept) < seen:
            self._bytes -= len(self._kept.popleft())
        return True

    def rewind(self, seen: int) -> list[str | bytes] | None:
        """Take back what the page has not seen.

        Returns:
            The frames, which are to be sent again; `None` where they are not all there any more, or it can't have seen
            so many.
        """
        if not self.acknowledge(seen) or self.sent - len(self._kept) != seen:
            return None
        frames = list(self._kept)
        self.forget()
        self.sent = seen
        return frames

    def forget(self) -> None:
        """Keep nothing of what was sent so far."""
        self._kept.clear()
        self._bytes = 0
