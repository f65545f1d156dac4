"""A page that behaves badly, in a process of its own: `python -m benchmarks.pages.rude HOST PORT MANNER`.

Each line that it reads lets it begin, or cease; it says then what has become of it, in JSON.
"""

import asyncio
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Final

from benchmarks.pages.crowd import dial
from benchmarks.pages.lean import LeanSocket
from benchmarks.pages.page import LARGE
from benchmarks.support.process import BenchmarkFailed
from benchmarks.support.rawsocket import frame_of
from benchmarks.support.sides import OpenPage, Ours
from benchmarks.support.stream import Stream

_AT_ONCE = 100
"""Messages in one write, of a page that sends as fast as it can."""
_TICK_S = 0.001
# As in frontend/src/connection: a page that is cut off for what it did waits longer each time, up to a limit.
_FIRST_WAIT_S = 0.25
_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Manner:
    """What a page does that is not done."""

    rate: float | None
    """How many messages a second; `None`: as many as it can."""
    values: tuple[int, ...]
    """Where it moves its slider, over and over."""
    reads: bool = True
    waits: bool = True
    """Whether it waits as our frontend does before it comes back."""


_VALUES = tuple(range(100))
MANNERS: Final = {
    "floods": Manner(None, _VALUES),
    "floods, back at once": Manner(None, _VALUES, waits=False),
    "950 moves a second": Manner(950.0, _VALUES),
    "reads nothing": Manner(100.0, tuple(LARGE), reads=False),
    "reads all of as much": Manner(100.0, tuple(LARGE)),
}


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    port: int


class Rude:
    """One page that does it."""

    def __init__(self, manner: Manner, side: Ours, page: OpenPage) -> None:
        self._manner = manner
        self._side = side
        self._failures = 0
        self._may = asyncio.Event()
        self.sent = 0
        self.ends: dict[str, int] = {}
        """How often its connection has ended, by code and reason."""
        self._use(page)

    def toggle(self) -> None:
        """Begin, or cease."""
        if self._may.is_set():
            self._may.clear()
        else:
            self._may.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._may.wait()
            try:
                await self._send()
            except BenchmarkFailed:
                end = str(self._socket.end)
                self.ends[end] = self.ends.get(end, 0) + 1
                await self._come_back()

    async def _send(self) -> None:
        """Send until it is to cease, or until the connection ends."""
        if self._manner.rate is None:
            for chunk in self._chunks:
                if not self._may.is_set():
                    return
                self._socket.write(chunk)
                self.sent += _AT_ONCE
                await asyncio.sleep(0)
                await self._socket.room()
            return
        loop = asyncio.get_running_loop()
        begun, count = loop.time(), 0
        while self._may.is_set():
            due = int((loop.time() - begun) * self._manner.rate) - count
            self._socket.write(b"".join(next(self._frames) for _ in range(due)))
            count += due
            self.sent += due
            await asyncio.sleep(_TICK_S)

    async def _come_back(self) -> None:
        if self._manner.waits:
            most_s = _FIRST_WAIT_S * 2**self._failures
            self._failures = min(self._failures + 1, _MOST_FAILURES)
            await asyncio.sleep(random.uniform(most_s / 2, most_s))  # noqa: S311 - chance, not secrecy
        # What it was cut off for is not gone on with, see web/conversation.py: a new stream.
        channel = await dial(self._page.url, self._page.cookies, Stream())
        await channel.welcome()
        self._use(replace(self._page, channel=channel))

    def _use(self, page: OpenPage) -> None:
        socket = page.channel.socket
        if not isinstance(socket, LeanSocket):
            raise BenchmarkFailed("the page was not opened by a LeanSocket")
        self._page, self._socket = page, socket
        if self._manner.reads:
            socket.listen(lambda _message: None)
        else:
            socket.read_nothing()
        self._frames = self._moves()
        self._chunks = cycle([b"".join(next(self._frames) for _ in range(_AT_ONCE))])

    def _moves(self) -> Iterator[bytes]:
        data = [{"method": "update", "state": {"value": each}, "buffer_paths": []} for each in self._manner.values]
        messages = [
            self._page.channel.encode("comm_msg", {"comm_id": self._page.slider, "data": each}) for each in data
        ]
        return cycle([frame_of(message) for message in messages])


async def _main(host: str, port: str, manner: str) -> None:
    side = Ours(Path(__file__).parent, dial)
    rude = Rude(MANNERS[manner], side, await side.connect(_Address(host, int(port))))
    running = asyncio.create_task(rude.run())
    loop = asyncio.get_running_loop()
    print(json.dumps({}), flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        rude.toggle()
        print(json.dumps({"sent": rude.sent, "ends": rude.ends}), flush=True)
    running.cancel()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
