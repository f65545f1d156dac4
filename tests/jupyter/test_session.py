"""Who gets which frame."""

import contextvars
from typing import Any

import pytest

from solara_ctx.jupyter import wire
from solara_ctx.jupyter.session import IOPUB, KernelSession, ToPage, parent_header
from tests.support.kernels import RecordingSink, decode


def no_capture(msg_type: str, content: Any) -> bool:
    return False


@pytest.fixture
def session() -> KernelSession:
    """A session without a kernel."""
    return KernelSession(no_capture)


def contents(sink: RecordingSink) -> list[Any]:
    return [decode(frame)["content"] for frame in sink.frames]


def test_iopub_reaches_every_page_and_a_reply_one(session: KernelSession) -> None:
    """The marker says whom a message is for."""
    first, second = RecordingSink(), RecordingSink()
    session.connect("1", first)
    session.connect("2", second)
    session.send(IOPUB, "status", {"for": "all"})
    session.send(ToPage("2", "shell"), "x_reply", {"for": "second"})
    session.send(ToPage("3", "shell"), "x_reply", {"for": "nobody"})
    session.send(None, "status", {"for": "nobody"})
    assert contents(first) == [{"for": "all"}]
    assert contents(second) == [{"for": "all"}, {"for": "second"}]
    assert decode(second.frames[1])["channel"] == "shell"


def test_a_message_is_framed_once_per_subprotocol(session: KernelSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten pages cost one encoding for each framing that is in use, and none where nobody listens."""
    framed: list[str | None] = []
    encode = wire.encode

    def counting(subprotocol: str | None, *rest: Any) -> str | bytes:
        framed.append(subprotocol)
        return encode(subprotocol, *rest)

    monkeypatch.setattr(wire, "encode", counting)
    session.send(IOPUB, "status", {})
    assert framed == []
    sinks = [RecordingSink(subprotocol) for subprotocol in (None, wire.V1) for _ in range(5)]
    for number, sink in enumerate(sinks):
        session.connect(str(number), sink)
    session.send(IOPUB, "status", {"a": 1})
    assert sorted(framed, key=str) == [None, wire.V1]
    assert all(contents(sink) == [{"a": 1}] for sink in sinks)
    assert sinks[0].frames[0] is sinks[1].frames[0]


def test_a_page_has_one_connection_the_newest(session: KernelSession) -> None:
    """The late end of the old connection does not end the new one."""
    old, new = RecordingSink(), RecordingSink()
    session.connect("1", old)
    session.connect("1", new)
    session.disconnect("1", old)
    session.send(IOPUB, "status", {"a": 1})
    assert (contents(old), contents(new)) == ([], [{"a": 1}])
    session.disconnect("1", new)
    session.disconnect("1", new)
    assert not session.sinks


def test_headers_are_jupyters_with_a_date_that_json_knows(session: KernelSession) -> None:
    """Every field that the protocol names is there, and is text."""
    message = session.send(IOPUB, "status", {})
    assert message is not None
    assert message["header"].keys() == {"msg_id", "msg_type", "username", "session", "date", "version"}
    assert all(isinstance(value, str) for value in message["header"].values())
    assert message["header"]["date"].endswith("Z")


def test_the_parent_is_what_is_being_handled_unless_one_is_given(session: KernelSession) -> None:
    """A message or a bare header may be given as the parent."""

    def parents() -> list[Any]:
        parent_header.set({"msg_id": "handled"})
        sent = [
            session.send(IOPUB, "status", {}),
            session.send(IOPUB, "status", {}, parent={"header": {"msg_id": "message"}}),
            session.send(IOPUB, "status", {}, parent={"msg_id": "header"}),
            session.send(IOPUB, "status", {}, parent={}),
        ]
        return [message and message["parent_header"].get("msg_id") for message in sent]

    assert contextvars.Context().run(parents) == ["handled", "message", "header", None]


def test_a_whole_message_is_sent_as_it_is(session: KernelSession) -> None:
    """As display hooks send them, with buffers inside."""
    sink = RecordingSink()
    session.connect("1", sink)
    message = session.msg("display_data", {"data": {}})
    message["buffers"] = [b"abc"]
    session.send(IOPUB, message)
    assert decode(sink.frames[0])["buffers"] == [b"abc"]
    assert decode(sink.frames[0])["header"]["msg_id"] == message["header"]["msg_id"]


def test_nothing_is_signed_and_nobody_warns(caplog: pytest.LogCaptureFixture) -> None:
    """A session without a key is what is wanted here; upstream warns about it for each."""
    assert KernelSession(no_capture).auth is None
    assert caplog.records == []


def test_what_is_captured_is_not_sent() -> None:
    """Output that a widget has taken goes to no page as a message of its own."""
    asked: list[tuple[str, Any]] = []

    def capture(msg_type: str, content: Any) -> bool:
        asked.append((msg_type, content))
        return msg_type == "stream"

    session, sink = KernelSession(capture), RecordingSink()
    session.connect("1", sink)
    assert session.send(IOPUB, "stream", {"text": "a"}) is None
    assert session.send(IOPUB, "status", {"b": 1}) is not None
    assert session.send(ToPage("1", "shell"), "stream", {"c": 1}) is not None
    assert asked == [("stream", {"text": "a"}), ("status", {"b": 1})]
    assert contents(sink) == [{"b": 1}, {"c": 1}]


def test_a_severed_session_sends_nothing(session: KernelSession) -> None:
    """A thread that still sends does no harm."""
    sink = RecordingSink()
    session.connect("1", sink)
    session.sever()
    session.send(IOPUB, "status", {})
    assert sink.frames == []
