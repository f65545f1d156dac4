"""Each server that people run: a page is told that it stops, its kernel closes, and the server ends, at once."""

import signal
import time

import httpx2
import pytest

from integration.conftest import Launch
from integration.support.protocol import JupyterClient, ask, click, root_of
from integration.support.server import ServerProcess
from integration.support.stuck import is_stuck, page_that_reads_nothing
from integration.support.waiting import wait_until

APPS = "integration.support.apps.leaving"
BOUND = ["--bind", "127.0.0.1:0"]
# gunicorn's own file for `gunicornc` would be in the user's home.
GUNICORN = ["gunicorn", *BOUND, "--worker-class", "uvicorn_worker.UvicornWorker", "--no-control-socket"]
SERVERS: dict[str, tuple[list[str], int]] = {
    "uvicorn": (["uvicorn", "--port", "0", "--no-use-colors"], -signal.SIGTERM),
    "hypercorn": (["hypercorn", *BOUND], 0),
    "hypercorn, one process": (["hypercorn", *BOUND, "--workers", "0"], 0),
    "gunicorn": (GUNICORN, 0),
    "gunicorn, two workers": ([*GUNICORN, "--workers", "2"], 0),
}
"""The command, and the exit status that the server has after SIGTERM, whatever it serves."""
STOPS_WITHIN_S = 2.5
"""Measured: 0.15 to 0.45 s. The time is for machines that do much else, and below what any of these servers grants to
connections that do not end by themselves: a stop that waits for such a grace period is seen.
"""


async def stop(server: ServerProcess) -> tuple[int, float]:
    """Ask the server to stop: its exit status, and how long that took."""
    began = time.monotonic()
    status = await server.stop()
    return status, time.monotonic() - began


@pytest.mark.parametrize("app", ["alone", "mounted"])
@pytest.mark.parametrize("name", SERVERS)
async def test_a_server_that_stops_waits_for_nobody(name: str, app: str, launch: Launch) -> None:
    """Its page hears why, the hooks run, and the exit status is the server's own."""
    command, expected = SERVERS[name]
    server = await launch(*command, f"{APPS}:{app}", env={"SOLARA_SESSION_SECRET_KEY": "the key of all workers"})
    async with JupyterClient(server.url) as client, client.websocket() as socket:
        said = await ask(socket, click(await root_of(socket)))
        (update,) = (heard["content"]["data"] for heard in said if heard["header"]["msg_type"] == "comm_msg")
        assert update["state"] == {"description": "1"}
        status, seconds = await stop(server)
        await socket.wait_closed()
        end = socket.close_code, socket.close_reason
    print(f"{name}, {app}: stopped within {seconds:.2f} s")
    assert end == (1001, "server-shutdown")
    assert status == expected
    assert seconds < STOPS_WITHIN_S
    assert server.log_text().count("ended: server-shutdown\n") == 1


@pytest.mark.parametrize("name", SERVERS)
async def test_a_server_without_a_page_stops(name: str, launch: Launch) -> None:
    """There is nothing to wait for at all."""
    command, expected = SERVERS[name]
    server = await launch(*command, f"{APPS}:mounted", env={"SOLARA_SESSION_SECRET_KEY": "the key of all workers"})
    status, seconds = await stop(server)
    print(f"{name}: stopped within {seconds:.2f} s")
    assert status == expected
    assert seconds < STOPS_WITHIN_S


@pytest.mark.parametrize("name", [name for name in SERVERS if "two" not in name])
async def test_a_server_that_is_about_to_stop_is_not_ready(name: str, launch: Launch) -> None:
    """`/readyz` tells a balancer so while there is a page that has not been told yet."""
    server = await launch(*SERVERS[name][0], "integration.support.apps.talkative:app")

    async def stopping() -> bool:
        async with httpx2.AsyncClient(base_url=server.url) as http:
            return (await http.get("/readyz")).status_code == httpx2.codes.SERVICE_UNAVAILABLE

    async with JupyterClient(server.url) as client:
        with page_that_reads_nothing(server, client):
            await is_stuck(client)
            server.process.send_signal(signal.SIGTERM)
            await wait_until(stopping, what="503 from /readyz")
        assert await server.ended() == SERVERS[name][1]
