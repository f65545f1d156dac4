"""What bounds a page: the size of a frame, messages that wait, bytes that wait to be sent."""

import asyncio
import contextlib
import json
import secrets
import threading
from collections.abc import Awaitable, Callable
from functools import partial

import httpx2
import ipywidgets as widgets
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.exceptions import ConnectionClosed

from integration.support.protocol import JupyterClient, ask, message, until_idle
from integration.support.threaded import ServerThread
from integration.support.waiting import wait_until
from solara_ctx import KernelApp, Settings

ServeHere = Callable[..., Awaitable[ServerThread]]


async def serve_page(
    serve_here: ServeHere, page: Callable[[], widgets.Widget | None], **settings: object
) -> tuple[ServerThread, KernelApp]:
    app = await asyncio.to_thread(KernelApp, page, settings=Settings(**settings))
    host = Starlette(routes=[Mount("/", app)], lifespan=app.lifespan)
    return await serve_here(host, ws="websockets-sansio"), app


async def test_a_frame_that_is_too_big_ends_the_connection(serve_here: ServeHere) -> None:
    """At the limit it is handled, above it the connection ends with 1009, and the kernel lives on."""
    server, app = await serve_page(serve_here, lambda: None, websocket_max_frame=2000)
    async with JupyterClient(server.url) as client:
        async with client.websocket() as socket:
            request = message("kernel_info_request", {"padding": ""})
            request["content"]["padding"] = "x" * (2000 - len(json.dumps(request)))
            assert len(json.dumps(request)) == 2000
            assert await ask(socket, request)
            request["content"]["padding"] += "x"
            await socket.send(json.dumps(request))
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (1009, "too-big")
        async with client.websocket() as socket:
            assert await ask(socket, message("kernel_info_request"))
        assert len(app.registry) == 1


async def test_a_page_that_asks_faster_than_its_kernel_answers_is_held_back(serve_here: ServeHere) -> None:
    """The messages that wait stay within the limit, the rest waits with the sender; none is lost, in order."""
    go_on = threading.Event()

    def patient() -> None:
        go_on.wait(20)

    server, app = await serve_page(serve_here, patient, kernel_mailbox_limit=4)
    requests = [message("kernel_info_request") for _ in range(300)]
    async with JupyterClient(server.url) as client, client.websocket() as socket:
        sending = asyncio.create_task(send_all(socket.send, requests))
        (context,) = await wait_until(lambda: list(app.registry.values()))
        await wait_until(lambda: server.call(lambda: context.stats().mailbox_depth >= 4))
        assert await server.call(lambda: context.stats().mailbox_depth) == 4
        go_on.set()
        await sending
        await until_idle(socket, requests[-1]["header"]["msg_id"])
        assert await server.call(lambda: context.stats().mailbox_depth) == 0


async def test_a_page_that_sends_too_fast_loses_its_connection(serve_here: ServeHere) -> None:
    """A burst is handled; one that goes on like that is cut off, with a reason, and the kernel and others live on."""
    server, app = await serve_page(serve_here, lambda: None, websocket_max_rate=100)
    async with JupyterClient(server.url) as client, JupyterClient(server.url) as other, other.websocket() as beside:
        async with client.websocket() as socket:
            requests = [message("kernel_info_request") for _ in range(800)]
            await send_all(socket.send, requests[:250])
            await until_idle(socket, requests[249]["header"]["msg_id"])
            with contextlib.suppress(ConnectionClosed):
                await send_all(socket.send, requests[250:])
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (1008, "too-fast")
        assert await ask(beside, message("kernel_info_request"))
        async with client.websocket() as socket:
            assert await ask(socket, message("kernel_info_request"))
        assert len(app.registry) == 2


async def test_a_page_that_comes_back_has_no_burst_to_spend_again(serve_here: ServeHere) -> None:
    """Who was cut off for sending too fast, and who has gone before that, are the same kernel's; others are not."""
    server, app = await serve_page(serve_here, lambda: None, websocket_max_rate=1)
    requests = [message("kernel_info_request") for _ in range(200)]
    async with JupyterClient(server.url) as client, JupyterClient(server.url) as other:
        async with client.websocket() as socket:
            await send_all(socket.send, requests)
            await until_idle(socket, requests[-1]["header"]["msg_id"])
        async with client.websocket() as socket:
            with contextlib.suppress(ConnectionClosed):
                await send_all(socket.send, requests)
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == (1008, "too-fast")
        async with other.websocket() as socket:
            assert await ask(socket, message("kernel_info_request"))
        assert len(app.registry) == 2


async def send_all(send: Callable[[str], Awaitable[None]], requests: list[dict[str, object]]) -> None:
    for request in requests:
        await send(json.dumps(request))


async def test_a_page_that_does_not_read_loses_its_connection(serve_here: ServeHere) -> None:
    """What waits for it stays within the limit; it is told to come back, and the other page is not harmed."""
    closing = threading.Event()

    def talkative() -> widgets.Widget:
        label = widgets.Label()

        def talk() -> None:
            while not closing.wait(0.01):
                label.value = secrets.token_hex(25_000)  # which no compression makes smaller

        threading.Thread(target=talk, daemon=True).start()
        return label

    server, app = await serve_page(serve_here, talkative, kernel_outbox_limit="2MB")
    async with JupyterClient(server.url) as client:
        async with client.websocket(page_id="reads") as reads, client.websocket(page_id="sleeps") as sleeps:
            sleeps.transport.pause_reading()
            reading = asyncio.create_task(read_on(reads))
            (context,) = app.registry.values()
            await wait_until(lambda: context.page_status["sleeps"] == "disconnected", 20)
            assert context.page_status["reads"] == "connected"
            assert await server.call(lambda: context.stats().outbox_bytes) <= 2_100_000
            sleeps.transport.resume_reading()  # within the grace that it has to hear why
            await sleeps.wait_closed()
            assert (sleeps.close_code, sleeps.close_reason) == (1013, "overloaded")
            closing.set()
            reading.cancel()
        async with client.websocket(page_id="sleeps") as again:
            assert await ask(again, message("kernel_info_request"))


async def read_on(socket: object) -> None:
    async for _frame in socket:  # type: ignore[attr-defined]
        pass


async def test_one_address_loads_pages_no_faster_than_allowed(serve_here: ServeHere) -> None:
    """A burst, and then 429: for pages and the REST API. Another address, and a page that is there, are not harmed."""
    server, app = await serve_page(serve_here, lambda: None, kernel_max_issue_rate=1)
    greedy = {"X-Forwarded-For": "203.0.113.7"}  # which uvicorn believes, from this machine
    async with (
        httpx2.AsyncClient(base_url=server.url, headers=greedy) as http,
        JupyterClient(server.url) as bystander,
        bystander.websocket() as socket,
    ):
        issued = [(await http.post("/api/kernels")).status_code for _ in range(300)]
        assert issued == [httpx2.codes.CREATED] * 300
        refused = await until_refused(partial(http.post, "/api/kernels"))
        assert refused.json()["reason"] == "too-many-pages"
        page = await until_refused(partial(http.get, "/"))
        assert "tries again by itself" in page.text
        assert refused.headers["retry-after"] == page.headers["retry-after"] == "5"
        assert await ask(socket, message("kernel_info_request"))
        await bystander.open_page()
        assert len(app.registry) == 1
        assert (await bystander.http.get("/resourcez")).json()["kernels"]["refused_total"] == 2


async def until_refused(ask_once: Callable[[], Awaitable[httpx2.Response]]) -> httpx2.Response:
    """Ask until it is too fast: each second that goes by lets one more through."""
    async with asyncio.timeout(20):
        while (answer := await ask_once()).status_code != httpx2.codes.TOO_MANY_REQUESTS:
            pass
    return answer
