"""A Jupyter client of the tests' own: a session cookie, an issued kernel id, and a websocket that speaks messages."""

import base64
import json
import re
import struct
import uuid
from types import TracebackType
from typing import Any, Self

import httpx2
from websockets.asyncio.client import ClientConnection, connect

CONFIG = re.compile(r'id="solara-config">(.*?)</script>', re.DOTALL)


class JupyterClient:
    """One browser session without a browser."""

    def __init__(self, url: str, *, base: str = "/") -> None:
        self.url = url
        self.base = base
        self.http = httpx2.AsyncClient(base_url=url)
        self.kernel_id = ""
        self.page_id = ""

    async def __aenter__(self) -> Self:
        await self.open_page()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def open_page(self) -> None:
        """Load the page as a browser does; remember the ids that it carries."""
        response = await self.http.get(self.base)
        assert response.status_code == httpx2.codes.OK, response.text
        found = CONFIG.search(response.text)
        assert found is not None, response.text
        config = json.loads(found[1])
        self.kernel_id, self.page_id = config["kernelId"], config["pageId"]

    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    def kernel_path(self, kernel_id: str | None = None) -> str:
        return f"{self.base}api/kernels/{self.kernel_id if kernel_id is None else kernel_id}"

    def websocket(
        self,
        *,
        kernel_id: str | None = None,
        page_id: str | None = None,
        subprotocols: list[str] | None = None,
        location: str = "/",
    ) -> connect:
        """The page's websocket."""
        return connect(
            self.url.replace("http", "ws", 1) + self._channels(kernel_id, page_id, location),
            additional_headers={"Cookie": self.cookie()},
            subprotocols=subprotocols,  # type: ignore[arg-type]
            max_size=None,
            max_queue=None,  # what a test does not read must not keep it from hearing of the end
            proxy=None,
        )

    async def refusal(
        self,
        *,
        kernel_id: str | None = None,
        page_id: str | None = None,
        cookie: str | None = None,
        origin: str | None = None,
        location: str = "/",
    ) -> httpx2.Response:
        """What a websocket handshake is answered with that has to fail; every part may be replaced by a false one."""
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(uuid.uuid4().bytes).decode(),
            "Cookie": self.cookie() if cookie is None else cookie,
        }
        if origin is not None:
            headers["Origin"] = origin
        async with httpx2.AsyncClient(base_url=self.url) as http:
            return await http.get(self._channels(kernel_id, page_id, location), headers=headers)

    def _channels(self, kernel_id: str | None, page_id: str | None, location: str) -> str:
        page = self.page_id if page_id is None else page_id
        return f"{self.kernel_path(kernel_id)}/channels?session_id={page}&location={location}"


def message(kind: str, content: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A Jupyter message, as a page sends it."""
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "session": "tests",
        "username": "",
        "date": "2026-01-01T00:00:00.000000Z",
        "version": "5.4",
    }
    return {
        "channel": "shell",
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content or {},
        "buffers": [],
        **more,
    }


async def ask(socket: ClientConnection, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Send a message, and collect what the kernel says about it, up to `idle`."""
    await socket.send(json.dumps(request))
    return await until_idle(socket, request["header"]["msg_id"])


async def root_of(socket: ClientConnection) -> str:
    """The model id of the first widget that the page shows, once its page function has run."""
    said = await ask(socket, message("comm_open", {"comm_id": "page", "target_name": "solara_ctx.page", "data": {}}))
    (answer,) = (heard["content"]["data"] for heard in said if heard["header"]["msg_type"] == "comm_msg")
    return str(answer["roots"][0])


async def states_of(socket: ClientConnection) -> dict[str, Any]:
    """What the kernel says of all widgets, by model id; binary values are left out."""
    comm = uuid.uuid4().hex
    opening = {"comm_id": comm, "target_name": "jupyter.widget.control", "data": {}}
    await ask(socket, message("comm_open", opening, metadata={"version": "1.0.0"}))
    await socket.send(json.dumps(message("comm_msg", {"comm_id": comm, "data": {"method": "request_states"}})))
    while True:
        content = decode(await socket.recv())["content"]
        if content.get("comm_id") == comm:
            states: dict[str, Any] = content["data"]["states"]
            return states


def decode(frame: str | bytes) -> dict[str, Any]:
    """A message in Jupyter's default framing, without its binary parts."""
    if isinstance(frame, bytes):
        (count,) = struct.unpack_from("!I", frame)
        begin, end = (*struct.unpack_from(f"!{count}I", frame, 4), len(frame))[:2]
        frame = frame[begin:end].decode()
    decoded: dict[str, Any] = json.loads(frame)
    return decoded


def click(model_id: str) -> dict[str, Any]:
    """The message of a click on a button."""
    return message("comm_msg", {"comm_id": model_id, "data": {"method": "custom", "content": {"event": "click"}}})


async def until_idle(socket: ClientConnection, msg_id: str) -> list[dict[str, Any]]:
    """What the kernel says in answer to a message, up to `idle`."""
    said: list[dict[str, Any]] = []
    while True:
        frame = await socket.recv()
        if isinstance(frame, bytes):
            continue
        answer = json.loads(frame)
        if answer["parent_header"].get("msg_id") != msg_id:
            continue
        said.append(answer)
        if answer["header"]["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
            return said
