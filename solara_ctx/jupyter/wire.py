"""Jupyter messages as websocket frames, and back.

Two framings, both of Jupyter Server: the default one
(https://jupyter-server.readthedocs.io/en/latest/developers/websocket-protocols.html#default-protocol) and
`v1.kernel.websocket.jupyter.org` (same page).  A frame tells by itself in which of the two it is.

Pure functions on text and bytes; what a page sends is checked to the last byte before anybody else sees it.
"""

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypedDict

import orjson
from jupyter_client.jsonutil import json_default

V1 = "v1.kernel.websocket.jupyter.org"
"""The subprotocol whose frames are always binary, with one segment per part of the message."""

CHANNELS = frozenset({"shell", "control"})
"""The channels on which a page may ask something."""

_HEADER_FIELDS_LIMIT = 32
_HEADER_TEXT_LIMIT = 1024
_V1_PARTS = ("channel", "header", "parent_header", "metadata", "content")

Buffer = bytes | bytearray | memoryview
Json = dict[str, Any]


class Limits(NamedTuple):
    """How much one message of a page may have."""

    nesting: int = 128
    """Objects and arrays within each other; Python's own readers of JSON give up at about a thousand."""
    buffers: int = 65_535
    """Binary parts."""


class MalformedFrame(Exception):
    """A frame that is no Jupyter message.

    Attributes:
        reason: What is wrong with it; never quotes the frame.
        word: The same in one word, for the page.
    """

    def __init__(self, reason: str, word: str = "malformed-frame") -> None:
        super().__init__(reason)
        self.reason = reason
        self.word = word


_LIMITS = Limits()


class Message(TypedDict):
    """A message that a page has sent, in the shape that ipywidgets and comm expect."""

    channel: str
    header: Json
    parent_header: Json
    metadata: Json
    content: Json
    buffers: list[memoryview]


# Encoding


def encode(subprotocol: str | None, channel: str, message: Mapping[str, Any], buffers: Sequence[Buffer]) -> str | bytes:
    """Frame a message for a page that has negotiated *subprotocol* (`None` for the default framing).

    Numbers that JSON does not know (NaN, the infinities) become null, as Jupyter's own packer makes them.

    Raises:
        TypeError: part of the message is nothing that JSON knows.
    """
    if subprotocol == V1:
        parts: list[Buffer] = [channel.encode("ascii")]
        parts += (_dump(message[name]) for name in _V1_PARTS[1:])
        parts += (_flat(buffer) for buffer in buffers)
        return _join_v1(parts)
    body = {
        "header": message["header"],
        "parent_header": message["parent_header"],
        "metadata": message["metadata"],
        "content": message["content"],
        "channel": channel,
        "buffers": [],
    }
    if not buffers:
        return _dump(body).decode()
    return _join_default([_dump(body), *(_flat(buffer) for buffer in buffers)])


def check(value: object) -> None:
    """Raise what `encode` would raise for *value* somewhere in a message."""
    _dump(value)


# What Jupyter's own packer writes in a way of its own, or does not know.
_AS_JUPYTER_DOES = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def _dump(value: object) -> bytes:
    try:
        # A tenth of the time of `json`, and null for NaN by itself.
        return orjson.dumps(value, json_default, _AS_JUPYTER_DOES)
    except TypeError:
        # Whole numbers beyond 64 bits, keys that are no strings, lone surrogates; or what nobody can write.
        return _dump_slowly(value)


def _dump_slowly(value: object) -> bytes:
    try:
        text = json.dumps(value, default=json_default, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(value), default=_finite_default, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        # A lone surrogate, as JavaScript makes them by cutting an emoji in two: escaped it is JSON, raw it is no UTF-8.
        return json.dumps(_finite(value), default=_finite_default, separators=(",", ":")).encode()


def _finite(value: Any) -> Any:
    """A copy of *value* with null for each number that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value


def _finite_default(value: Any) -> Any:
    return _finite(json_default(value))


def _flat(buffer: Buffer) -> memoryview:
    view = memoryview(buffer)
    if view.c_contiguous:
        try:
            return view.cast("B")
        except (TypeError, ValueError):  # without elements, or of elements in the other byte order
            pass
    return memoryview(view.tobytes())


def _join_default(parts: Sequence[Buffer]) -> bytes:
    """`count offset…` as big-endian 32-bit numbers, then the parts."""
    offsets = [4 * (1 + len(parts))]
    offsets += (0 for _ in parts[1:])
    for index, part in enumerate(parts[:-1]):
        offsets[index + 1] = offsets[index] + len(part)
    return b"".join((struct.pack(f"!{1 + len(parts)}I", len(parts), *offsets), *parts))


def _join_v1(parts: Sequence[Buffer]) -> bytes:
    """`count offset…` as little-endian 64-bit numbers, the last offset being the end, then the parts."""
    count = len(parts) + 1
    offsets = [8 * (1 + count)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return b"".join((struct.pack(f"<{1 + count}Q", count, *offsets), *parts))


# Decoding


def decode(frame: str | bytes, limits: Limits = _LIMITS) -> Message:
    """Take a frame of a page apart.

    Raises:
        MalformedFrame: it is no Jupyter message, or not one that a page may send.
    """
    if isinstance(frame, str):
        return _checked(_load_object(frame, "frame", limits), [])
    view = memoryview(frame)
    parts = _split_v1(view, len(_V1_PARTS) + 1 + limits.buffers)
    if parts is not None:
        return _from_v1(parts, limits)
    parts = _split_default(view, 1 + limits.buffers)
    if parts is None:
        raise MalformedFrame("the table of offsets fits no known framing")
    return _checked(_load_object(_text(parts[0], "frame"), "frame", limits), parts[1:])


def _from_v1(parts: list[memoryview], limits: Limits) -> Message:
    if len(parts) < len(_V1_PARTS):
        raise MalformedFrame("parts of the message are missing")
    texts = {name: _text(part, name) for name, part in zip(_V1_PARTS, parts, strict=False)}
    message: Json = {"channel": texts.pop("channel")}
    message.update((name, _load_object(text, name, limits)) for name, text in texts.items())
    return _checked(message, parts[len(_V1_PARTS) :])


def _split_default(view: memoryview, most: int = _LIMITS.buffers) -> list[memoryview] | None:
    return _split(view, "!", "I", [len(view)], most)


def _split_v1(view: memoryview, most: int = _LIMITS.buffers) -> list[memoryview] | None:
    return _split(view, "<", "Q", [], most)


def _split(view: memoryview, order: str, kind: str, ends: list[int], most: int) -> list[memoryview] | None:
    """The parts that the table of offsets at the head of a frame names, `None` if there is no such table.

    The first offset has to be the end of the table: by that alone the two framings can't be taken for each other.
    """
    width = struct.calcsize(order + kind)
    if len(view) < 2 * width:
        return None
    count, first = struct.unpack_from(f"{order}2{kind}", view)
    if count < 1 or first != width * (1 + count) or first > len(view):
        return None
    if count > most:
        raise MalformedFrame("the message has too many buffers", "too-many-buffers")
    offsets = [*struct.unpack_from(f"{order}{count}{kind}", view, width), *ends]
    if offsets[-1] != len(view) or any(start > end for start, end in pairwise(offsets)):
        raise MalformedFrame("the offsets do not cover the frame")
    return [view[start:end] for start, end in pairwise(offsets)]


def _text(part: memoryview, what: str) -> str:
    try:
        return str(part, "utf-8")
    except UnicodeDecodeError:
        raise MalformedFrame(f"the {what} is not UTF-8") from None


def _load_object(text: str, what: str, limits: Limits) -> Json:
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise MalformedFrame(f"the {what} is nested too deeply", "nested-too-deeply") from None
    except ValueError as error:
        reason = error.args[0] if isinstance(error, _NotANumber) else f"the {what} is not JSON"
        raise MalformedFrame(reason) from None
    if not isinstance(value, dict):
        raise MalformedFrame(f"the {what} is not a JSON object")
    # Counting is a matter of microseconds, walking is not; hardly a message has so many brackets at all.
    if text.count("[") + text.count("{") > limits.nesting and _is_deep(value, limits.nesting):
        raise MalformedFrame(f"the {what} is nested too deeply", "nested-too-deeply")
    return value


class _NotANumber(ValueError):
    pass


def _refuse_constant(name: str) -> float:
    raise _NotANumber(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _NotANumber("a number is too large")
    return number


# Made once: `json.loads` makes a decoder for each text that is not to be read by the default one. Not orjson, which
# makes a float of a long whole number, takes 1e999 for one, and refuses lone surrogates.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite_float)


def _is_deep(value: object, nesting: int) -> bool:
    level: list[object] = [value]
    for _ in range(nesting):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return False
    return True


def _children(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _checked(message: Json, buffers: list[memoryview]) -> Message:
    # Jupyter Server takes a message without a channel for one on the shell channel.
    channel = message.get("channel") or "shell"
    if not isinstance(channel, str) or channel not in CHANNELS:
        raise MalformedFrame("there is no such channel to send on")
    return Message(
        channel=channel,
        header=_checked_header(_object(message, "header")),
        parent_header=_object(message, "parent_header", optional=True),
        metadata=_object(message, "metadata", optional=True),
        content=_object(message, "content"),
        buffers=buffers,
    )


def _object(message: Json, name: str, *, optional: bool = False) -> Json:
    value = message.get(name)
    if value is None and optional:
        return {}
    if not isinstance(value, dict):
        raise MalformedFrame(f"the {name} is not an object")
    return value


def _checked_header(header: Json) -> Json:
    """The header comes back to every page as the parent of each message that it causes: small, flat, and named."""
    for name in ("msg_id", "msg_type"):
        if not isinstance(header.get(name), str) or not header[name]:
            raise MalformedFrame(f"the header has no {name}")
    for name in ("session", "username", "date", "version"):
        if not isinstance(header.get(name, ""), str):
            raise MalformedFrame(f"the header's {name} is not a string")
    if len(header) > _HEADER_FIELDS_LIMIT:
        raise MalformedFrame("the header has too many fields")
    for value in header.values():
        if isinstance(value, dict | list) or (isinstance(value, str) and len(value) > _HEADER_TEXT_LIMIT):
            raise MalformedFrame("the header is too large")
    return header
