"""An event loop that handles the events of a few sockets in each of its turns.

asyncio handles every socket that is ready before it looks at its timers and at what was called from other threads.
When thousands of pages have something to say, or vanish, in the same moment, that is one turn of a tenth of a second
and more, in which nobody else is served.  Linux tells of as many ready sockets as it is asked for, of the others next
time, and all have their turn: so here it is asked for few.
"""

import asyncio
import selectors
from typing import Protocol, cast

AT_ONCE = 8
"""Sockets in one turn.  What comes of one takes 0.1 to 0.3 ms; and each system call lets go of the interpreter, which a
worker with much to do then keeps for up to 5 ms."""


class _Epoll(Protocol):
    """What a selector uses of `select.epoll` to wait."""

    def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
        """Wait for events."""


class FewAtATime:
    """A `select.epoll` that tells of few sockets at a time.  Everything else is epoll's own."""

    def __init__(self, epoll: _Epoll) -> None:
        self._epoll = epoll

    def __getattr__(self, name: str) -> object:
        return getattr(self._epoll, name)

    def poll(self, timeout: float = -1, maxevents: int = -1) -> list[tuple[int, int]]:
        """As epoll's, with no more than `AT_ONCE` events."""
        return self._epoll.poll(timeout, min(maxevents, AT_ONCE) if maxevents > 0 else AT_ONCE)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """For `uvicorn --loop`, and `asyncio.Runner(loop_factory=...)`.  Without epoll, asyncio's selector loop."""
    selector = selectors.DefaultSelector()
    # The selector's own attribute, in CPython 3.4 to 3.14; there is no other way in.
    epoll = getattr(selector, "_selector", None)
    if type(epoll).__name__ == "epoll":
        selector._selector = FewAtATime(cast("_Epoll", epoll))  # type: ignore[attr-defined]
    return asyncio.SelectorEventLoop(selector)
