"""What a page of ours says on its websocket besides its messages: `solara_ctx.resume.v1`, as its frontend says it.

It counts what it sees, acknowledges it, and says where it was when it comes back.  It keeps nothing of what it sends:
no benchmark loses a connection while something is under way, and a server that has seen less than was sent is an error.
"""

import asyncio
import json
import struct
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from benchmarks.support.process import BenchmarkFailed

RESUME: Final = "solara_ctx.resume.v1"
# As in frontend/src/connection/stream.ts: of what the server sends, so much may be unacknowledged, and for so long.
_ACK_MESSAGES = 64
_ACK_BYTES = 1_000_000
_ACK_AFTER_S = 5.0

Say = Callable[[str], object]


class Stream:
    """A page's end of it, over one connection after the other; the socket tells it of each frame."""

    __slots__ = ("_drained_s", "_id", "_is_open", "_owed", "_owed_bytes", "_say", "_seen", "_sent", "_timer")

    def __init__(self) -> None:
        self._say: Say | None = None
        self._id: str | None = None
        self._is_open = False
        self._seen = self._sent = 0
        self._owed = self._owed_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._drained_s: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the server has said where this connection goes on."""
        return self._is_open

    @property
    def drained_s(self) -> float | None:
        """In how many seconds to come back, where the server has said that it is about to stop."""
        return self._drained_s

    def begin(self, say: Say) -> None:
        """A connection is open: say hello on it."""
        self._say, self._is_open = say, False
        self._owed = self._owed_bytes = 0
        say(json.dumps({"type": "hello", "stream": self._id, "seen": self._seen}))

    def end(self) -> None:
        """The connection has ended."""
        self._say, self._is_open = None, False
        self._forget_timer()

    def sent(self) -> None:
        """A message is being sent."""
        self._sent += 1

    def saw(self, size: int) -> None:
        """A message has come, of so many bytes."""
        self._seen += 1
        self._owed += 1
        self._owed_bytes += size
        if self._owed >= _ACK_MESSAGES or self._owed_bytes >= _ACK_BYTES:
            self._acknowledge()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_ACK_AFTER_S, self._acknowledge)

    def shown(self) -> None:
        """What has come is on the screen."""
        if self._owed:
            self._acknowledge()

    def heard(self, text: str) -> None:
        """The server has said a word.

        Raises:
            BenchmarkFailed: something is missing, or the word is not known.
        """
        word = json.loads(text)
        match word["type"]:
            case "welcome":
                self._welcomed(word)
            case "draining":
                self._drained_s = float(word["delay"])
            case "ack" | "alive":
                pass
            case kind:
                raise BenchmarkFailed(f"the server says a word that no page knows: {kind}")

    def _welcomed(self, word: dict[str, object]) -> None:
        if self._id is not None and (word["stream"], word["seen"], word["resync"]) != (self._id, self._sent, None):
            raise BenchmarkFailed(f"a page that came back after {self._seen} messages can't go on: {word}")
        if self._id is not None:
            self._seen = int(str(word["from"]))
        self._id, self._is_open = str(word["stream"]), True

    def _acknowledge(self) -> None:
        self._forget_timer()
        self._owed = self._owed_bytes = 0
        if self._say is not None:
            self._say(f'{{"type": "ack", "seen": {self._seen}}}')

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def framed(parts: Sequence[bytes]) -> bytes:
    """A message in Jupyter's framing `v1.kernel.websocket.jupyter.org`: its channel, then its parts."""
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return struct.pack(f"<{len(offsets) + 1}Q", len(offsets), *offsets) + b"".join(parts)


def parts_of(frame: bytes) -> list[bytes]:
    """The channel and the parts of a message in that framing."""
    (count,) = struct.unpack_from("<Q", frame)
    offsets = struct.unpack_from(f"<{count}Q", frame, 8)
    return [frame[begin:end] for begin, end in pairwise(offsets)]
