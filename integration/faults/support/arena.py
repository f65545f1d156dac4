"""A server, somebody who uses it and means no harm, and a look at both after each attack."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx2
from websockets.asyncio.client import ClientConnection

from integration.faults.support.raw import (
    Answer,
    RawSocket,
    answer,
    dialled,
    exchange,
    handshake,
    head,
)
from integration.support.protocol import JupyterClient, ask, message
from integration.support.server import TROUBLE, ServerProcess
from integration.support.waiting import wait_until

TOKEN = "an open sesame of the tests"
KEY = "a key that the tests know of"
STRANGER = {"X-Forwarded-For": "203.0.113.9"}  # which uvicorn believes, from this machine
SETTINGS = {
    "SOLARA_RESOURCEZ_TOKEN": TOKEN,
    "SOLARA_SESSION_SECRET_KEY": KEY,
    "SOLARA_KERNEL_CULL_TIMEOUT": "0s",  # what an attacker leaves is gone with the connection
    "SOLARA_WEBSOCKET_MAX_FRAME": "200KB",
    "SOLARA_KERNEL_MAX_COMMS": "20",
    "SOLARA_KERNEL_MAX_ISSUE_RATE": "1000",  # each attack loads a page, and some many
}
OPTIONS = ("--ws", "solara_ctx.web.uvicorn_ws:PageWebSocket", "--ws-ping-interval", "1", "--ws-ping-timeout", "1")


class Bystander:
    """A page of another session, which goes on whatever happens."""

    def __init__(self, client: JupyterClient, socket: ClientConnection) -> None:
        self.client = client
        self._socket = socket
        self._clicks = 0
        self._button = ""
        self.comms: list[str] = []
        """Those of the bystander's widgets."""

    async def begin(self) -> None:
        """Find the button."""
        said = await ask(self._socket, message("comm_info_request"))
        (reply,) = (answer for answer in said if answer["header"]["msg_type"] == "comm_info_reply")
        self.comms = sorted(reply["content"]["comms"])
        for comm_id in self.comms:
            event = {"comm_id": comm_id, "data": {"method": "custom", "content": {"event": "click"}}}
            if "1 clicks" in json.dumps(await ask(self._socket, message("comm_msg", event))):
                self._button, self._clicks = comm_id, 1
                return
        raise AssertionError("no button")

    async def click(self) -> None:
        """Click the button, and see the answer."""
        self._clicks += 1
        event = {"comm_id": self._button, "data": {"method": "custom", "content": {"event": "click"}}}
        async with asyncio.timeout(10):
            said = await ask(self._socket, message("comm_msg", event))
        assert f"{self._clicks} clicks" in json.dumps(said), said


class Gauges(NamedTuple):
    """What is alive; all of it is as it was, after an attack."""

    kernels: Mapping[str, int]
    row: Mapping[str, int]
    sockets: int
    workers: Mapping[str, int]
    zombies: int
    open_files: int


class Arena:
    """A served app, and the bystander on it."""

    def __init__(self, server: ServerProcess, base: str, bystander: Bystander) -> None:
        self.server = server
        self.url = server.url
        self.base = base
        self.bystander = bystander
        self.host = server.url.removeprefix("http://")
        self._secrets = [bystander.client.kernel_id, *bystander.client.http.cookies.values(), TOKEN, KEY]
        self._read = 0
        self.baseline: Gauges | None = None

    async def begin(self) -> None:
        """Remember how everything is."""
        await self.bystander.click()
        await self.gauges()  # the first look opens what the next one finds open
        self.baseline = await self.gauges()
        assert self.baseline.row["rows"] == 1

    async def rows(self) -> list[dict[str, Any]]:
        """The kernels that there are."""
        http = self.bystander.client.http
        rows: list[dict[str, Any]] = (await http.get(f"{self.base}resourcez")).json()["kernel"]
        return rows

    # What attacks are made of

    @asynccontextmanager
    async def attacker(self) -> AsyncIterator[JupyterClient]:
        """A session of the attacker's, with a page that has been loaded."""
        async with JupyterClient(self.url, base=self.base) as client:
            self._secrets += [client.kernel_id, *client.http.cookies.values()]
            yield client

    async def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """A request for a path below the mount, as it is given."""
        length = {"Content-Length": str(len(body))} if body else {}
        data = head(method, self.base + path, {"Host": self.host, **length, **(headers or {})})
        return await exchange(self.url, data + body)

    def channels(self, client: JupyterClient, *, kernel_id: str | None = None, page_id: str = "page") -> str:
        """The path of a websocket."""
        return f"{client.kernel_path(kernel_id)}/channels?session_id={page_id}&location=/"

    async def shake(self, target: str, **headers: str | None) -> Answer:
        """What a handshake is answered with."""
        return await exchange(self.url, head("GET", target, handshake(Host=self.host, **headers)))

    @asynccontextmanager
    async def websocket(
        self, client: JupyterClient, *, page_id: str = "page", **headers: str | None
    ) -> AsyncIterator[RawSocket]:
        """A websocket of the attacker's own, on which all may be sent."""
        async with dialled(self.url) as (reader, writer):
            fields = handshake(Host=self.host, Cookie=client.cookie(), **headers)
            writer.write(head("GET", self.channels(client, page_id=page_id), fields))
            accepted = await answer(reader)
            assert accepted.status == httpx2.codes.SWITCHING_PROTOCOLS, accepted
            yield RawSocket(reader, writer)

    # What is looked at afterwards

    async def gauges(self) -> Gauges:
        """What is alive now."""
        http = self.bystander.client.http
        token = {"Authorization": f"Bearer {TOKEN}"}
        data = (await http.get(f"{self.base}resourcez?verbose", headers=token)).json()
        (row, *others) = data["kernel"] or [{}]
        rows = len(others) + bool(row)
        return Gauges(
            kernels={name: value for name, value in _numbers(data["kernels"]).items() if not name.endswith("_total")},
            row={"rows": rows, **{name: value for name, value in _numbers(row).items() if "seconds" not in name}},
            sockets=data["websocket"]["open"],
            workers={name: data["threads"]["workers"][name] for name in ("busy", "queued", "stuck")},
            zombies=data["leaks"]["zombies"] + len(data["zombies"]),
            open_files=data["process"]["open_files"],
        )

    async def check(self, upstream: str = "nothing") -> None:
        """Nothing has come of it: the server is up, the bystander goes on, the log is clean, and nothing is left.

        Args:
            upstream: The error of the web server's own that the log may have a traceback of.
        """
        assert self.server.process.poll() is None, "the server has ended"
        await self.bystander.click()
        await wait_until(self._is_as_before, 20, f"the gauges of before: {self.baseline}")
        new = self.unread()
        assert len(TROUBLE.findall(new)) == new.count(f"\n{upstream}"), new
        assert [secret for secret in self._secrets if secret in new] == [], new
        assert "\x1b" not in new

    def unread(self) -> str:
        """What the log has to say since the last time."""
        log = self.server.log_text()
        new, self._read = log[self._read :], len(log)
        return new

    async def _is_as_before(self) -> bool:
        now = await self.gauges()
        if now != self.baseline:
            self.last = now
        return now == self.baseline


def _numbers(values: Mapping[str, Any]) -> dict[str, int]:
    return {name: value for name, value in values.items() if isinstance(value, int)}


Attack = Callable[[Arena], Awaitable[object]]
