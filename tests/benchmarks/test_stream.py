"""The page of ours in the benchmarks: one that says less than a real one makes the server look better than it is."""

import asyncio
import json

import pytest

from benchmarks.support.client import framed_message_of
from benchmarks.support.process import BenchmarkFailed
from benchmarks.support.rawsocket import BINARY, TEXT, frame_of, take_frame, tell
from benchmarks.support.stream import RESUME, Stream, parts_of
from solara_ctx.jupyter import wire
from solara_ctx.web import resume
from solara_ctx.web.resume import Ack, Hello, Said, Welcome, Word


class Page:
    """A page whose words are read as the server reads them."""

    def __init__(self) -> None:
        self.stream = Stream()
        self.said: list[Word] = []

    def connect(self) -> None:
        self.stream.begin(lambda text: self.said.append(resume.read(text)))

    def hear(self, welcome: Welcome) -> None:
        self.stream.heard(welcome.write(silence_s=40.0, keep_messages=1000, keep_bytes=8_000_000, keep_s=60.0).text)


@pytest.fixture
async def page() -> Page:
    page = Page()
    page.connect()
    page.hear(Welcome("abc", 0, 0, None))
    return page


def test_the_protocol_is_the_servers() -> None:
    """It asks for the protocol that the server has."""
    assert RESUME == resume.RESUME


async def test_a_page_that_comes_back_says_where_it_was(page: Page) -> None:
    """First it knows no stream; then the one that it was told of, and what it has seen of it."""
    page.stream.sent()
    page.stream.saw(100)
    page.stream.end()
    page.connect()
    is_open = [page.stream.is_open]
    page.hear(Welcome("abc", 1, 1, None))
    assert [*is_open, page.stream.is_open] == [False, True]
    assert page.said == [Hello(None, 0), Hello("abc", 1)]


@pytest.mark.parametrize(
    "welcome", [Welcome("other", 1, 1, "unknown-stream"), Welcome("abc", 0, 1, None), Welcome("abc", 1, 1, "missing")]
)
async def test_what_is_lost_is_an_error(page: Page, welcome: Welcome) -> None:
    """No figure comes of a page that has another stream, of which a message was lost, or which has missed something."""
    page.stream.sent()
    page.stream.saw(100)
    page.stream.end()
    page.connect()
    with pytest.raises(BenchmarkFailed, match="can't go on"):
        page.hear(welcome)


@pytest.mark.parametrize(("messages", "size"), [(64, 100), (2, 500_000)])
async def test_a_page_acknowledges_what_is_much(page: Page, messages: int, size: int) -> None:
    """After 64 messages or a megabyte; no sooner."""
    for _ in range(messages - 1):
        page.stream.saw(size)
    assert page.said[1:] == []
    page.stream.saw(size)
    assert page.said[1:] == [Ack(messages)]
    page.stream.end()


@pytest.mark.parametrize("word", [resume.ALIVE, resume.ack(0), resume.draining(1.5)])
async def test_a_page_knows_what_the_server_says(page: Page, word: Said) -> None:
    """And has nothing to answer."""
    page.stream.heard(word.text)
    assert page.said[1:] == []


async def test_a_word_that_no_page_knows_is_an_error(page: Page) -> None:
    """The protocol has moved on, and the benchmarks have not."""
    with pytest.raises(BenchmarkFailed, match="no page knows"):
        page.stream.heard('{"type": "news"}')


async def test_a_page_acknowledges_what_is_little_later(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few messages are acknowledged once, after a while."""
    monkeypatch.setattr("benchmarks.support.stream._ACK_AFTER_S", 0.0)
    page.stream.saw(100)
    page.stream.saw(100)
    assert page.said[1:] == []
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert page.said[1:] == [Ack(2)]


async def test_a_page_acknowledges_what_is_on_the_screen(page: Page) -> None:
    """At once, and once."""
    page.stream.saw(100)
    page.stream.shown()
    page.stream.shown()
    assert page.said[1:] == [Ack(1)]
    page.stream.end()


def test_a_page_that_is_asked_to_come_back_later_knows_when() -> None:
    """The delay of the server that is about to stop."""
    page = Page()
    page.stream.heard(resume.draining(1.5).text)
    assert page.stream.drained_s == 1.5


def test_a_message_is_read_as_it_is_meant() -> None:
    """The server understands the framing, and its own is understood."""
    message = wire.decode(framed_message_of("comm_msg", {"comm_id": "abc"}, {"version": "1.0.0"}))
    assert (message["channel"], message["header"]["msg_type"]) == ("shell", "comm_msg")
    assert (message["content"], message["metadata"]) == ({"comm_id": "abc"}, {"version": "1.0.0"})
    again = wire.encode(wire.V1, "iopub", message, [b"buffer"])
    assert isinstance(again, bytes)
    channel, header, _, _, content, buffer = parts_of(again)
    assert (channel, json.loads(header), json.loads(content)) == (b"iopub", message["header"], message["content"])
    assert buffer == b"buffer"


async def test_bytes_are_messages_and_text_is_a_word(page: Page) -> None:
    """A socket sends the two apart, and tells the stream of each."""
    sent = [take_frame(_unmasked(frame_of(each))) for each in (b"message", "word")]
    assert sent == [(BINARY, b"message", b""), (TEXT, b"word", b"")]
    tell(page.stream, BINARY, b"message" * 200_000)
    tell(page.stream, TEXT, resume.draining(1.5).text.encode())
    assert page.said[1:] == [Ack(1)]
    assert page.stream.drained_s == 1.5


def _unmasked(frame: bytes) -> bytes:
    """A small frame of a client, as a server would have sent it: its mask is four zeros."""
    return bytes([frame[0], frame[1] & 127]) + frame[6:]
