"""What waits to be sent to one page."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import Message, Send

from solara_ctx.lifecycle import CloseCode
from solara_ctx.web.outbox import Outbox
from tests.support.service import eventually


def into(sent: list[Message], *, gone: bool = False) -> Send:
    """The `send` of a websocket, which may be gone."""

    async def send(message: Message) -> None:
        if gone:
            raise OSError
        sent.append(message)

    return send


def outbox(limit_bytes: int = 1000) -> Outbox:
    return Outbox(asyncio.get_running_loop(), None, limit_bytes=limit_bytes)


async def send_from(box: Outbox, send: Send, flush: Callable[[], object] | None = None) -> tuple[int, str] | None:
    """One connection: send what the outbox has, until the end, and tell what the end was."""
    line = box.attach()
    try:
        await line.send_to(send, box, flush)
        return line.end
    finally:
        box.detach(line)


async def test_frames_leave_in_order_and_the_close_comes_last() -> None:
    """Text as text, bytes as bytes, nothing overtakes, what was queued before the close is sent, nothing after it."""
    sent: list[Message] = []
    box = outbox()
    box.put("one")
    box.put(b"two")
    box.close(CloseCode.GOING_AWAY, "server-shutdown")
    box.put("too late")
    assert await send_from(box, into(sent)) == (1001, "server-shutdown")
    assert [message.get("text") or message.get("bytes") for message in sent[:2]] == ["one", b"two"]
    assert sent[2:] == []


async def test_the_first_close_wins() -> None:
    """A page is told the reason that came first."""
    sent: list[Message] = []
    box = outbox()
    box.close(CloseCode.DONE, "culled")
    box.close(CloseCode.GOING_AWAY, "server-shutdown")
    assert await send_from(box, into(sent)) == (1000, "culled")


@pytest.mark.parametrize(("last", "overflows"), [(9, False), (10, False), (11, True)])
async def test_a_page_that_falls_behind_loses_its_connection(last: int, overflows: bool) -> None:
    """At the limit everything is sent; one byte more, and memory is freed and the page told to come back."""
    sent: list[Message] = []
    box = outbox(limit_bytes=20)
    box.put("x" * 10)
    box.put("y" * last)
    assert box.queued_bytes == (0 if overflows else 10 + last)
    assert box.queued_frames == (0 if overflows else 2)
    box.close(CloseCode.DONE, "closed")
    assert await send_from(box, into(sent)) == ((1013, "overloaded") if overflows else (1000, "closed"))
    assert len(sent) == (0 if overflows else 2)


async def test_one_message_may_be_larger_than_all_that_may_wait() -> None:
    """It would never get there otherwise; with as much besides it as ever, but not with a second one."""
    sent: list[Message] = []
    box = outbox(limit_bytes=20)
    for frame in ("x" * 10, "y" * 100, "z" * 10):
        box.put(frame)
    assert (box.queued_bytes, box.queued_frames) == (120, 3)
    box.close(CloseCode.DONE, "closed")
    assert await send_from(box, into(sent)) == (1000, "closed")
    assert [len(message["text"]) for message in sent] == [10, 100, 10]


@pytest.mark.parametrize("last", ["z" * 11, "y" * 100])
async def test_besides_a_message_that_is_too_large_the_limit_holds(last: str) -> None:
    """For the others together, and for another one like it."""
    box = outbox(limit_bytes=20)
    for frame in ("x" * 10, "y" * 100, last):
        box.put(frame)
    assert box.queued_bytes == 0
    assert await send_from(box, into([])) == (1013, "overloaded")


async def test_once_a_large_message_is_sent_there_is_room_for_another() -> None:
    """As many as are taken."""
    sent: list[Message] = []
    box = outbox(limit_bytes=20)
    sender = asyncio.create_task(send_from(box, into(sent)))
    for number in range(1, 4):
        box.put("y" * 100)
        await eventually(lambda number=number: len(sent) == number)  # type: ignore[misc]
    box.close(CloseCode.DONE, "closed")
    assert await sender == (1000, "closed")


async def test_the_sender_waits_for_frames_from_another_thread() -> None:
    """`put` wakes the sender from any thread."""
    sent: list[Message] = []
    box = outbox()
    sender = asyncio.create_task(send_from(box, into(sent)))
    await asyncio.to_thread(box.put, "from a thread")
    await asyncio.to_thread(box.close, CloseCode.DONE, "closed")
    await sender
    assert sent[0]["text"] == "from a thread"


async def test_a_page_that_is_gone_ends_the_sender() -> None:
    """A broken connection is the end of its outbox and nobody's error."""
    box = outbox()
    box.put("for nobody")
    assert await send_from(box, into([], gone=True)) is None


async def test_a_put_after_the_end_of_the_loop_is_harmless() -> None:
    """A user's thread may outlive the server's loop."""
    loop = asyncio.new_event_loop()
    loop.close()
    box = Outbox(loop, None, limit_bytes=100)
    box.put("nobody reads this")
    assert box.queued_frames == 1


async def stuck_sender(box: Outbox) -> "asyncio.Task[tuple[int, str] | None]":
    """A sender in the midst of a send that waits for ever."""
    stuck = asyncio.Event()

    async def send(_message: Message) -> None:
        stuck.set()
        await asyncio.get_running_loop().create_future()

    sender = asyncio.create_task(send_from(box, send))
    box.put("taken, and stuck")
    await stuck.wait()
    return sender


async def test_a_page_that_takes_nothing_does_not_hold_the_sender() -> None:
    """When the outbox overflows, the sender is freed from a send that waits for ever."""
    box = outbox(limit_bytes=20)
    sender = await stuck_sender(box)
    box.put("x" * 20)
    assert not sender.done()
    box.put("y")
    assert await sender == (1013, "overloaded")


async def test_a_page_that_takes_nothing_does_not_hold_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed, the outbox waits for a page that does not read for its grace only."""
    monkeypatch.setattr("solara_ctx.web.line._CLOSE_GRACE_S", 0.0)
    box = outbox()
    sender = await stuck_sender(box)
    box.close(CloseCode.DONE, "culled")
    assert await sender == (1000, "culled")


async def test_a_sender_that_has_ended_leaves_no_timer() -> None:
    """The grace keeps nothing of a page that has read everything."""
    sent: list[Message] = []
    box = outbox()
    sender = asyncio.create_task(send_from(box, into(sent)))
    await asyncio.sleep(0)
    box.close(CloseCode.DONE, "culled")
    await sender
    gone = weakref.ref(box)
    del box, sender
    await asyncio.sleep(0)
    assert gone() is None


async def test_a_sender_that_is_cancelled_from_outside_ends() -> None:
    """The server's own cancellation is not mistaken for an overflow."""
    box = outbox()
    sender = asyncio.create_task(send_from(box, into([])))
    await asyncio.sleep(0)
    sender.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sender


async def sending(box: Outbox) -> tuple[list[Any], "asyncio.Task[object]"]:
    """The frames that leave, and who sends them."""
    sent: list[Message] = []
    sender: asyncio.Task[object] = asyncio.create_task(send_from(box, into(sent)))
    await asyncio.sleep(0)
    return sent, sender


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def texts(sent: list[Message]) -> list[str]:
    return [message["text"] for message in sent if message["type"] == "websocket.send"]


async def test_an_answer_leaves_as_a_whole() -> None:
    """Held frames wait for the flush, in their order; what comes after it leaves at once."""
    box = outbox()
    sent, sender = await sending(box)
    box.hold()
    box.put("busy")
    await asyncio.to_thread(box.put, "update")
    await turns()
    assert texts(sent) == []
    await asyncio.to_thread(box.flush)
    await turns()
    assert texts(sent) == ["busy", "update"]
    box.put("from a thread of the user")
    await turns()
    assert texts(sent)[2:] == ["from a thread of the user"]
    box.close(CloseCode.DONE, "closed")
    await sender


async def test_an_answer_that_takes_long_leaves_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is seen to be busy before a slow callback has ended; one timer serves holds in a row."""
    monkeypatch.setattr("solara_ctx.web.outbox._HOLD_S", 0.0)
    box = outbox()
    sent, sender = await sending(box)
    box.hold()
    timer = box._hold_timer
    box.hold()
    assert box._hold_timer is timer
    box.put("busy")
    box._loop.call_later(0, (over := asyncio.Event()).set)
    await over.wait()
    await turns()
    assert texts(sent) == ["busy"]
    box.put("progress")
    await turns()
    assert texts(sent) == ["busy", "progress"]
    assert box._hold_timer is None
    box.close(CloseCode.DONE, "closed")
    await sender


async def test_messages_in_a_row_do_not_prolong_a_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of them is still worked on: what it has to say leaves 5 ms after it has come."""
    monkeypatch.setattr("solara_ctx.web.outbox._HOLD_S", 60.0)
    box = outbox()
    _sent, sender = await sending(box)
    box.hold()
    until = box._held_until
    assert until is not None
    await asyncio.to_thread(box.put, "progress")
    box.hold()
    assert box._held_until == until
    box.flush()
    box.hold()
    assert box._held_until is not None
    assert box._held_until > until
    box.close(CloseCode.DONE, "closed")
    await sender


async def test_a_timer_that_is_early_leaves_the_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer of an earlier hold does not cut a later one short."""
    monkeypatch.setattr("solara_ctx.web.outbox._HOLD_S", 60.0)
    box = outbox()
    sent, sender = await sending(box)
    box.hold()
    assert box._hold_timer is not None
    box._hold_timer.cancel()
    box._end_hold()
    box.put("busy")
    await turns()
    assert texts(sent) == []
    box.flush()
    await turns()
    assert texts(sent) == ["busy"]
    box.close(CloseCode.DONE, "closed")
    await sender


async def test_an_answer_that_was_sent_leaves_no_timer() -> None:
    """Which would wake the loop after each click."""
    box = outbox()
    _sent, sender = await sending(box)
    box.hold()
    timer = box._hold_timer
    assert timer is not None
    await asyncio.to_thread(box.put, "answer")
    box.flush()
    await turns()
    assert timer.cancelled()
    assert box._hold_timer is None
    box.close(CloseCode.DONE, "closed")
    await sender


async def test_what_is_held_does_not_outlast_the_end() -> None:
    """A close and an overflow do not wait for a flush."""
    for limit, end in ((1000, (1000, "culled")), (6, (1013, "overloaded"))):
        box = outbox(limit_bytes=limit)
        _sent, sender = await sending(box)
        box.hold()
        box.put("busy")
        box.put("more")
        box.close(CloseCode.DONE, "culled")
        assert await sender == end
        box.flush()
        assert box._hold_timer is None


async def test_what_was_sent_leaves_at_once_where_the_server_can() -> None:
    """Once for all frames of a burst."""
    sent: list[Message] = []
    flushed: list[list[str]] = []
    box = outbox()
    box.put("one")
    box.put("two")
    sender = asyncio.create_task(send_from(box, into(sent), lambda: flushed.append(texts(sent))))
    await turns()
    box.put("three")
    await turns()
    assert flushed == [["one", "two"], ["one", "two", "three"]]
    box.close(CloseCode.DONE, "closed")
    await sender
