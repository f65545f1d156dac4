"""Attacks by messages of Jupyter's protocol: on kernels of one's own, and aimed at others'."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed

from integration.faults.support.arena import Arena, Attack
from integration.support.protocol import JupyterClient, ask, message, until_idle
from solara_ctx.jupyter.wire import V1

Cases = dict[str, tuple[Attack, object]]


def kinds(said: list[dict[str, Any]]) -> list[str]:
    """What was said, but for busy and idle."""
    return [answer["header"]["msg_type"] for answer in said if answer["header"]["msg_type"] != "status"]


def asks(*requests: dict[str, Any]) -> Attack:
    """What a kernel of one's own says, one after the other, to messages."""

    async def attack(arena: Arena) -> list[list[str]]:
        async with arena.attacker() as client, client.websocket() as socket:
            return [kinds(await ask(socket, request)) for request in requests]

    return attack


def runs(kind: str, **content: Any) -> tuple[Attack, object]:
    """A request to run something: there is an answer, and it says no."""

    async def attack(arena: Arena) -> list[object]:
        async with arena.attacker() as client, client.websocket() as socket:
            (said,) = (m for m in await ask(socket, message(kind, content)) if m["header"]["msg_type"] != "status")
            return [said["header"]["msg_type"], said["content"].get("status"), said["content"].get("ename")]

    return attack, [kind.replace("request", "reply"), "error", "UnsupportedMessage"]


async def shutdown_of_anothers(arena: Arena) -> tuple[int | None, str | None]:
    """A request to end a kernel, in the name of the bystander: it ends the one that it was sent to."""
    theirs = arena.bystander.client
    request = message("shutdown_request", {"restart": False, "kernel_id": theirs.kernel_id})
    request["header"] |= {"session": theirs.page_id, "username": theirs.kernel_id[:6]}
    request["parent_header"] = request["header"]
    async with arena.attacker() as client, client.websocket() as socket:
        await socket.send(json.dumps(request))
        await socket.wait_closed()
    return socket.close_code, socket.close_reason


async def widgets_of_anothers(arena: Arena) -> list[str]:
    """An update, a click and a close for the comms of the bystander's widgets."""
    async with arena.attacker() as client, client.websocket() as socket:
        said = []
        for comm_id in arena.bystander.comms:
            update = {"comm_id": comm_id, "data": {"method": "update", "state": {"value": 99}}}
            click = {"comm_id": comm_id, "data": {"method": "custom", "content": {"event": "click"}}}
            for kind, content in (("comm_msg", update), ("comm_msg", click), ("comm_close", {"comm_id": comm_id})):
                said += kinds(await ask(socket, message(kind, content)))
    return sorted(set(said))


async def their_comms_listed(arena: Arena) -> list[str]:
    """Which of the bystander's comms another kernel knows."""
    async with arena.attacker() as client, client.websocket() as socket:
        said = await ask(socket, message("comm_info_request"))
        (reply,) = (answer for answer in said if answer["header"]["msg_type"] == "comm_info_reply")
        return sorted(set(reply["content"]["comms"]) & set(arena.bystander.comms))


SLIDER = {
    "_model_module": "@jupyter-widgets/controls",
    "_model_module_version": "2.0.0",
    "_model_name": "IntSliderModel",
    "_view_module": "@jupyter-widgets/controls",
    "_view_module_version": "2.0.0",
    "_view_name": "IntSliderView",
}


def opening(comm_id: str) -> dict[str, Any]:
    """A comm_open for a widget."""
    content = {"comm_id": comm_id, "target_name": "jupyter.widget", "data": {"state": SLIDER}}
    return message("comm_open", content, metadata={"version": "2.1.0"})


async def comms_of(socket: Any) -> int:
    """How many comms a kernel has."""
    said = await ask(socket, message("comm_info_request"))
    (reply,) = (answer for answer in said if answer["header"]["msg_type"] == "comm_info_reply")
    return len(reply["content"]["comms"])


async def comm_flood(arena: Arena) -> str:
    """A thousand widgets, made and not closed."""
    async with arena.attacker() as client, client.websocket() as socket:
        before = await comms_of(socket)
        for number in range(1000):
            last = opening(f"w{number}")
            await socket.send(json.dumps(last))
        await until_idle(socket, last["header"]["msg_id"])
        grown = await comms_of(socket) - before
    return "bounded" if grown <= 3 * 20 else f"{grown} comms"


async def comm_churn(arena: Arena) -> int:
    """Two hundred widgets, made, looked at and closed: what is left of them."""
    async with arena.attacker() as client, client.websocket() as socket:
        before = await comms_of(socket)
        for number in range(200):
            for kind, content in (
                ("comm_msg", {"comm_id": f"w{number}", "data": {"method": "request_state"}}),
                ("comm_close", {"comm_id": f"w{number}"}),
            ):
                if kind == "comm_msg":
                    await socket.send(json.dumps(opening(f"w{number}")))
                await ask(socket, message(kind, content))
        return await comms_of(socket) - before


async def layouts(arena: Arena) -> int:
    """Updates that have ipywidgets make a new layout for each."""
    async with arena.attacker() as client, client.websocket() as socket:
        said = await ask(socket, message("comm_info_request"))
        (reply,) = (answer for answer in said if answer["header"]["msg_type"] == "comm_info_reply")
        comms = list(reply["content"]["comms"])
        for _ in range(20):
            for comm_id in comms:
                state = {"layout": {"width": "1px"}, "style": {}}
                await ask(
                    socket, message("comm_msg", {"comm_id": comm_id, "data": {"method": "update", "state": state}})
                )
        return await comms_of(socket) - len(comms)


async def too_fast(arena: Arena) -> bool:
    """Questions, as many as the line takes; it ends for them, or as the answer to a ping waits behind them too long."""
    async with arena.attacker() as client, client.websocket() as socket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(20_000):
                await socket.send(json.dumps(message("kernel_info_request")))
        await socket.wait_closed()
    return (socket.close_code, socket.close_reason) in {(1008, "too-fast"), (1011, "keepalive ping timeout")}


async def log_lines(arena: Arena) -> int:
    """How many lines in the log a thousand messages cause that nobody understands."""
    before = len(arena.server.log_text().splitlines())
    async with arena.attacker() as client, client.websocket() as socket:
        said = await ask(socket, message("comm_info_request"))
        (reply,) = (answer for answer in said if answer["header"]["msg_type"] == "comm_info_reply")
        comm_id = min(reply["content"]["comms"])
        for last in _not_understood(comm_id, 250):
            await socket.send(json.dumps(last))
        await until_idle(socket, last["header"]["msg_id"])
    return (len(arena.server.log_text().splitlines()) - before) // 100


def _not_understood(comm_id: str, times: int) -> Iterator[dict[str, Any]]:
    for _ in range(times):
        yield message("comm_msg", {"comm_id": comm_id, "data": {"method": "\x1b[31m\nERROR: the disk is full"}})
        yield message("\x1b[31m\nERROR: the disk is full")
        yield message("comm_open", {"comm_id": "x", "target_name": "\x1b[31m\nERROR"})
        yield message("comm_msg", {"comm_id": "\x1b[31m\nERROR", "data": {}})


async def one_page_twice(arena: Arena) -> tuple[int | None, str | None]:
    """Two connections of a page with one id: the newer one has it."""
    async with arena.attacker() as client:
        async with client.websocket(page_id="same") as older, client.websocket(page_id="same") as newer:
            await older.wait_closed()
            assert await ask(newer, message("kernel_info_request"))
        return older.close_code, older.close_reason


async def the_bystanders_page_id(arena: Arena) -> list[str]:
    """A kernel of one's own, and the bystander's page id: nothing is heard of the bystander."""
    async with arena.attacker() as client, client.websocket(page_id=arena.bystander.client.page_id) as socket:
        await arena.bystander.click()
        return kinds(await ask(socket, message("kernel_info_request")))


async def many_pages(arena: Arena) -> str:
    """A hundred pages of one kernel, each with its comms, of which none comes back."""
    async with arena.attacker() as client, client.websocket(page_id="stays") as stays:
        before = await comms_of(stays)
        for number in range(100):
            async with client.websocket(page_id=f"page-{number}") as socket:
                for target in ("solara_ctx.page", "jupyter.widget.control"):
                    content = {"comm_id": f"{target}-{number}", "target_name": target}
                    await ask(socket, message("comm_open", content, metadata={"version": "1.0.0"}))
        grown = await comms_of(stays) - before
    return "bounded" if grown <= 130 else f"{grown} comms"


async def restarts(arena: Arena) -> int:
    """Thirty restarts of one's own kernel, one upon the other."""
    async with arena.attacker() as client:
        for _ in range(30):
            answer = await client.http.post(f"{client.kernel_path()}/restart")
            assert answer.status_code in {200, 404}
            with contextlib.suppress(ConnectionClosed):
                async with client.websocket() as socket:
                    await ask(socket, message("kernel_info_request"))
        return (await client.http.delete(client.kernel_path())).status_code


async def kernels_without_end(arena: Arena) -> int:
    """Sixty sessions with a kernel each, all ended by their connections' end."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(60):
            client: JupyterClient = await stack.enter_async_context(arena.attacker())
            await stack.enter_async_context(client.websocket())
        return len(await arena.rows()) - 1


async def in_the_other_framing(arena: Arena) -> int | None:
    """Frames of one framing on a connection of the other: each tells by itself in which it is."""
    async with arena.attacker() as client, client.websocket(subprotocols=[V1]) as socket:
        await socket.send(json.dumps(message("kernel_info_request")))
        while b"kernel_info_reply" not in bytes(await socket.recv(decode=False)):
            pass
        await socket.close()
    return socket.close_code


CASES: Cases = {
    "message: code": runs("execute_request", code="import os; os._exit(1)", silent=False),
    "message: completion": runs("complete_request", code="__import__('os')._exit(1)", cursor_pos=3),
    "message: inspection": runs("inspect_request", code="a", cursor_pos=1, detail_level=1),
    "message: history": runs("history_request", hist_access_type="tail", n=100),
    "message: a debugger": runs("debug_request", command="initialize"),
    "message: a subshell": runs("create_subshell_request"),
    "message: an answer that nobody waits for": (asks(message("input_reply", {"value": "x"})), [["error"]]),
    "message: a made up status": (asks(message("status", {"execution_state": "dead"})), [["error"]]),
    "message: a shutdown of another's kernel": (shutdown_of_anothers, (1000, "shutdown-requested")),
    "message: another's widgets": (widgets_of_anothers, ["error"]),
    "message: another's comms listed": (their_comms_listed, []),
    "message: a flood of comms": (comm_flood, "bounded"),
    "message: comms made and closed": (comm_churn, 0),
    "message: updates that make widgets": (layouts, 0),
    "message: a flood of questions": (too_fast, True),
    "message: a flood of the log": (log_lines, 0),
    "message: the other framing": (in_the_other_framing, 1000),
    "page: one id twice": (one_page_twice, (4409, "replaced")),
    "page: the bystander's id": (the_bystanders_page_id, ["kernel_info_reply"]),
    "page: a hundred that never come back": (many_pages, "bounded"),
    "kernel: restarts without end": (restarts, 404),
    "kernel: sessions without end": (kernels_without_end, 60),
}
