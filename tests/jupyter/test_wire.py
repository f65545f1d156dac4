"""Framing, both ways."""

import contextlib
import dataclasses
import datetime as dt
import enum
import fractions
import json
import math
import struct
import tracemalloc
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solara_ctx.jupyter import wire
from tests.support.kernels import decode as decode_any
from tests.support.kernels import message_of


def body(**changes: Any) -> dict[str, Any]:
    return {**message_of("comm_msg", {"comm_id": "c", "data": {"value": 1}}), **changes}


def as_default(message: dict[str, Any], *buffers: bytes) -> bytes:
    return wire._join_default([json.dumps(message).encode(), *buffers])


def as_v1(message: dict[str, Any], *buffers: bytes) -> bytes:
    parts = [json.dumps(message[name]).encode() for name in ("header", "parent_header", "metadata", "content")]
    return wire._join_v1([str(message["channel"]).encode(), *parts, *buffers])


def test_default_text_has_channel_and_all_parts() -> None:
    """Without buffers the default framing is one JSON text."""
    frame = wire.encode(None, "iopub", body(), ())
    assert isinstance(frame, str)
    assert json.loads(frame) == {**body(), "header": json.loads(frame)["header"], "channel": "iopub", "buffers": []}


def test_default_binary_layout_is_jupyter_servers() -> None:
    """With buffers: the count and the offsets as big-endian 32-bit numbers, then the JSON, then the buffers."""
    frame = wire.encode(None, "iopub", body(), [b"abc", bytearray(b"de")])
    assert isinstance(frame, bytes)
    count, first, second, third = struct.unpack("!4I", frame[:16])
    assert (count, first) == (3, 16)
    assert (frame[second:third], frame[third:]) == (b"abc", b"de")
    assert json.loads(frame[first:second])["channel"] == "iopub"


def test_v1_layout_is_jupyter_servers() -> None:
    """Offsets are little-endian 64-bit numbers, the last is the end; then channel, four parts and the buffers."""
    message = body()
    frame = wire.encode(wire.V1, "shell", message, [b"xyz"])
    assert isinstance(frame, bytes)
    (count,) = struct.unpack("<Q", frame[:8])
    offsets = struct.unpack(f"<{count}Q", frame[8 : 8 * (1 + count)])
    assert (count, offsets[0], offsets[-1]) == (7, 64, len(frame))
    segments = [frame[start:end] for start, end in pairwise(offsets)]
    assert segments[0] == b"shell"
    assert [json.loads(segment) for segment in segments[1:5]] == [
        message[name] for name in ("header", "parent_header", "metadata", "content")
    ]
    assert segments[5] == b"xyz"


@pytest.mark.parametrize("subprotocol", [None, wire.V1])
@pytest.mark.parametrize("buffers", [(), (b"",), (b"abc", b"", b"\x00" * 100)])
def test_both_framings_come_back_as_they_were(subprotocol: str | None, buffers: tuple[bytes, ...]) -> None:
    """Encoding and decoding are inverse, for either framing and any buffers."""
    message = body()
    decoded = wire.decode(wire.encode(subprotocol, "control", message, buffers))
    assert decoded["channel"] == "control"
    assert {name: decoded[name] for name in ("header", "parent_header", "metadata", "content")} == {
        name: message[name] for name in ("header", "parent_header", "metadata", "content")
    }
    assert [bytes(buffer) for buffer in decoded["buffers"]] == list(buffers)


@given(
    content=st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
    ),
    buffers=st.lists(st.binary(max_size=40), max_size=3),
    subprotocol=st.sampled_from([None, wire.V1]),
)
def test_any_json_comes_back(content: dict[str, Any], buffers: list[bytes], subprotocol: str | None) -> None:
    """Whatever JSON and bytes there are: what is sent is what arrives."""
    decoded = wire.decode(wire.encode(subprotocol, "shell", body(content=content), buffers))
    assert decoded["content"] == content
    assert [bytes(buffer) for buffer in decoded["buffers"]] == buffers


def test_what_json_does_not_know_becomes_null_or_text() -> None:
    """NaN and the infinities become null as from Jupyter's packer, a date text, and a lone surrogate is escaped."""
    content = {"numbers": [math.nan, math.inf, 1.5], "nested": {"a": (math.nan,)}, "text": "\ud83d", "bytes": b"ab"}
    frame = wire.encode(None, "iopub", body(content=content), ())
    assert isinstance(frame, str)
    assert frame.encode()
    decoded = json.loads(frame)["content"]
    assert decoded == {"numbers": [None, None, 1.5], "nested": {"a": [None]}, "text": "\ud83d", "bytes": "YWI="}


class Numbers:
    """Iterable, as an array is."""

    def __iter__(self) -> Any:
        return iter([1.0, math.nan])


def test_numbers_inside_an_iterable_are_made_finite_too() -> None:
    """An array that holds a NaN does not become text that JSON.parse refuses."""
    frame = wire.encode(None, "iopub", body(content={"x": Numbers(), "y": math.inf}), ())
    assert isinstance(frame, str)
    assert json.loads(frame)["content"] == {"x": [1.0, None], "y": None}


class Color(enum.StrEnum):
    RED = "red"


class Celsius(float):
    """What numpy's numbers are to JSON."""


class Point(NamedTuple):
    x: int
    y: float


@pytest.mark.parametrize(
    "value",
    [
        2**70,
        {1: "a", None: "b", 2.5: "c"},
        "\ud83d",
        {"nested": ["\udc00", 2**80, {2: 3}]},
        Point(1, 2.0),
        Color.RED,
        enum.IntEnum("Level", ["LOW"]).LOW,  # type: ignore[attr-defined]
        Celsius(1.5),
        [Celsius("nan"), fractions.Fraction(1, 3)],
        type("Bunch", (dict,), {})(a=1),
        dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        b"bytes",
        {"a", "b"} - {"b"},
        (1, (2, (3,))),
        [1e300, -0.0, 5e-324, 1e16, 123456789.123456789],
    ],
    ids=repr,
)
def test_the_fast_writer_writes_what_jupyter_writes(value: Any) -> None:
    """Or leaves it to the slow one: a page must not see which of them has written."""
    assert json.loads(wire._dump(value)) == json.loads(wire._dump_slowly(value))


@dataclasses.dataclass
class Record:
    """Jupyter's packer refuses it; orjson would not."""


@pytest.mark.parametrize("value", [object(), Record(), [{"deep": object()}]], ids=repr)
def test_both_writers_refuse_the_same(value: Any) -> None:
    """What no page could read back is the caller's mistake, whichever way it goes."""
    for write in (wire._dump, wire._dump_slowly):
        with pytest.raises(TypeError):
            write(value)


def test_what_is_no_json_at_all_is_refused() -> None:
    """An object that JSON does not know is the caller's mistake, and is named."""
    with pytest.raises(TypeError, match="object"):
        wire.encode(None, "iopub", body(content={"x": object()}), ())


@pytest.mark.parametrize("framing", [None, wire.V1])
def test_an_array_is_copied_once(framing: str | None) -> None:
    """Into the frame: of 10 MB no more than that is taken for a moment."""
    array = np.zeros((1250, 1000)).data
    tracemalloc.start()
    try:
        frame = wire.encode(framing, "iopub", body(), [array])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(frame) > 10_000_000
    assert peak < 11_000_000


def test_arrays_of_other_kinds_are_flattened() -> None:
    """Without elements, in the other byte order, with gaps."""
    bytes_of = struct.Struct(">2d").pack(1, 2)
    arrays = [np.zeros((0, 3)), np.array([1, 2], dtype=">f8"), np.arange(8, dtype="u1")[::2]]
    frame = wire.encode(None, "iopub", body(), [array.data for array in arrays])
    assert bytes(frame[-20:]) == bytes_of + bytes([0, 2, 4, 6])  # type: ignore[arg-type]


def test_buffers_of_any_shape_are_flattened() -> None:
    """A view with another item size or more dimensions is sent byte by byte."""
    numbers = memoryview(struct.pack("2i", 1, 2)).cast("i")
    for subprotocol in (None, wire.V1):
        message = decode_any(wire.encode(subprotocol, "iopub", body(), [numbers]))
        assert message["buffers"] == [struct.pack("2i", 1, 2)]


def test_a_message_without_a_channel_is_for_the_shell() -> None:
    """As Jupyter Server takes it."""
    message = body()
    del message["channel"]
    assert wire.decode(json.dumps(message))["channel"] == "shell"


def test_what_jupyter_leaves_out_may_be_missing() -> None:
    """Parent header and metadata are optional."""
    message = body(parent_header=None)
    del message["metadata"]
    decoded = wire.decode(json.dumps(message))
    assert (decoded["parent_header"], decoded["metadata"]) == ({}, {})


DEEP = "[" * 129 + "]" * 129
TEXTS = {
    "no JSON": "{nonsense",
    "nothing": "",
    "not an object": "[1, 2]",
    "a bare number": "1",
    "NaN": json.dumps(body(content={"x": math.nan})),
    "infinity": json.dumps(body(content={"x": math.inf})),
    "a number that overflows": json.dumps(body()).replace('"value": 1', '"value": 1e999'),
    "a huge integer": json.dumps(body()).replace('"value": 1', '"value": 1' + "0" * 5000),
    "too deep": json.dumps(body()).replace('"value": 1', f'"value": {DEEP}'),
    "far too deep": '{"content":' + "[" * 100_000,
    "an unknown channel": json.dumps(body(channel="iopub")),
    "a channel that is no text": json.dumps(body(channel=["shell"])),
    "no header": json.dumps(body(header=None)),
    "a header that is a list": json.dumps(body(header=[])),
    "no msg_id": json.dumps(body(header={"msg_type": "x"})),
    "an empty msg_id": json.dumps(body(header={"msg_id": "", "msg_type": "x"})),
    "a msg_id that is a number": json.dumps(body(header={"msg_id": 1, "msg_type": "x"})),
    "no msg_type": json.dumps(body(header={"msg_id": "1"})),
    "a session that is a list": json.dumps(body(header={"msg_id": "1", "msg_type": "x", "session": []})),
    "a nested header": json.dumps(body(header={"msg_id": "1", "msg_type": "x", "more": {}})),
    "a long header": json.dumps(body(header={"msg_id": "1" * 1025, "msg_type": "x"})),
    "a wide header": json.dumps(body(header={"msg_id": "1", "msg_type": "x", **{str(i): i for i in range(31)}})),
    "no content": json.dumps(body(content=None)),
    "content that is text": json.dumps(body(content="x")),
    "metadata that is a list": json.dumps(body(metadata=[])),
    "a parent header that is text": json.dumps(body(parent_header="x")),
}
GOOD = as_default(body(), b"abc")
GOOD_V1 = as_v1(body(), b"abc")
BINARIES = {
    "empty": b"",
    "one byte": b"\x00",
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
    "no parts": struct.pack("!2I", 0, 4),
    "an offset beyond the end": struct.pack("!2I", 1, 8000) + b"{}",
    "too many buffers": struct.pack("!2I", 1 << 31, 8) + b"{}",
    "cut off": GOOD[:10],
    "offsets that go back": struct.pack("!4I", 3, 16, 18, 17) + b"{}x",
    "a last offset beyond the end": struct.pack("!3I", 2, 12, 80) + b"{}",
    "v1, cut off": GOOD_V1[:-1],
    "v1, too long": GOOD_V1 + b"x",
    "v1, offsets beyond the end": struct.pack("<2Q", 1 << 40, 8),
    "v1, parts missing": wire._join_v1([b"shell", b"{}"]),
    "v1, offsets that go back": struct.pack("<4Q", 3, 32, 30, 34) + b"{}",
    "text that is no UTF-8": wire._join_default([b'{"a": "\xff"}']),
    "v1, a channel that is no UTF-8": wire._join_v1([b"\xff", b"{}", b"{}", b"{}", b"{}"]),
    "v1, a part that is a list": wire._join_v1([b"shell", b"{}", b"{}", b"[]", b"{}"]),
    "v1, an unknown channel": as_v1(body(channel="stdin")),
}


@pytest.mark.parametrize("frame", [*TEXTS.values(), *BINARIES.values()], ids=[*TEXTS, *BINARIES])
def test_malformed_frames_are_refused(frame: str | bytes) -> None:
    """What is no message is refused with a reason that does not quote it."""
    with pytest.raises(wire.MalformedFrame) as refused:
        wire.decode(frame)
    assert refused.value.reason
    assert refused.value.__cause__ is None


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_noise_is_refused(frame: str | bytes) -> None:
    """Random bytes and text never do anything but be refused."""
    with pytest.raises(wire.MalformedFrame):
        wire.decode(frame)


@given(
    frame=st.sampled_from([GOOD, GOOD_V1]),
    position=st.integers(min_value=0, max_value=len(GOOD_V1) - 1),
    byte=st.integers(min_value=0, max_value=255),
)
def test_a_damaged_frame_is_decoded_or_refused(frame: bytes, position: int, byte: int) -> None:
    """One wrong byte leads to a message or to a refusal, never to another error."""
    position %= len(frame)
    damaged = frame[:position] + bytes([byte]) + frame[position + 1 :]
    with contextlib.suppress(wire.MalformedFrame):
        wire.decode(damaged)


@pytest.mark.parametrize("subprotocol", [None, wire.V1])
def test_buffers_beyond_the_limit_are_refused(subprotocol: str | None) -> None:
    """One more than the limit is one too many, and the page is told which limit it was."""
    limits = wire.Limits(buffers=2)
    frames = [wire.encode(subprotocol, "shell", body(), [b"x"] * count) for count in (2, 3)]
    assert len(wire.decode(frames[0], limits)["buffers"]) == 2
    with pytest.raises(wire.MalformedFrame) as refused:
        wire.decode(frames[1], limits)
    assert refused.value.word == "too-many-buffers"


def test_the_limit_of_nesting_can_be_set() -> None:
    """And the page is told that it was this one."""
    text = json.dumps(body()).replace('"data": {"value": 1}', f'"data": {"[" * 20 + "]" * 20}')
    assert wire.decode(text, wire.Limits(nesting=22))["content"]["data"]
    with pytest.raises(wire.MalformedFrame) as refused:
        wire.decode(text, wire.Limits(nesting=21))
    assert refused.value.word == "nested-too-deeply"


def test_nesting_beyond_the_limit_is_refused() -> None:
    """One level more than the limit is one too many."""
    with pytest.raises(wire.MalformedFrame, match="deeply"):
        wire.decode(json.dumps(body()).replace('"data": {"value": 1}', f'"data": {"[" * 127 + "]" * 127}'))


@pytest.mark.parametrize("depth", [125, 126])
def test_nesting_up_to_the_limit_is_taken(depth: int) -> None:
    """The limit counts the levels of the whole frame: 128 of them are taken, the frame and its content included."""
    text = json.dumps(body()).replace('"data": {"value": 1}', f'"data": {"[" * depth + "]" * depth}')
    assert wire.decode(text)["content"]["data"]
