"""The two systems: how each is served by its own command line, and how a page of each is opened, used and left.

Everything goes through the real server: the page over HTTP, the kernel over the page's websocket, and the close by the
beacon that the system's own frontend sends when its page goes.
"""

import json
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final, Protocol
from urllib.parse import urlencode

from benchmarks.support.client import Channel, Json, request
from benchmarks.support.process import BenchmarkFailed
from benchmarks.support.stream import Stream

Dial = Callable[[str, str, Stream | None], Awaitable[Channel]]
"""Opens the websocket at an address, with cookies; of a page of ours with its stream."""

ONE_ADDRESS: Final = {"SOLARA_KERNEL_MAX_ISSUE_RATE": "0"}
"""Settings for ours: all pages of a benchmark come from one address, and faster than persons do."""


class Address(Protocol):
    """Where a server listens."""

    @property
    def host(self) -> str:
        """Its address."""

    @property
    def port(self) -> int:
        """Its port."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A page of ours that was loaded and has not connected yet."""

    url: str
    """Of its websocket."""
    cookies: str
    beacon: str


@dataclass(frozen=True, slots=True)
class OpenPage:
    """One page that a browser would have open: a session, a kernel and a websocket of its own."""

    channel: Channel
    slider: str
    url: str
    """Of its websocket."""
    cookies: str
    beacon: str


class Side(ABC):
    """A system under test.

    Args:
        pages: The folder with the page, as an app of each system.
        dial: How to open websockets.
    """

    name: ClassVar[str]
    env: ClassVar[Mapping[str, str]] = {}

    def __init__(self, pages: Path, dial: Dial = Channel.open) -> None:
        self._pages = pages
        self._dial = dial

    @property
    @abstractmethod
    def command(self) -> list[str]:
        """What serves the page: `MODULE:MAIN` and its arguments."""

    async def open(self, server: Address) -> OpenPage:
        """Open a page, receive its widgets, move its slider, and see the answer."""
        page = await self.connect(server)
        await page.channel.tell_comm(page.slider, {"method": "update", "state": {"value": 42}, "buffer_paths": []})
        await page.channel.until(lambda data: data.get("state") == {"value": "42 squared is 1764"})
        return page

    async def leave(self, server: Address, page: OpenPage) -> None:
        """What a browser does when its tab is closed: the beacon, then the websocket ends."""
        headers = {"Cookie": page.cookies}
        await request("POST", server.host, server.port, page.beacon, headers)
        await page.channel.leave()

    @abstractmethod
    async def connect(self, server: Address) -> OpenPage:
        """Load the page, open its websocket, and wait until its function has run."""


class Ours(Side):
    name = "solara_ctx"
    env: ClassVar[Mapping[str, str]] = {
        "SOLARA_WEBSOCKET_MAX_RATE": "0",  # no person moves a slider 4,000 times a second
        "SOLARA_KERNEL_MAX_ISSUE_RATE": "0",  # nor has one address thousands of pages
    }

    @property
    def command(self) -> list[str]:
        """Its own command line."""
        return ["solara_ctx.cli:main", "run", str(self._pages / "ours.py"), "--port", "0"]

    async def issue(self, server: Address) -> Issued:
        """Load the page, no more."""
        response = await request("GET", server.host, server.port, "/")
        found = re.search(r'id="solara-config">(.*?)</script>', response.body, re.DOTALL)
        if found is None:
            raise BenchmarkFailed(f"the page carries no configuration: {response.body[:500]}")
        config = json.loads(found[1])
        kernel, page = f"/api/kernels/{config['kernelId']}", config["pageId"]
        query = urlencode({"session_id": page, "location": "/"})
        url = f"ws://{server.host}:{server.port}{kernel}/channels?{query}"
        return Issued(url, response.cookies(), f"{kernel}/pages/{page}/close")

    async def connect(self, server: Address) -> OpenPage:
        issued = await self.issue(server)
        # As its frontend does: what to show is asked without waiting for the server's welcome.
        stream = Stream()
        channel = await self._dial(issued.url, issued.cookies, stream)
        await channel.open_comm("solara_ctx.page", {})
        answer = await channel.until(lambda data: "run" in data)
        if answer.get("status") != "ok":
            raise BenchmarkFailed(f"the page function has failed: {answer}")
        # As its frontend does: the widgets' states come in one message.
        control = await channel.open_comm("jupyter.widget.control", {})
        await channel.tell_comm(control, {"method": "request_states"})
        states = (await channel.until(lambda data: data.get("method") == "update_states"))["states"]
        slider = next(model for model, state in _items(states) if state["model_name"] == "IntSliderModel")
        stream.shown()
        return OpenPage(channel, slider, issued.url, issued.cookies, issued.beacon)

    async def come_back(self, page: OpenPage) -> OpenPage:
        """What its frontend does when the connection of a page was lost: it goes on where it was, and asks for nothing.

        Raises:
            BenchmarkFailed: it can't go on.
        """
        channel = await self._dial(page.url, page.cookies, page.channel.stream)
        await channel.welcome()
        return replace(page, channel=channel)


class Solara(Side):
    name = "Solara"
    env: ClassVar[Mapping[str, str]] = {
        "SOLARA_TELEMETRY_MIXPANEL_ENABLE": "false"
    }  # a benchmark tells nobody that it runs

    @property
    def command(self) -> list[str]:
        """Its own command line."""
        # Production mode is what its documentation deploys, and what turns its `gc.freeze` on. The version check asks a
        # package index at each start, which has nothing to do with what is measured.
        options = ["--host", "127.0.0.1", "--port", "0", "--production", "--no-open", "--no-check-version"]
        return ["solara.__main__:main", "run", str(self._pages / "solara_app.py"), *options]

    async def connect(self, server: Address) -> OpenPage:
        response = await request("GET", server.host, server.port, "/")
        # Its page makes both ids in the browser.
        kernel, page = str(uuid.uuid4()), str(uuid.uuid4())
        query = urlencode({"session_id": page})
        cookies = response.cookies()
        url = f"ws://{server.host}:{server.port}/jupyter/api/kernels/{kernel}/channels?{query}"
        channel = await self._dial(url, cookies, None)
        comm = await channel.open_comm("solara.control", {})
        await channel.tell_comm(comm, {"method": "run", "args": {"path": "", "dark": False}})
        await channel.until(lambda data: data.get("method") == "finished")
        # As its frontend does: each widget has come in a message of its own.
        slider = await channel.model("IntSliderModel")
        return OpenPage(channel, slider, url, cookies, f"/_solara/api/close/{kernel}?{query}")


def _items(states: object) -> list[tuple[str, Json]]:
    return [(str(model), state) for model, state in states.items()] if isinstance(states, dict) else []
