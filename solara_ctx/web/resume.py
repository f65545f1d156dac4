"""The subprotocol of our own pages: Jupyter's messages, numbered, so that none is lost or handled twice.

A binary frame is a message in Jupyter's framing `v1.kernel.websocket.jupyter.org`.  A text frame is one of the few
words that the two sides have with each other, below, as JSON.

Each side numbers the messages of a *stream* by counting: a websocket keeps their order, so no number has to travel with
them.  A stream lives as long as a page and the run of the page function that it shows, over one connection after the
other.  The first word on each connection is the page's `Hello`: which stream it knows, and how many messages of it
it has seen.  The server's first is the `welcome`: how many it has seen itself, and after which it goes on.  Then both
send what the other has not seen.

============  ====================================================================================================
page          ``{"type": "hello", "stream": "..." or null, "seen": 7}``
page, server  ``{"type": "ack", "seen": 7}``: so many were seen; they need not be kept any more
page          ``{"type": "ping"}``: to be answered by an ack
server        ``{"type": "alive"}``: nothing else was said for a while; a page does not see the pings of websockets
server        ``{"type": "welcome", "stream": "...", "seen": 3, "from": 7, "resync": null or "...", ...}``
server        ``{"type": "draining", "delay": 1.5}``: the server is about to stop; come back in so many seconds
============  ====================================================================================================
"""

import json
from dataclasses import dataclass
from typing import Final, NamedTuple

RESUME: Final = "solara_ctx.resume.v1"
"""The name of the subprotocol; also as the query parameter `protocol`, where a proxy drops the header."""
_LONGEST_WORD = 1000


class BadWord(Exception):
    """A text frame that is no word of this protocol."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a page begins a connection with."""

    stream: str | None
    """The stream that it knows; `None` on its first connection."""
    seen: int
    """How many messages of that stream it has seen."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The page has seen so many messages."""

    seen: int


class Ping:
    """The page asks whether we are there."""


Word = Hello | Ack | Ping


def read(text: str) -> Word:
    """Read a word of a page.

    Raises:
        BadWord: it is none.
    """
    if len(text) > _LONGEST_WORD:
        raise BadWord
    try:
        word = json.loads(text)
    except (ValueError, RecursionError):
        raise BadWord from None
    if not isinstance(word, dict):
        raise BadWord
    if word.get("type") == "ping":
        return Ping()
    seen = word.get("seen")
    if not isinstance(seen, int) or isinstance(seen, bool) or seen < 0:
        raise BadWord
    if word.get("type") == "ack":
        return Ack(seen)
    stream = word.get("stream")
    if word.get("type") != "hello" or not (stream is None or isinstance(stream, str)):
        raise BadWord
    return Hello(stream, seen)


class Said(NamedTuple):
    """A word of the server: a newer one of its kind takes the place of one that was not sent yet."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """How a connection begins for a page."""

    stream: str
    """The stream that it continues, or the new one that it begins."""
    seen: int
    """How many of the page's messages we have seen."""
    after: int
    """How many messages of ours there were before the next."""
    resync: str | None
    """Why something is missing in between, so that the page has to take the state of everything; `None`: nothing is."""

    def write(self, *, silence_s: float | None, keep_messages: int, keep_bytes: int, keep_s: float) -> Said:
        """As it is sent.

        Args:
            silence_s: When nothing came from us for longer than this, the connection is dead; `None`: it can't be told.
            keep_messages: How many messages the page keeps that we have not acknowledged, at most.
            keep_bytes: The same in bytes.
            keep_s: The same in seconds, while there is no connection.
        """
        keep = {"messages": keep_messages, "bytes": keep_bytes, "seconds": keep_s}
        word = {
            "type": "welcome",
            "stream": self.stream,
            "seen": self.seen,
            "from": self.after,
            "resync": self.resync,
            "silence": silence_s,
            "keep": keep,
        }
        return Said("welcome", json.dumps(word))


ALIVE: Final = Said("alive", '{"type": "alive"}')
"""The server is there."""


def ack(seen: int) -> Said:
    """So many of the page's messages were seen."""
    return Said("ack", f'{{"type": "ack", "seen": {seen}}}')


def draining(delay_s: float) -> Said:
    """The server is about to stop: come back in so many seconds, when another may be there."""
    return Said("draining", f'{{"type": "draining", "delay": {delay_s:.3f}}}')
