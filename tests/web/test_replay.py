"""What was sent to a page and may have to be sent again."""

from hypothesis import given
from hypothesis import strategies as st

from solara_ctx.web.replay import Replay, ReplayLimits

ROOMY = ReplayLimits(messages=100, bytes=1000, age_s=60.0)


def replay(sent: int, limits: ReplayLimits = ROOMY) -> Replay:
    """A stream of so many messages, each with its number."""
    stream = Replay(limits)
    for number in range(1, sent + 1):
        stream.send(str(number))
    return stream


def test_a_page_gets_what_it_has_not_seen() -> None:
    """Exactly that, in order; counting goes on from there."""
    stream = replay(5)
    assert stream.rewind(3) == ["4", "5"]
    assert stream.sent == 3
    stream.send("4")
    assert stream.rewind(4) == []
    assert stream.sent == 4


def test_what_is_acknowledged_is_not_kept() -> None:
    """A late ack of less changes nothing."""
    stream = replay(5)
    assert stream.acknowledge(4)
    assert (stream.kept_messages, stream.kept_bytes) == (1, 1)
    assert stream.acknowledge(2)
    assert stream.rewind(4) == ["5"]


def test_a_page_cannot_have_seen_what_was_not_sent() -> None:
    """A lie is nobody's cursor."""
    stream = replay(2)
    assert not stream.acknowledge(3)
    assert stream.rewind(3) is None
    assert stream.rewind(2) == []


def test_what_is_kept_is_bounded_in_number_and_bytes() -> None:
    """The oldest go; a page that has not seen them can't go on."""
    stream = replay(5, ReplayLimits(messages=3, bytes=1000, age_s=60.0))
    assert stream.kept_messages == 3
    assert stream.rewind(1) is None
    assert stream.rewind(2) == ["3", "4", "5"]
    heavy = replay(0, ReplayLimits(messages=3, bytes=10, age_s=60.0))
    heavy.send(b"x" * 6)
    heavy.send(b"y" * 5)
    assert heavy.kept_bytes == 5
    heavy.send(b"z" * 11)
    assert (heavy.kept_messages, heavy.kept_bytes) == (0, 0)
    assert heavy.rewind(2) is None
    assert heavy.rewind(3) == []


def test_what_was_forgotten_cannot_be_gone_back_to() -> None:
    """But what comes after it can."""
    stream = replay(3)
    stream.forget()
    assert stream.rewind(2) is None
    assert stream.rewind(3) == []


def test_streams_have_names_of_their_own() -> None:
    """A page of one does not go on in another."""
    assert replay(0).id != replay(0).id


STEPS = st.lists(st.tuples(st.sampled_from(["send", "deliver", "ack", "cut"]), st.integers(1, 5)), max_size=60)


@given(STEPS)
def test_any_history_every_message_is_seen_once_and_in_order(steps: list[tuple[str, int]]) -> None:
    """Frames are lost with their connections, acks come late: what the page has seen has neither gap nor repetition."""
    stream, made, on_the_way, seen = replay(0), 0, list[str](), list[str]()
    for step, count in steps:
        if step == "send":
            for _ in range(count):
                made += 1
                stream.send(str(made))
                on_the_way.append(str(made))
        elif step == "deliver":
            seen += on_the_way[:count]
            del on_the_way[:count]
        elif step == "ack":
            assert stream.acknowledge(max(0, len(seen) - count))
        else:
            again = stream.rewind(len(seen))
            assert again is not None
            on_the_way = [str(frame) for frame in again]
            for frame in again:
                stream.send(frame)
    assert seen + on_the_way == [str(number) for number in range(1, made + 1)]
