"""The end of the server, whatever its pages do."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from integration.conftest import Launch, Serve
from integration.support.apps.talkative import SIZE
from integration.support.protocol import JupyterClient
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until


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
