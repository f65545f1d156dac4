"""A page whose computer has gone to sleep: it is connected, and takes nothing."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from integration.support.apps.talkative import SIZE
from integration.support.protocol import JupyterClient
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until


@contextmanager
def page_that_reads_nothing(server: ServerProcess, client: JupyterClient) -> Iterator[None]:
    """One that is connected, to the app `talkative`."""
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
