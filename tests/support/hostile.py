"""Frames that no page of ours would send: good ones, damaged in the ways in which a frame can be.

Strategies of Hypothesis.  They know the two framings and the messages of a page, since noise ends at the first check.
"""

import copy
import json
import struct
from typing import Any

from hypothesis import strategies as st

from solara_ctx.jupyter import wire

Json = dict[str, Any]

KERNELS_OWN = ("slider", "text", "button", "choice", "image", "files", "box")
"""The model ids of the widgets that the kernel under test has."""
_COMM_IDS = (*KERNELS_OWN, "mine-1", "mine-2", "made-1", "made-2", "made-3", "page-comm", "control", "nobody's")
_TARGETS = ("jupyter.widget", "jupyter.widget.control", "solara_ctx.page", "mine", "no.such.target", "")
_TRAITS = (
    *("value", "min", "max", "step", "layout", "style", "children", "options", "index", "description", "disabled"),
    *(
        "icon",
        "tooltip",
        "_dom_classes",
        "_options_labels",
        "_model_name",
        "_model_module",
        "_view_name",
        "_view_count",
    ),
    *("_counter", "accept", "multiple", "width", "height", "format", "titles", "comm", "keys", "log", "__class__"),
)
_METHODS = ("update", "request_state", "request_states", "custom", "echo_update", "", "no_such_method")
_MODELS = ("IntSlider", "Text", "Button", "Layout", "VBox", "FileUpload", "Output", "NoSuch")
_TYPES = (
    *("kernel_info_request", "comm_info_request", "comm_open", "comm_msg", "comm_close", "interrupt_request"),
    *("shutdown_request", "execute_request", "complete_request", "input_reply", "status", "no_such"),
)

# What is at the edge of a type, or of what JSON and Python make of it differently.
_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 2**31, 2**53 + 1, -(2**63) - 1, 10**30, 10**400, 0.1, -0.0, 1e308, 5e-324),
        *("", " ", "\x00", "\x1b[1m\r\n", "\ud83d", "\udc00x", "é\u2028", "x" * 2000, "NaN", "1", "__proto__"),
        *([], {}, [[]], [None], {"": None}, {"\ud83d": 1}, [1] * 40, {"a": {"b": {"c": [{}]}}}),
        *("IPY_MODEL_slider", "IPY_MODEL_button", "IPY_MODEL_made-1", "IPY_MODEL_nobody's", "IPY_MODEL_"),
    ]
)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _ODD | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*_TRAITS, "state", "method"]) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
_BUFFERS = st.lists(st.binary(max_size=12), max_size=3)
_PATHS = st.lists(
    st.lists(st.sampled_from(_TRAITS) | st.integers(-2, 3) | _ODD, max_size=3) | _ODD,
    max_size=3,
)
_STATES = st.dictionaries(st.sampled_from(_TRAITS), _VALUES, max_size=4)


def class_of(model: str) -> Json:
    """How a page names the class of a widget that it makes."""
    module = "@jupyter-widgets/base" if model == "Layout" else "@jupyter-widgets/controls"
    version = "1.0.0" if model == "Output" else "2.0.0"
    return {
        "_model_module": "@jupyter-widgets/output" if model == "Output" else module,
        "_model_module_version": version,
        "_model_name": f"{model}Model",
        "_view_module": "@jupyter-widgets/output" if model == "Output" else module,
        "_view_module_version": version,
        "_view_name": f"{model}View",
    }


@st.composite
def messages(draw: st.DrawFn) -> Json:
    """A message that a page might send, though perhaps not this page, or not now."""
    kind = draw(st.sampled_from(_TYPES) | st.sampled_from(["comm_open", "comm_msg", "comm_msg", "comm_close"]))
    content: Json = {}
    if kind.startswith("comm_"):
        content["comm_id"] = draw(st.sampled_from(_COMM_IDS))
        content["target_name"] = draw(st.sampled_from(_TARGETS))
        content["data"] = draw(_data())
    if kind == "shutdown_request":
        content["restart"] = draw(st.booleans() | _ODD)
    metadata = {"version": draw(st.sampled_from(["2.1.0", "1.0.0", "", "9"]))}
    header = {"msg_id": "fuzz", "msg_type": kind, "session": "fuzz", "username": "", "date": "", "version": "5.4"}
    return {
        "channel": draw(st.sampled_from(["shell", "control", "shell"])),
        "header": header,
        "parent_header": {},
        "metadata": metadata,
        "content": content,
    }


@st.composite
def _data(draw: st.DrawFn) -> Json:
    data: Json = {"method": draw(st.sampled_from(_METHODS))}
    if draw(st.booleans()):
        data["state"] = class_of(draw(st.sampled_from(_MODELS))) | draw(_STATES)
    else:
        data["state"] = draw(_STATES)
    if draw(st.booleans()):
        data["buffer_paths"] = draw(_PATHS)
    if draw(st.booleans()):
        data["content"] = draw(st.just({"event": "click"}) | _VALUES)
    return data


@st.composite
def broken_messages(draw: st.DrawFn) -> Json:
    """One with parts replaced, taken out or put elsewhere."""
    # A copy: Hypothesis draws the same objects again.
    message: Json = copy.deepcopy(draw(messages()))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2, 3]))):
        places = [*_places(message), ({"nowhere": None}, "nowhere")]
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        change = draw(st.integers(0, 3))
        if change == 0:
            holder[key] = copy.deepcopy(draw(_VALUES))
        elif change == 1:
            del holder[key]
        elif change == 2:
            holder[key] = _deep(holder[key], draw(st.sampled_from([1, 60, 130, 3000])))
        else:
            holder[key] = copy.deepcopy(message.get(draw(st.sampled_from(["header", "content", "channel"]))))
    return message


def _places(value: Any) -> Any:
    """Each value inside another one, by its holder and its key there."""
    items: Any = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _deep(value: Any, levels: int) -> Any:
    # As text: Python's own writer would not go so deep.
    return _Raw("[" * levels + _dumps(value) + "]" * levels)


class _Raw(dict[str, Any]):
    """JSON that is written already; a dict, for the places that look for more to change."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def _dumps(value: Any) -> str:
    if isinstance(value, _Raw):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_dumps(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dumps, value)) + "]"
    return json.dumps(value)


@st.composite
def frames(draw: st.DrawFn) -> str | bytes:
    """A frame in one of the framings, whole or damaged."""
    message = draw(broken_messages())
    buffers = draw(_BUFFERS)
    framing = draw(st.sampled_from(["text", "text", "default", "v1"]))
    if framing == "text":
        return draw(_damaged_text(_dumps(message)))
    if framing == "default":
        whole = wire._join_default([_dumps(message).encode(), *buffers])
        return draw(_damaged_bytes(whole, "!I"))
    channel = message.get("channel")
    parts = [channel.encode("utf-8", "replace") if isinstance(channel, str) else _dumps(channel).encode()]
    parts += [_dumps(message.get(name, {})).encode() for name in ("header", "parent_header", "metadata", "content")]
    return draw(_damaged_bytes(wire._join_v1([*parts, *buffers]), "<Q"))


_CUTS = ("cut off", "cut out", "something put in")
_TEXT_DAMAGE = st.sampled_from(["none"] * 8 + [*_CUTS, "a key twice", "no null"])
_BYTES_DAMAGE = st.sampled_from(["none"] * 8 + [*_CUTS, "a bit", "an offset", "an offset", "another table"])
_STRAY = st.text(max_size=3) | st.sampled_from(['"', "\\", "\\ud83d", "}", "[", ",", "\x00"])
_NO_NULL = st.sampled_from(["NaN", "-Infinity", "1e999", "01", "tru", "1" + "0" * 5000])
_KEYS = st.sampled_from(["msg_type", "comm_id", "content", "header", "state", "method", "channel"])
_NUMBERS = st.sampled_from([0, 1, 2**16, 2**31, 2**32 - 1, 2**63, 2**64 - 1]) | st.integers(0, 2000)


@st.composite
def _damaged_text(draw: st.DrawFn, text: str) -> str:
    match draw(_TEXT_DAMAGE):
        case "a key twice":
            key = draw(_KEYS)
            return text.replace(f'"{key}":', f'"{key}":{_dumps(draw(_VALUES))},"{key}":', 1)
        case "no null":
            return text.replace("null", draw(_NO_NULL)).replace("{}", draw(_NO_NULL), 1)
        case damage:
            damaged: str = draw(_cut(text, damage, _STRAY))
            return damaged


@st.composite
def _damaged_bytes(draw: st.DrawFn, frame: bytes, number: str) -> bytes:
    width = struct.calcsize(number)
    match draw(_BYTES_DAMAGE):
        case "a bit":
            at = draw(st.integers(0, len(frame) - 1))
            return frame[:at] + bytes([frame[at] ^ 1 << draw(st.integers(0, 7))]) + frame[at + 1 :]
        case "an offset":  # or their count
            (count,) = struct.unpack_from(number, frame)
            place = width * draw(st.integers(0, int(count)))
            odd = draw(_NUMBERS) % 2 ** (8 * width)
            return frame[:place] + struct.pack(number, odd) + frame[place + width :]
        case "another table":
            return struct.pack(f"{number[0]}2{number[1]}", 1, 2 * width) + frame
        case damage:
            damaged: bytes = draw(_cut(frame, damage, st.binary(min_size=1, max_size=9)))
            return damaged


@st.composite
def _cut(draw: st.DrawFn, frame: Any, damage: str, stray: st.SearchStrategy[Any]) -> Any:
    at, other = draw(st.integers(0, len(frame))), draw(st.integers(0, len(frame)))
    return {
        "none": frame,
        "cut off": frame[:at],
        "cut out": frame[:at] + frame[other:],
        "something put in": frame[:at] + draw(stray) + frame[at:],
    }[damage]
