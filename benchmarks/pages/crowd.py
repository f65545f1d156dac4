"""Many pages at once: opened, and clicked on at a steady rate, in random order."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.pages.lean import LeanSocket
from benchmarks.support.client import Channel
from benchmarks.support.process import BenchmarkFailed
from benchmarks.support.sides import Address, OpenPage, Side
from benchmarks.support.stream import Stream

_AT_ONCE = 8
_ANSWER_S = 60.0
_OPEN_S = 600.0
_VALUES = 100
_FIRST_VALUE = 7
_POLL_S = 0.005


class Visitor:
    """One open page that clicks."""

    __slots__ = ("_answered", "_begun", "_taken", "_value", "_wanted", "page", "socket")

    def __init__(self, page: OpenPage) -> None:
        self._wanted: bytes | None = None
        self._answered: asyncio.Future[None] | None = None
        self._begun = 0.0
        self._taken: list[float] = []
        self._value = _FIRST_VALUE
        self.use(page)

    def use(self, page: OpenPage) -> None:
        """Go on with a page that has come back."""
        socket = page.channel.socket
        if not isinstance(socket, LeanSocket):
            raise BenchmarkFailed("the page was not opened by a LeanSocket")
        self.page, self.socket = page, socket
        socket.listen(self._heard)

    @property
    def waits(self) -> bool:
        """Whether a click has not been answered yet."""
        return self._wanted is not None

    def click(self, taken: list[float]) -> None:
        """Move the slider; how long the answer has taken, in seconds, is added to *taken*."""
        # Never where it is already: that would be no change, and have no answer.
        self._value = value = (self._value + 1) % _VALUES
        self.send(value)
        self._wanted = f'"{value} squared is {value**2}"'.encode()
        self._taken = taken
        self._begun = time.perf_counter()

    async def move(self, taken: list[float]) -> None:
        """The same, and wait for the answer.

        Raises:
            BenchmarkFailed: it does not come.
        """
        self.click(taken)
        self._answered = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._answered
        except TimeoutError:
            raise BenchmarkFailed(f"a page has not answered a click within {_ANSWER_S:g} s") from None
        finally:
            self._answered = None

    def send(self, value: int) -> None:
        """Move the slider there, and wait for nothing."""
        data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
        self.socket.put(self.page.channel.encode("comm_msg", {"comm_id": self.page.slider, "data": data}))

    def _heard(self, message: bytes) -> None:
        if self._wanted is not None and self._wanted in message:
            self._taken.append(time.perf_counter() - self._begun)
            self._wanted = None
            if self._answered is not None and not self._answered.done():
                self._answered.set_result(None)


@dataclass(frozen=True, slots=True)
class Answers:
    """How long the answers have taken, in seconds."""

    count: int
    p50: float
    p99: float
    longest: float

    @classmethod
    def of(cls, taken: list[float]) -> "Answers":
        percent = statistics.quantiles(taken, n=100, method="inclusive")  # of few, too
        return cls(len(taken), percent[49], percent[98], max(taken))


class Crowd:
    """The pages of one server.

    Args:
        side: The system, with `dial` for its websockets.
        server: Where it listens.
    """

    def __init__(self, side: Side, server: Address) -> None:
        self._side = side
        self._server = server
        self._random = random.Random(4)  # noqa: S311 - the same order in each run
        self.visitors: list[Visitor] = []

    async def open(self, count: int) -> None:
        """Have that many pages open.

        Raises:
            BenchmarkFailed: they are not, within minutes.
        """
        missing = iter(range(count - len(self.visitors)))
        try:
            async with asyncio.timeout(_OPEN_S):
                await asyncio.gather(*(self._open_some(missing) for _ in range(_AT_ONCE)))
        except TimeoutError:
            raise BenchmarkFailed(f"{count} pages were not open within {_OPEN_S:g} s") from None

    async def leave(self) -> None:
        """All pages go, as closed tabs do."""
        for visitor in self.visitors:
            await self._side.leave(self._server, visitor.page)
        self.visitors.clear()

    async def click(self, rate: float, seconds: float) -> Answers:
        """Click, now on this page, now on that, and wait for the last answer.

        Raises:
            BenchmarkFailed: an answer does not come.
        """
        return Answers.of(await self.times(rate, seconds))

    async def times(self, rate: float, seconds: float) -> list[float]:
        """The same: how long each answer has taken, in seconds.

        Raises:
            BenchmarkFailed: an answer does not come.
        """
        taken: list[float] = []
        order = self._order()
        begun, count = time.perf_counter(), int(rate * seconds)
        for number in range(count):
            ahead_s = begun + number / rate - time.perf_counter()
            if ahead_s > 0:
                await asyncio.sleep(ahead_s)
            (await self._free(order)).click(taken)
        await until(lambda: len(taken) == count, f"the answers to {count} clicks")
        return taken

    async def _open_some(self, missing: Iterator[int]) -> None:
        for _ in missing:
            self.visitors.append(Visitor(await self._side.connect(self._server)))

    async def _free(self, order: Iterator[Visitor]) -> Visitor:
        """The next page that waits for nothing."""
        deadline = time.perf_counter() + _ANSWER_S
        for tried, visitor in enumerate(order, 1):
            if not visitor.waits:
                return visitor
            if tried % len(self.visitors) == 0:
                await asyncio.sleep(0.001)
            if time.perf_counter() > deadline:
                break
        raise BenchmarkFailed(f"no page has answered a click within {_ANSWER_S:g} s")

    def _order(self) -> Iterator[Visitor]:
        visitors = self.visitors.copy()
        while True:
            self._random.shuffle(visitors)
            yield from visitors


async def dial(url: str, cookies: str, stream: Stream | None) -> Channel:
    """Open the websocket of a page, for a `Side`."""
    return Channel(await LeanSocket.connect(url, cookies, stream), stream)


async def until(is_so: Callable[[], bool], what: str, within_s: float = _ANSWER_S, *, every_s: float = _POLL_S) -> None:
    """Wait for it.

    Raises:
        BenchmarkFailed: it does not come.
    """
    deadline = time.perf_counter() + within_s
    while not is_so():
        if time.perf_counter() > deadline:
            raise BenchmarkFailed(f"{what} have not come within {within_s:g} s")
        await asyncio.sleep(every_s)
