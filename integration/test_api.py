"""Jupyter's REST paths, several pages on one kernel, and what is alive."""

import asyncio
import contextlib
import json
import time
from typing import Any

import httpx2
import pytest

from integration.conftest import Serve
from integration.support.protocol import JupyterClient, ask, message
from integration.support.waiting import wait_until

pytestmark = pytest.mark.covered

APP = "integration.support.apps.counter:app"
TOKEN = {"Authorization": "Bearer sesame"}


async def test_a_jupyter_client_gets_a_kernel_without_a_page(serve: Serve) -> None:
    """POST issues one, the websocket starts it, GET lists it to its session only, DELETE ends it."""
    server = await serve(APP)
    async with JupyterClient(server.url) as client, JupyterClient(server.url) as stranger:
        issued = await client.http.post("/api/kernels")
        assert issued.status_code == httpx2.codes.CREATED
        kernel_id = issued.json()["id"]
        assert issued.headers["location"] == f"/api/kernels/{kernel_id}"
        assert (await client.http.get(client.kernel_path(kernel_id))).json()["execution_state"] == "starting"
        assert (await client.http.get("/api/kernels")).json() == []
        async with client.websocket(kernel_id=kernel_id) as socket:
            said = await ask(socket, message("kernel_info_request"))
            kinds = [answer["header"]["msg_type"] for answer in said]
            assert kinds == ["status", "kernel_info_reply", "status"]
            listed = (await client.http.get("/api/kernels")).json()
            assert [(row["id"], row["connections"]) for row in listed] == [(kernel_id, 1)]
            assert (await stranger.http.get("/api/kernels")).json() == []
            deleted = await client.http.delete(client.kernel_path(kernel_id))
            assert deleted.status_code == httpx2.codes.NO_CONTENT
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (1000, "shutdown-requested")
        assert (await client.http.get(client.kernel_path(kernel_id))).json()["reason"] == "shutdown-requested"


async def test_a_client_without_a_session_gets_one(serve: Serve) -> None:
    """POST without a cookie sets one; the kernel belongs to it."""
    server = await serve(APP)
    async with httpx2.AsyncClient(base_url=server.url) as http:
        kernel_id = (await http.post("/api/kernels")).json()["id"]
        assert (await http.get(f"/api/kernels/{kernel_id}")).status_code == httpx2.codes.OK


async def test_two_pages_of_a_session_share_a_kernel(serve: Serve) -> None:
    """What one page does, the other sees; the kernel ends when both have gone."""
    server = await serve(APP)
    async with JupyterClient(server.url) as client:
        async with client.websocket(page_id="one") as one, client.websocket(page_id="two") as two:
            comms = await comms_of(one)
            assert await comms_of(two) == comms
            update = {"method": "update", "state": {"value": 9}}
            await asyncio.gather(
                *(one.send(json.dumps(message("comm_msg", {"comm_id": comm_id, "data": update}))) for comm_id in comms)
            )
            while "squared: 81" not in str(await two.recv()):
                pass
            await client.http.post(f"{client.kernel_path()}/pages/one/close")
            assert (await client.http.get("/resourcez")).json()["kernels"]["total"] == 1
            await client.http.post(f"{client.kernel_path()}/pages/two/close")
            await two.wait_closed()
            assert two.close_reason == "page-closed"
        kernels = (await client.http.get("/resourcez")).json()["kernels"]
        assert (kernels["total"], kernels["closed_total"]) == (0, {"page-closed": 1})


async def test_restart_over_http(serve: Serve) -> None:
    """The page is told to come back, and finds a fresh kernel under the same id."""
    server = await serve(APP)
    async with JupyterClient(server.url) as client:
        async with client.websocket() as socket:
            before = await comms_of(socket)
            await client.http.post(f"{client.kernel_path()}/restart")
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (1012, "restart")
        async with client.websocket() as socket:
            after = await comms_of(socket)
            assert len(after) == len(before)
            assert not set(after) & set(before)
        assert (await client.http.post(f"{client.kernel_path()}/interrupt")).status_code == httpx2.codes.NO_CONTENT


async def test_resourcez_shows_each_kernel_and_creates_none(serve: Serve) -> None:
    """Totals and a row per kernel, ids redacted; asking twice changes nothing; ids never used cost nothing."""
    server = await serve(APP)
    async with JupyterClient(server.url) as client:
        for _ in range(20):
            await client.http.get("/")
        assert (await client.http.get("/resourcez")).json()["kernels"]["total"] == 0
        async with client.websocket() as socket:
            await comms_of(socket)
            data = (await client.http.get("/resourcez?verbose")).json()
            assert data["kernels"]["total"] == data["kernels"]["has_connected"] == data["websocket"]["open"] == 1
            (row,) = data["kernel"]
            assert row["state"] == "open"
            assert row["pages"] == {"connected": 1, "disconnected": 0, "closed": 0}
            assert row["widgets"] >= 9
            assert row["comms"] >= row["widgets"]
            assert row["seconds_to_cull"] is None
            assert client.kernel_id not in json.dumps(data)
            assert client.cookie().partition("=")[2] not in json.dumps(data)
            assert data["process"]["memory"]["rss"] > 1_000_000
            assert data["cpu"]["count_logical"] >= 1
        await wait_until(lambda: retained(client))
        (row,) = (await client.http.get("/resourcez")).json()["kernel"]
        assert row["pages"] == {"connected": 0, "disconnected": 1, "closed": 0}
        assert 86_000 < row["seconds_to_cull"] <= 86_400


async def retained(client: JupyterClient) -> bool:
    return bool((await client.http.get("/resourcez")).json()["kernels"]["retained"] == 1)


@pytest.mark.parametrize(
    ("headers", "sees_rows"),
    [
        ({}, True),
        ({"X-Forwarded-For": "203.0.113.7"}, False),
        ({"X-Forwarded-For": "203.0.113.7"} | TOKEN, True),
        ({"X-Forwarded-For": "203.0.113.7", "Authorization": "Bearer wrong"}, False),
        ({"Forwarded": "for=203.0.113.7"}, False),
    ],
)
async def test_a_stranger_sees_totals_only(serve: Serve, headers: dict[str, str], sees_rows: bool) -> None:
    """With a token set, rows are for its holder and for this machine."""
    server = await serve(APP, env={"SOLARA_RESOURCEZ_TOKEN": "sesame"})
    async with httpx2.AsyncClient(base_url=server.url, headers=headers) as http:
        data = (await http.get("/resourcez")).json()
    assert data["kernels"]["total"] == 0
    assert ("kernel" in data) is sees_rows


async def test_at_the_limit_everybody_gets_an_answer(serve: Serve) -> None:
    """One kernel more than allowed: a readable 503 that says when to try again, for pages, REST and websockets."""
    server = await serve(APP, env={"SOLARA_KERNEL_MAX_COUNT": "1"})
    async with JupyterClient(server.url) as first, JupyterClient(server.url) as second:
        async with first.websocket() as socket:
            await comms_of(socket)
            page = await second.http.get("/")
            assert page.status_code == httpx2.codes.SERVICE_UNAVAILABLE
            assert int(page.headers["retry-after"]) > 0
            assert "No room" in page.text
            assert (await second.http.post("/api/kernels")).status_code == httpx2.codes.SERVICE_UNAVAILABLE
            async with second.websocket() as refused:
                await refused.wait_closed()
            assert (refused.close_code, refused.close_reason) == (1013, "kernel-limit")
            ready = await second.http.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (httpx2.codes.SERVICE_UNAVAILABLE, "kernel-limit")
            assert int(ready.headers["retry-after"]) > 0
            await first.http.delete(first.kernel_path())
        assert (await second.http.get("/readyz")).status_code == httpx2.codes.OK
        assert (await second.http.get("/")).status_code == httpx2.codes.OK


async def test_a_crowd_at_the_limit_is_answered_at_once(serve: Serve) -> None:
    """Fifty more than there is room for: nobody waits, and the gauges are exact.  The longest wait is printed."""
    server = await serve(APP, env={"SOLARA_KERNEL_MAX_COUNT": "3"})
    async with contextlib.AsyncExitStack() as stack:
        insiders = [await stack.enter_async_context(JupyterClient(server.url)) for _ in range(3)]
        outsiders = [await stack.enter_async_context(JupyterClient(server.url)) for _ in range(50)]
        for client in insiders:
            await comms_of(await stack.enter_async_context(client.websocket()))

        waits: list[float] = []

        async def turned_away(client: JupyterClient) -> tuple[int, int]:
            begun = time.monotonic()
            async with asyncio.timeout(10), client.websocket() as socket:
                await socket.wait_closed()
                page = await client.http.get("/")
            waits.append(time.monotonic() - begun)
            return socket.close_code or 0, page.status_code

        answers = await asyncio.gather(*map(turned_away, outsiders))
        print(f"all 50 were turned away within {max(waits):.2f} s")
        assert answers == [(1013, httpx2.codes.SERVICE_UNAVAILABLE)] * 50
        kernels = (await insiders[0].http.get("/resourcez")).json()["kernels"]
        gauges = {name: kernels[name] for name in ("total", "has_connected", "retained", "closing", "refused_total")}
        assert gauges == {"total": 3, "has_connected": 3, "retained": 0, "closing": 0, "refused_total": 100}
        await insiders[0].http.delete(insiders[0].kernel_path())
        async with outsiders[0].websocket() as socket:
            await comms_of(socket)


async def test_who_is_not_there_makes_room_for_who_comes(serve: Serve) -> None:
    """At the limit: a page that has lost its connection finds its kernel gone, and the reason; the newcomer is in."""
    server = await serve(APP, env={"SOLARA_KERNEL_MAX_COUNT": "1"})
    async with JupyterClient(server.url) as first, JupyterClient(server.url) as second:
        async with first.websocket() as socket:
            await comms_of(socket)
        await wait_until(lambda: retained(first))
        async with second.websocket() as socket:
            await comms_of(socket)
            async with first.websocket() as late:
                await late.wait_closed()
            assert (late.close_code, late.close_reason) == (4410, "evicted")

            async def is_down() -> bool:  # which it need not be when its page hears of it
                kernels = (await second.http.get("/resourcez")).json()["kernels"]
                return (kernels["total"], kernels["closed_total"], kernels["refused_total"]) == (1, {"evicted": 1}, 0)

            await wait_until(is_down, what="the end of the kernel that made room")


async def comms_of(socket: Any) -> list[str]:
    """The comm ids that a kernel says it has."""
    said = await ask(socket, message("comm_info_request"))
    (reply,) = (answer for answer in said if answer["header"]["msg_type"] == "comm_info_reply")
    return sorted(reply["content"]["comms"])
