"""The end of the server, whatever its pages do."""

import asyncio
import contextlib
import re
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from integration.conftest import Launch, Serve
from integration.support.apps.talkative import SIZE
from integration.support.protocol import JupyterClient, ask, message
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until
from solara_ctx.clock import PER_TURN


@contextmanager
def page_that_reads_nothing(server: ServerProcess, client: JupyterClient) -> Iterator[None]:
    """A connected page whose computer has gone to sleep."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        lines = [
            f"GET {client.kernel_path()}/channels?session_id=page HTTP/1.1",
            f"Host: {host}:{port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            f"Cookie: {client.cookie()}",
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        yield


async def is_stuck(client: JupyterClient) -> None:
    """Wait until more waits for the page than any buffer on the way takes; leave no connection but its own."""

    async def much_waits() -> bool:
        rows = (await client.http.get("/resourcez")).json()["kernel"]
        return any(row["outbox_bytes"] > 10 * SIZE for row in rows)

    await wait_until(much_waits, what="frames that the page does not take")
    await client.http.aclose()


async def test_kernels_close_though_a_page_takes_nothing(serve: Serve) -> None:
    """The server waits for such a page's connection before it ends the lifespan; the kernels do not."""
    server = await serve("integration.support.apps.talkative:app")
    async with JupyterClient(server.url) as client:
        with page_that_reads_nothing(server, client):
            await is_stuck(client)
            server.process.send_signal(signal.SIGTERM)
            await wait_until(lambda: "closed\n" in server.log_text(), what="the hook of the kernel")
            assert server.process.poll() is None
        assert await asyncio.wait_for(server.stop(), 10) == -signal.SIGTERM


async def test_the_command_line_waits_for_nobody(launch: Launch) -> None:
    """Our own server ends although a page takes nothing."""
    page = "integration/support/apps/talkative.py:talkative"
    server = await launch("solara_ctx", "run", page, "--port", "0")
    server.allow_traceback = True  # uvicorn's own: it says where the websocket was that it has given up
    async with JupyterClient(server.url) as client:
        with page_that_reads_nothing(server, client):
            await is_stuck(client)
            await server.stop()
    assert "closed\n" in server.log_text()


@pytest.mark.parametrize("own", [True, False], ids=["solara-ctx run", "uvicorn"])
async def test_every_page_and_every_kernel_hears_that_the_server_stops(
    serve: Serve, launch: Launch, *, own: bool
) -> None:
    """Also where the pages are many, so that some are told before the others, and no kernel outlives its last page."""
    env, module = {"SOLARA_KERNEL_CULL_TIMEOUT": "0"}, "integration.support.apps.reasons"
    if own:
        server = await launch("solara_ctx", "run", f"{module}:kernels", "--port", "0", env=env)
    else:
        server = await serve(f"{module}:app", env=env)
    count = 5 * PER_TURN
    async with contextlib.AsyncExitStack() as stack:
        sockets = []
        for _ in range(count):
            client = await stack.enter_async_context(JupyterClient(server.url, base="/"))
            socket_ = await stack.enter_async_context(client.websocket(location="/"))
            await ask(socket_, message("comm_info_request"))
            await client.http.aclose()
            sockets.append(socket_)
        server.process.send_signal(signal.SIGTERM)
        for socket_ in sockets:
            await asyncio.wait_for(socket_.wait_closed(), 10)
        ends = Counter((socket_.close_code, socket_.close_reason) for socket_ in sockets)
    await server.stop()
    assert ends == {(1001, "server-shutdown"): count}
    reasons = Counter(re.findall(r"ended: (.*)", server.log_text()))
    assert reasons == {"server-shutdown": count}
