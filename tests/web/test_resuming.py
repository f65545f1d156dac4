"""An outbox over one connection after the other: what a page gets that has lost some of them."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

import pytest
from starlette.types import Message

from solara_ctx.lifecycle import CloseCode
from solara_ctx.web import resume
from solara_ctx.web.line import Line
from solara_ctx.web.outbox import Outbox
from solara_ctx.web.replay import ReplayLimits
from solara_ctx.web.resume import Hello, Said, Welcome
from tests.support.service import eventually

JUPYTER = "v1.kernel.websocket.jupyter.org"
Json = dict[str, Any]


def outbox(*, limit_bytes: int = 1000, messages: int = 100, size: int = 500, age_s: float = 60.0) -> Outbox:
    limits = ReplayLimits(messages, size, age_s)
    loop = asyncio.get_running_loop()
    return Outbox(loop, JUPYTER, limit_bytes=limit_bytes, replay=limits, return_after_s=lambda: 2.5)


def write(welcome: Welcome) -> Said:
    return welcome.write(silence_s=None, keep_messages=1, keep_bytes=1, keep_s=1.0)


def listens(box: Outbox) -> bool:
    """Asked for anew each time, as it changes behind the type checker's back."""
    return box.is_listening


class Visit:
    """One connection of a page, which takes so many frames and then no more."""

    def __init__(
        self, box: Outbox, *, stream: str | None = None, seen: int = 0, takes: int | None = None, mute: bool = False
    ) -> None:
        self.box = box
        self.hello = None if mute else Hello(stream, seen)
        self.takes = takes
        self.words: list[Json] = []
        self.frames: list[bytes] = []
        self.line: Line | None = None
        self.sender: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.line = self.box.attach()
        self.sender = asyncio.create_task(self.line.send_to(self._send, self.box))
        if self.hello is not None:
            self.box.resume(self.line, self.hello, write)
        await turns()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.line is not None
        assert self.sender is not None
        self.box.cut(self.line, CloseCode.DONE, "closed")
        await self.sender
        self.box.detach(self.line)

    @property
    def welcome(self) -> Json:
        return self.words[0]

    @property
    def stream(self) -> str:
        return str(self.welcome["stream"])

    async def _send(self, message: Message) -> None:
        if "text" in message:
            self.words.append(json.loads(message["text"]))
            return
        if self.takes is not None and len(self.frames) >= self.takes:
            await asyncio.get_running_loop().create_future()
        self.frames.append(message["bytes"])


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_page_goes_on_where_it_was_cut_off() -> None:
    """What it has not seen comes again, what was put meanwhile comes too, what it has seen does not."""
    box = outbox()
    async with Visit(box) as first:
        for frame in (b"1", b"2", b"3"):
            box.put(frame)
        await turns()
        assert first.frames == [b"1", b"2", b"3"]
        assert (first.welcome["seen"], first.welcome["from"], first.welcome["resync"]) == (0, 0, None)
    box.put(b"4")
    async with Visit(box, stream=first.stream, seen=1) as second:
        assert second.frames == [b"2", b"3", b"4"]
        assert (second.stream, second.welcome["from"], second.welcome["resync"]) == (first.stream, 1, None)
        box.put(b"5")
        await turns()
        assert second.frames[-1] == b"5"


async def test_a_frame_that_is_stuck_on_the_way_is_sent_again() -> None:
    """A connection may die with a frame that nobody took."""
    box = outbox()
    async with Visit(box, takes=1) as first:
        box.put(b"1")
        box.put(b"2")
        await turns()
        assert first.frames == [b"1"]
    async with Visit(box, stream=first.stream, seen=1) as second:
        assert second.frames == [b"2"]


async def test_the_page_is_told_what_was_seen_of_it() -> None:
    """So that it sends the rest, and only that."""
    box = outbox()
    async with Visit(box) as first:
        for _ in range(3):
            box.count_received()
    async with Visit(box, stream=first.stream) as second:
        assert second.welcome["seen"] == 3


async def test_a_newer_connection_takes_the_place_of_an_older_one() -> None:
    """The older one is told; nothing is sent twice on the newer one, nothing more on the older."""
    box = outbox()
    async with Visit(box) as first:
        box.put(b"1")
        await turns()
        async with Visit(box, stream=first.stream, seen=1) as second:
            assert first.line is not None
            assert first.line.end == (4409, "replaced")
            assert not box.is_current(first.line)
            box.put(b"2")
            await turns()
            assert (first.frames, second.frames) == ([b"1"], [b"2"])
            box.detach(first.line)
            box.put(b"3")
            await turns()
            assert second.frames == [b"2", b"3"]


async def test_an_older_connection_ends_as_soon_as_a_newer_one_is_there() -> None:
    """Not only once that one has said hello: by then the page's status is about the newer one. What is put waits."""
    box = outbox()
    async with Visit(box) as first:
        async with Visit(box, mute=True) as second:
            box.put(b"1")
            await turns()
            assert first.line is not None
            assert first.line.end == (4409, "replaced")
            assert (first.frames, second.frames, second.words) == ([], [], [])
            box.resume(first.line, Hello(first.stream, 0), write)  # too late
            await turns()
            assert len(first.words) == 1
        assert box._expiry is not None
    async with Visit(box, stream=first.stream) as third:
        assert third.frames == [b"1"]


async def test_what_waits_for_a_page_that_never_says_hello_is_forgotten() -> None:
    """Like that of any page that is away."""
    box = outbox(age_s=0.0)
    box.put(b"early")
    async with Visit(box, mute=True):
        pass
    await eventually(lambda: not box.is_listening)
    assert box.queued_bytes == 0


async def test_a_page_that_has_not_said_hello_hears_of_the_end() -> None:
    """At once, without the frames that it has not asked for, and with the time to come back at."""
    box = outbox()
    async with Visit(box, mute=True) as page:
        box.put(b"1")
        box.close(CloseCode.GOING_AWAY, "server-shutdown")
        await turns()
        assert page.line is not None
        assert page.line.end == (1001, "server-shutdown")
        assert page.sender is not None
        assert page.sender.done()
        assert (page.frames, page.words) == ([], [{"type": "draining", "delay": 2.5}])


async def test_before_a_page_has_begun_it_may_be_told_more_than_is_kept() -> None:
    """What a kernel says while the handshake is on its way is lost to nobody."""
    box = outbox()
    for _ in range(101):
        box.put(b"x" * 9)
    async with Visit(box) as page:
        await eventually(lambda: len(page.frames) == 101)
        assert page.welcome["resync"] is None


async def test_words_do_not_pile_up() -> None:
    """Of a page that asks and asks, and reads nothing, one answer waits: the newest."""
    box = outbox()
    async with Visit(box, takes=0) as page:
        box.put(b"stuck")
        await turns()
        assert page.line is not None
        for number in range(1000):
            box.say(page.line, resume.ack(number))
        box.say(page.line, resume.ALIVE)
        assert list(page.line._words.values()) == [resume.ack(999).text, resume.ALIVE.text]


async def test_a_finalizer_may_put_something_while_the_outbox_is_held() -> None:
    """A collection comes at any allocation, also in here, and what it frees may have something to say."""
    box = outbox()

    def write_and_put(welcome: Welcome) -> Said:
        box.put(b"from a finalizer")
        return write(welcome)

    line = box.attach()
    await asyncio.wait_for(asyncio.to_thread(box.resume, line, Hello(None, 0), write_and_put), 10)
    assert box.queued_frames == 1


async def test_what_is_put_before_the_first_hello_is_sent() -> None:
    """The kernel begins to talk when the page is let in."""
    box = outbox()
    box.put(b"early")
    async with Visit(box) as page:
        assert page.frames == [b"early"]


@pytest.mark.parametrize("reload_knows", [None, "another-stream"])
async def test_a_page_that_knows_nothing_of_the_stream_begins_anew(reload_knows: str | None) -> None:
    """Nothing of the old stream comes, counting begins at nothing, and it will ask for the widgets."""
    box = outbox()
    async with Visit(box) as first:
        box.put(b"1")
        box.count_received()
        await turns()
    box.hears_widgets = True
    box.put(b"for the old one")
    async with Visit(box, stream=reload_knows, seen=9) as second:
        assert second.stream != first.stream
        assert (second.welcome["seen"], second.welcome["from"], second.frames) == (0, 0, [])
        assert second.welcome["resync"] == (None if reload_knows is None else "unknown-stream")
        assert not box.hears_widgets


@pytest.mark.parametrize(("frames", "why"), [([b"x"] * 101, "too-much"), ([b"x" * 501], "too-much")])
async def test_what_is_too_much_to_keep_is_forgotten(frames: list[bytes], why: str) -> None:
    """In messages, or in bytes: the page takes the state of everything; its own messages are still counted."""
    box = outbox()
    async with Visit(box) as first:
        box.count_received()
    box.hears_widgets = True
    for frame in frames:
        box.put(frame)
    assert (box.queued_frames, box.queued_bytes, box.replay_bytes) == (0, 0, 0)
    assert not listens(box)
    box.put(b"not even kept")
    async with Visit(box, stream=first.stream) as second:
        assert (second.welcome["resync"], second.welcome["seen"], second.stream) == (why, 1, first.stream)
        assert listens(box)
        assert not box.hears_widgets
        box.put(b"fresh")
        await turns()
        assert second.frames == [b"fresh"]


async def test_what_has_waited_too_long_is_forgotten() -> None:
    """A page that is away for longer takes the state of everything."""
    box = outbox(age_s=0.0)
    async with Visit(box) as first:
        pass
    box.put(b"1")
    await eventually(lambda: not box.is_listening)
    assert box.queued_bytes == 0
    async with Visit(box, stream=first.stream) as second:
        assert (second.welcome["resync"], second.frames) == ("too-long", [])


async def test_a_page_that_is_back_in_time_leaves_no_timer() -> None:
    """What it has is not forgotten while it is there."""
    box = outbox()
    async with Visit(box) as first:
        pass
    timer = box._expiry
    assert timer is not None
    async with Visit(box, stream=first.stream):
        assert timer.cancelled()


async def test_a_page_that_falls_behind_has_to_take_everything_anew() -> None:
    """It loses its connection, 1013; its outbox keeps nothing until it is back, and counts its messages on."""
    box = outbox(limit_bytes=20)
    async with Visit(box, takes=0) as first:
        box.count_received()
        box.put(b"taken, and stuck")
        await turns()
        box.put(b"x" * 20)
        box.put(b"y")
        assert first.line is not None
        assert first.line.end == (1013, "overloaded")
        assert (box.queued_bytes, box.replay_bytes, box.outlives_connection) == (0, 0, True)
    async with Visit(box, stream=first.stream) as second:
        assert (second.welcome["resync"], second.welcome["seen"]) == ("overloaded", 1)


async def test_a_connection_that_breaks_with_much_to_send_does_not_keep_it() -> None:
    """What may wait for a page that is there is more than what is kept for one that is not."""
    box = outbox(limit_bytes=10_000)
    async with Visit(box, takes=0) as first:
        box.put(b"stuck")
        box.put(b"x" * 600)
        await turns()
        assert box.queued_bytes == 600
    assert (box.queued_bytes, box.is_listening) == (0, False)
    async with Visit(box, stream=first.stream) as second:
        assert second.welcome["resync"] == "too-much"


async def test_what_is_acknowledged_is_not_sent_again() -> None:
    """And is not kept; an ack of what was never sent is refused."""
    box = outbox()
    async with Visit(box) as first:
        box.put(b"1")
        box.put(b"2")
        await turns()
        assert box.replay_bytes == 2
        assert box.acknowledged(2)
        assert box.replay_bytes == 0
        assert not box.acknowledged(3)
    async with Visit(box, stream=first.stream, seen=1) as second:
        assert second.welcome["resync"] == "missing"


async def test_pages_are_told_when_to_come_back() -> None:
    """Before the close that says that the server stops; not with any other."""
    for code, told in ((CloseCode.GOING_AWAY, True), (CloseCode.DONE, False)):
        box = outbox()
        async with Visit(box) as page:
            box.close(code, "because")
            await turns()
            assert page.words[1:] == ([{"type": "draining", "delay": 2.5}] if told else [])
            assert page.line is not None
            assert page.line.end == (code, "because")
        assert not box.outlives_connection


async def test_the_end_finds_a_page_that_is_away() -> None:
    """Nothing is kept for it, and no timer is left; one that connects in that moment hears of it."""
    box = outbox()
    async with Visit(box):
        pass
    box.put(b"1")
    timer = box._expiry
    box.close(CloseCode.DONE, "culled")
    await turns()
    assert timer is not None
    assert timer.cancelled()
    assert (box.queued_bytes, box.is_listening) == (0, False)
    assert box.attach().end == (1000, "culled")
