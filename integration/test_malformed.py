"""What a page should never send: each is answered or ends that connection with a reason; the kernels live on."""

import json
import struct
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from integration.conftest import Serve
from integration.support.protocol import JupyterClient, ask, message

APP = "integration.support.apps.counter:app"
V1 = "v1.kernel.websocket.jupyter.org"
CASES = 1000
DONE = 1000
CLOSE_CODES = {1007, 1008, 1009}


def broken_json() -> Iterator[str | bytes]:
    """Frames that are no message at all."""
    yield from ["", " ", "null", "true", "0", "[]", "{}", '"text"', "{", "[" * 5000, "{" * 5000, '{"a":' * 3000]
    yield from ["NaN", '{"header": NaN}', "\ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "\x00"]
    yield from [b"", b"\x00", b"\xff" * 3, b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", struct.pack(">I", 2**31)]
    yield struct.pack(">II", 1, 2**32 - 1)
    yield struct.pack(">III", 2, 12, 4) + b"{}"
    yield struct.pack(">II", 1, 8) + b"not json"
    yield struct.pack(">II", 1, 8) + b"\xff\xfe"
    yield struct.pack("<Q", 2**63) + b"x" * 40
    yield struct.pack("<QQQ", 2, 24, 10) + b"x"
    yield b"\x93" * 100_000
    yield "[" * 100_000


WRONG: list[Any] = [None, 0, -1, 1.5, True, "", "x" * 5000, [], [1], {}, {"a": 1}, [[]], {"": None}, "\u0000"]


def broken_messages() -> Iterator[dict[str, Any]]:
    """Messages with one part of a wrong kind, wrong size, or missing."""
    for part in ("channel", "header", "parent_header", "metadata", "content", "buffers"):
        yield from (message("kernel_info_request") | {part: value} for value in WRONG)
        yield {key: value for key, value in message("kernel_info_request").items() if key != part}
    for key in ("msg_id", "msg_type", "session", "username", "date", "version"):
        header = message("kernel_info_request")["header"]
        yield from (message("kernel_info_request", header=header | {key: value}) for value in WRONG)
        yield message("kernel_info_request", header={name: value for name, value in header.items() if name != key})
    for kind in ("execute_request", "complete_request", "inspect_request", "history_request", "input_reply", "x" * 999):
        yield message(kind, {"code": "import os; os._exit(1)"})
    yield from broken_comms()


def broken_comms() -> Iterator[dict[str, Any]]:
    """Comm messages that can't be meant."""
    good: dict[str, Any] = {"comm_id": "c", "target_name": "jupyter.widget", "data": {}, "target_module": None}
    for kind, key in product(("comm_open", "comm_msg", "comm_close", "comm_info_request"), good):
        yield from (message(kind, good | {key: value}) for value in WRONG)
    targets = ("jupyter.widget", "jupyter.widget.control", "solara_ctx.page", "no.such.target")
    for data, target, version in product(WRONG, targets, ("2.1.0", "1.0.0", "", "x", None, 7)):
        content = {"comm_id": f"c{target}", "target_name": target, "data": data}
        yield message("comm_open", content, metadata={"version": version})
    for state, model in product(WRONG, WRONG):
        names = {"_model_module": model, "_model_name": model}
        data = {"state": names | (state if isinstance(state, dict) else {"value": state})}
        content = {"comm_id": "w", "target_name": "jupyter.widget", "data": data}
        yield message("comm_open", content, metadata={"version": "2.1.0"})


def updates(comm_id: str) -> Iterator[dict[str, Any]]:
    """Updates of a living widget that it can't take."""
    wrong: list[Any] = [None, -(10**30), 1e308, True, "text", [1], {"a": {}}, "IPY_MODEL_nobody", [None] * 1000]
    for key in ("value", "max", "layout", "_model_name", "no_such_trait", "", "__class__", "comm", "keys"):
        for value in wrong:
            yield message("comm_msg", {"comm_id": comm_id, "data": {"method": "update", "state": {key: value}}})
    for method in [*wrong, "custom", "request_state", "echo_update", "no_such_method"]:
        yield message("comm_msg", {"comm_id": comm_id, "data": {"method": method}})
    for paths in [*wrong, [["value"]], [["value", 0, "x"]], [[]], [[None]]]:
        data = {"method": "update", "state": {"value": 1}, "buffer_paths": paths}
        yield message("comm_msg", {"comm_id": comm_id, "data": data})


class Attacker:
    """Sends frames over one connection after the other, and checks what comes back."""

    def __init__(self, client: JupyterClient, subprotocols: list[str] | None) -> None:
        self.client = client
        self.subprotocols = subprotocols
        self.sent = self.closed = self.answered = 0

    async def send(self, frame: str | bytes) -> None:
        """Send one frame, then a good request: either that is answered, or the connection has ended with a reason."""
        async with self.client.websocket(subprotocols=self.subprotocols, page_id="attacker") as socket:
            self.sent += 1
            try:
                await socket.send(frame)
                await ask_v1(socket) if self.subprotocols else await ask(socket, message("kernel_info_request"))
                self.answered += 1
            except ConnectionClosed:
                self.closed += 1
        if socket.close_code != DONE:
            assert socket.close_code in CLOSE_CODES, f"{socket.close_code} after {frame[:200]!r}"
            assert socket.close_reason


def in_v1(request: dict[str, Any]) -> bytes:
    """A message, or what is broken about it, in the v1 framing."""
    channel = request.get("channel")
    parts = [channel.encode() if isinstance(channel, str) else json.dumps(channel).encode()]
    parts += [json.dumps(request.get(key)).encode() for key in ("header", "parent_header", "metadata", "content")]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return struct.pack(f"<{len(offsets) + 1}Q", len(offsets), *offsets) + b"".join(parts)


async def ask_v1(socket: Any) -> None:
    """A kernel_info_request in the v1 framing, up to its `idle`."""
    request = message("kernel_info_request")
    await socket.send(in_v1(request))
    while True:
        frame = await socket.recv()
        if request["header"]["msg_id"].encode() in frame and b'"idle"' in frame:
            return


async def some_comm(client: JupyterClient) -> tuple[Any, str]:
    """An innocent page of the same kernel, and the comm of one of its widgets."""
    socket = await client.websocket()
    said = await ask(socket, message("comm_info_request"))
    (reply,) = (answer for answer in said if answer["header"]["msg_type"] == "comm_info_reply")
    return socket, min(reply["content"]["comms"])


@pytest.mark.parametrize(
    "subprotocols", [pytest.param(None, id="default"), pytest.param([V1], id="v1", marks=pytest.mark.thorough)]
)
async def test_no_kernel_dies_of_a_bad_frame(serve: Serve, subprotocols: list[str] | None) -> None:
    """More than 1,000 bad frames, from a table and made by Hypothesis: the kernel answers after each of them."""
    server = await serve(APP, env={"SOLARA_WEBSOCKET_MAX_RATE": "0"})
    async with JupyterClient(server.url) as client:
        innocent, comm_id = await some_comm(client)
        attacker = Attacker(client, subprotocols)
        for frame in broken_json():
            await attacker.send(frame)
        for broken in [*broken_messages(), *updates(comm_id)]:
            await attacker.send(in_v1(broken) if subprotocols else json.dumps(broken))
        for frame in made_up_frames(CASES):
            await attacker.send(frame)
        assert attacker.sent > CASES
        assert attacker.closed + attacker.answered == attacker.sent
        await ask(innocent, message("kernel_info_request"))
        await innocent.close()
        kernels = (await client.http.get("/resourcez")).json()["kernels"]
        assert kernels["total"] == 1
        print(f"{attacker.sent} bad frames: {attacker.answered} answered, {attacker.closed} closed with a reason")


def made_up_frames(count: int) -> list[str | bytes]:
    """Frames that Hypothesis makes up."""
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
        max_leaves=12,
    )
    messages = st.fixed_dictionaries(
        {},
        optional={
            "channel": st.sampled_from(["shell", "control", "stdin", "iopub"]) | values,
            "header": st.fixed_dictionaries(
                {}, optional={"msg_id": values, "msg_type": st.sampled_from(KINDS) | values, "session": values}
            ),
            "parent_header": values,
            "metadata": values,
            "content": st.fixed_dictionaries({}, optional={"comm_id": values, "data": values, "target_name": values})
            | values,
            "buffers": values,
        },
    )
    frames: list[str | bytes] = []

    @settings(max_examples=count, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=200) | st.text(max_size=50) | messages.map(json.dumps))
    def collect(frame: str | bytes) -> None:
        frames.append(frame)

    collect()
    return frames


KINDS = ["kernel_info_request", "comm_open", "comm_msg", "comm_close", "comm_info_request", "execute_request"]
