"""Browser pages without a browser and without a network: they speak ASGI with a real `KernelApp`."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar

import httpx2
from starlette.types import Message, Scope

from solara_ctx import KernelApp, Settings, VirtualKernelContext
from solara_ctx.web.pages import AnyPages
from tests.support.fakes import PATIENCE_S
from tests.support.kernels import Json, decode, request

T = TypeVar("T")
CONFIG = re.compile(r'id="solara-config">(.*?)</script>', re.DOTALL)


class Visit:
    """One page of one browser session.

    Attributes:
        closed: The close code and reason that the page was sent; `None` before.
        http: The browser's own client, with its cookie.
        reading: Cleared while the page takes nothing of what it is sent.
        heard: The messages that the page was sent, but for busy and idle.
    """

    def __init__(self, app: KernelApp) -> None:
        self.kernel_id = self.page_id = ""
        self._location = "/"
        self.closed: tuple[int, str] | None = None
        self.heard: list[Json] = []
        self._app = app
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://testserver")
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._news = asyncio.Event()
        self._accepted = False
        self._connection: asyncio.Task[None] | None = None
        self._through = asyncio.Event()
        self._through.set()
        self.reading = asyncio.Event()
        self.reading.set()

    @property
    def connection(self) -> "asyncio.Task[None]":
        """The server's side of the websocket.  Don't keep it."""
        assert self._connection is not None
        return self._connection

    @property
    def context(self) -> VirtualKernelContext:
        """The page's kernel.  Don't keep it."""
        return self._app.registry[self.kernel_id]

    async def load(self, path: str = "/") -> Self:
        """Load the HTML."""
        self._location = path
        response = await self.http.get(path)
        found = CONFIG.search(response.text)
        assert found is not None, response.text
        config = json.loads(found[1])
        self.kernel_id, self.page_id = config["kernelId"], config["pageId"]
        return self

    async def connect(self) -> Self:
        """Open the websocket; the kernel starts with the first."""
        self._to_app = asyncio.Queue()
        self._accepted, self.closed = False, None
        self._to_app.put_nowait({"type": "websocket.connect"})
        self._connection = asyncio.create_task(self._app(self._scope(), self._to_app.get, self._take))
        self._connection.add_done_callback(self._ended)
        self._through.clear()
        await self.until(lambda: self._accepted or self.closed is not None)
        return self

    def model_id(self, description: str) -> str:
        """The model of the button of that description."""
        widgets = self.context.widgets
        (found,) = (key for key, widget in widgets.items() if getattr(widget, "description", None) == description)
        return found

    async def shown(self) -> Json:
        """Ask what to show, and wait for the answer: the page function has run."""
        comm_id = uuid.uuid4().hex
        self.say("comm_open", {"comm_id": comm_id, "target_name": "solara_ctx.page", "data": {}})
        return await self.answer(comm_id)

    async def answer(self, comm_id: str) -> Json:
        """Wait for the next message of a comm, and take it off the list."""

        def found() -> Json | None:
            for message in self.heard:
                if message["header"]["msg_type"] == "comm_msg" and message["content"]["comm_id"] == comm_id:
                    return message
            return None

        message = await self.until(found)
        self.heard.remove(message)
        data: Json = message["content"]["data"]
        return data

    async def states(self) -> Json:
        """The state of every widget, as a page loads it."""
        comm_id = uuid.uuid4().hex
        opening = {"comm_id": comm_id, "target_name": "jupyter.widget.control", "data": {}}
        self.say("comm_open", opening, metadata={"version": "1.0.0"})
        self.say("comm_msg", {"comm_id": comm_id, "data": {"method": "request_states"}})
        states: Json = (await self.answer(comm_id))["states"]
        return states

    def say(self, msg_type: str, content: Json, **more: Any) -> None:
        """Send a message to the kernel."""
        self._to_app.put_nowait({"type": "websocket.receive", "text": request(msg_type, content, **more)})

    async def click(self, description: str) -> None:
        """Click a button, and wait until the kernel is through with it."""
        event = {"method": "custom", "content": {"event": "click"}}
        self.say("comm_msg", {"comm_id": self.model_id(description), "data": event})
        await self.shown()

    async def leave(self) -> None:
        """Send the beacon of a page that is navigated away from."""
        response = await self.http.post(f"/api/kernels/{self.kernel_id}/pages/{self.page_id}/close")
        assert response.status_code == httpx2.codes.NO_CONTENT

    def vanish(self) -> None:
        """Lose the connection."""
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def disconnected(self) -> None:
        """Wait until the server is through with the connection."""
        async with asyncio.timeout(PATIENCE_S):
            await self._through.wait()

    async def end(self) -> None:
        """Let go of the browser's side."""
        self.vanish()
        await self.disconnected()
        await self.http.aclose()

    async def until(self, condition: Callable[[], T | None]) -> T:
        """Wait until what the page has been sent fulfils *condition*."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := condition()):
                self._news.clear()
                await self._news.wait()
        return found

    def _ended(self, connection: "asyncio.Task[None]") -> None:
        self._connection = None
        self._through.set()
        if not connection.cancelled():
            connection.result()  # asyncio logs what the server should not have let out

    def _scope(self) -> Scope:
        cookie = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        return {
            "type": "websocket",
            "path": f"/api/kernels/{self.kernel_id}/channels",
            "query_string": f"session_id={self.page_id}&location={self._location}".encode(),
            "headers": [(b"host", b"testserver"), (b"cookie", cookie.encode())],
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }

    async def _take(self, message: Message) -> None:
        await self.reading.wait()
        match message["type"]:
            case "websocket.accept":
                self._accepted = True
            case "websocket.send":
                said = decode(message.get("text") or message["bytes"])
                if said["header"]["msg_type"] != "status":
                    self.heard.append(said)
            case "websocket.close":
                self.closed = (message["code"], message["reason"])
        self._news.set()


class Site:
    """A `KernelApp` that is being served, and its visitors."""

    def __init__(self, app: KernelApp) -> None:
        self.app = app
        self._visits: list[Visit] = []

    async def visit(self, path: str = "/", *, wait: bool = True) -> Visit:
        """Open a page with a kernel of its own; with *wait*, until its page function has run."""
        visit = Visit(self.app)
        self._visits.append(visit)
        await (await visit.load(path)).connect()
        if wait:
            await visit.shown()
        return visit

    async def forget(self, visit: Visit) -> None:
        """Let a visitor go."""
        self._visits.remove(visit)
        await visit.end()

    async def end(self) -> None:
        """Let all visitors go."""
        for visit in self._visits:
            await visit.end()


@asynccontextmanager
async def serving(page: AnyPages, **settings: object) -> AsyncIterator[Site]:
    """A started app; at the end every kernel is closed, and everybody leaves."""
    # In a thread, because it reads the frontend's manifest.
    app = await asyncio.to_thread(KernelApp, page, settings=Settings(**settings))
    async with started(app) as site:
        yield site


@asynccontextmanager
async def started(app: KernelApp) -> AsyncIterator[Site]:
    """The same for an app that is there already."""
    site = Site(app)
    async with app.lifespan():
        yield site
    await site.end()
