"""The protocol of our own pages, word by word, and what becomes of a page that does not keep to it."""

import asyncio
import json
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import ipywidgets as widgets
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from integration.support.protocol import JupyterClient, message
from integration.support.resuming import RESUME, ResumingPage, framed
from integration.support.threaded import ServerThread
from integration.support.waiting import wait_until
from solara_ctx import KernelApp, Settings, VirtualKernelContext

pytestmark = pytest.mark.covered

ServeHere = Callable[..., Awaitable[ServerThread]]
SERVERS = pytest.mark.parametrize("ws", ["websockets-sansio", "solara_ctx.web.uvicorn_ws:PageWebSocket"])


async def serve_page(
    serve_here: ServeHere,
    page: Callable[[], widgets.Widget | None] = lambda: None,
    ws: str = "websockets-sansio",
    **settings: object,
) -> tuple[ServerThread, KernelApp]:
    app = await asyncio.to_thread(KernelApp, page, settings=Settings(**settings))
    return await serve_here(Starlette(routes=[Mount("/", app)], lifespan=app.lifespan), ws=ws), app


@SERVERS
@pytest.mark.parametrize("by_header", [True, False], ids=["by header", "by address"])
async def test_a_page_goes_on_where_it_was(serve_here: ServeHere, ws: str, *, by_header: bool) -> None:
    """Also where a proxy drops the header: what it has not seen comes again, what the server has seen is counted."""
    server, _app = await serve_page(serve_here, ws=ws)
    async with JupyterClient(server.url) as client:
        page = ResumingPage(client)
        async with page.connection(by_header=by_header) as socket:
            assert socket.subprotocol == (RESUME if by_header else None)
            assert (page.welcome["seen"], page.welcome["from"], page.welcome["resync"]) == (0, 0, None)
            await page.ask()
        said = len(page.messages)
        page.seen -= 2  # as if the last two had been lost
        async with page.connection(by_header=by_header):
            assert (page.welcome["seen"], page.welcome["from"], page.welcome["resync"]) == (1, said - 2, None)
            await page.ask()
        assert page.messages[said : said + 2] == page.messages[said - 2 : said]


async def test_what_is_said_while_a_page_is_away_comes_when_it_is_back(serve_here: ServeHere) -> None:
    """All of it, in order, and nothing of before."""
    server, app = await serve_page(serve_here)
    async with JupyterClient(server.url) as client:
        away, there = ResumingPage(client, "away"), ResumingPage(client, "there")
        async with away.connection():
            await away.ask()
        (context,) = app.registry.values()
        await wait_until(lambda: context.page_status["away"] == "disconnected")
        said = len(away.messages)
        async with there.connection():
            await there.ask()  # whose "busy" and "idle" every page of the kernel hears
            await there.ask()
        async with away.connection():
            await away.ask()
        states = [content_state(frame) for frame in away.messages[said:]]
        assert states == ["busy", "idle"] * 2 + ["busy", None, "idle"]


def content_state(frame: bytes) -> str | None:
    return next((state for state in ("busy", "idle") if f'"{state}"'.encode() in frame), None)


async def test_a_page_that_is_away_for_too_long_takes_everything_anew(serve_here: ServeHere) -> None:
    """And is told why; its own messages still count once."""
    server, app = await serve_page(serve_here, replay_max_age="1ms")
    async with JupyterClient(server.url) as client:
        page = ResumingPage(client)
        async with page.connection():
            await page.ask()
        (context,) = app.registry.values()
        await wait_until(lambda: server.call(lambda: not listens(context)))
        async with page.connection():
            assert (page.welcome["seen"], page.welcome["resync"]) == (1, "too-long")
            await page.ask()


def listens(context: Any) -> bool:
    return bool(context.page_sink("page").is_listening)


def queued_for(context: VirtualKernelContext, page_id: str) -> int:
    sink = context.page_sink(page_id)
    return 0 if sink is None else sink.queued_bytes


async def test_a_slow_page_is_cut_off_and_takes_everything_anew(serve_here: ServeHere) -> None:
    """With 1013; what waits for it stays within the limit, and the others notice nothing."""
    closing = threading.Event()

    def talkative() -> widgets.Widget:
        label = widgets.Label()

        def talk() -> None:
            while not closing.wait(0.005):
                label.value = secrets.token_hex(25_000)  # which no compression makes smaller

        threading.Thread(target=talk, daemon=True).start()
        return label

    server, app = await serve_page(serve_here, talkative, kernel_outbox_limit="2MB", replay_max_size="1MB")
    try:
        async with JupyterClient(server.url) as client:
            slow, other = ResumingPage(client, "slow"), ResumingPage(client, "other")
            async with slow.connection() as socket, other.connection():
                for page in (slow, other):
                    await page.ask(control_open(page.page_id))
                    await page.ask(control_ask(page.page_id))
                socket.transport.pause_reading()
                (context,) = app.registry.values()
                waiting = 0
                while context.page_status["slow"] == "connected":
                    await other.read()
                    # Of that page alone: on a busy machine the other one is late, too.
                    waiting = max(waiting, await server.call(lambda: queued_for(context, "slow")))
                await other.ask()
                assert 1_000_000 < waiting < 2_200_000
                assert context.page_status["other"] == "connected"
                assert await server.call(lambda: context.stats().outbox_bytes) < 1_100_000
                socket.transport.resume_reading()  # within the grace that it has to hear why
                assert await slow.read_to_the_end() == (1013, "overloaded")
                async with slow.connection():
                    assert slow.welcome["resync"] == "overloaded"
                    assert slow.welcome["seen"] == 2
                    await slow.ask()
    finally:
        closing.set()


def control_open(comm_id: str) -> dict[str, Any]:
    content = {"comm_id": comm_id, "target_name": "jupyter.widget.control", "data": {}}
    return message("comm_open", content, metadata={"version": "1.0.0"})


def control_ask(comm_id: str) -> dict[str, Any]:
    return message("comm_msg", {"comm_id": comm_id, "data": {"method": "request_states"}})


async def test_a_page_that_is_gone_without_a_word_is_cut_off(serve_here: ServeHere) -> None:
    """One that answers the pings of its websocket stays, though its scripts say nothing."""
    ws = "solara_ctx.web.uvicorn_ws:PageWebSocket"
    server, app = await serve_page(serve_here, ws=ws, websocket_ping_interval="100ms", websocket_ping_timeout="200ms")
    async with JupyterClient(server.url) as client:
        gone, there = ResumingPage(client, "gone"), ResumingPage(client, "there")
        async with gone.connection() as socket, there.connection():
            assert gone.welcome["silence"] == pytest.approx(0.3)
            (context,) = app.registry.values()
            socket.transport.pause_reading()
            while context.page_status["gone"] == "connected":
                await there.word("alive")
            assert context.page_status["there"] == "connected"
        async with gone.connection():
            assert gone.welcome["resync"] is None


@SERVERS
async def test_a_long_message_is_not_taken_for_silence(serve_here: ServeHere, ws: str) -> None:
    """An upload may take longer than a ping and its answer."""
    server, _app = await serve_page(serve_here, ws=ws, websocket_ping_interval="100ms", websocket_ping_timeout="200ms")
    async with JupyterClient(server.url) as client:
        page = ResumingPage(client)
        async with page.connection() as socket:
            request = framed(message("kernel_info_request"))

            async def in_pieces() -> AsyncIterator[bytes]:
                for start in range(0, len(request), 100):
                    yield request[start : start + 100]
                    await page.word("alive")

            await socket.send(in_pieces())
            await page.say(type="ping")
            assert (await page.word("ack"))["seen"] == 1


@SERVERS
async def test_the_pings_of_the_server_are_left_alone_where_ours_are_off(serve_here: ServeHere, ws: str) -> None:
    """Somebody has to find out."""
    server, _app = await serve_page(serve_here, ws=ws, websocket_ping_interval="0")
    async with JupyterClient(server.url) as client:
        page = ResumingPage(client)
        async with page.connection():
            assert page.welcome["silence"] is None
            connections = await server.call(lambda: server.connections)
            assert [one.ping_timer for one in connections if hasattr(one, "ping_timer")] != [None]


async def test_the_server_answers_a_ping_and_acknowledges(serve_here: ServeHere) -> None:
    """Also in the midst of a callback that takes its time."""
    go_on = threading.Event()

    def patient() -> None:
        go_on.wait(20)

    server, _app = await serve_page(serve_here, patient)
    async with JupyterClient(server.url) as client:
        page = ResumingPage(client)
        async with page.connection() as socket:
            await socket.send(framed(message("kernel_info_request")))
            await page.say(type="ping")
            assert await page.word("ack") == {"type": "ack", "seen": 1}
            for _ in range(64):
                await socket.send(framed(message("kernel_info_request")))
            assert await page.word("ack") == {"type": "ack", "seen": 65}
            go_on.set()


BAD: dict[str, tuple[list[str | bytes], tuple[int, str]]] = {
    "no hello": ([framed(message("kernel_info_request"))], (1007, "no-hello")),
    "another word first": ([json.dumps({"type": "ping"})], (1007, "no-hello")),
    "no word at all": (["hello"], (1007, "no-hello")),
    "a lie about the past": ([json.dumps({"type": "hello", "stream": None, "seen": -1})], (1007, "no-hello")),
    "a second hello": ([json.dumps({"type": "hello", "stream": None, "seen": 0})] * 2, (1008, "second-hello")),
    "an ack of what was never sent": (
        [json.dumps({"type": "hello", "stream": None, "seen": 0}), json.dumps({"type": "ack", "seen": 10**9})],
        (1008, "bad-ack"),
    ),
    "no word later": (
        [json.dumps({"type": "hello", "stream": None, "seen": 0}), "x" * 5000],
        (1007, "malformed-frame"),
    ),
    "no message": (
        [json.dumps({"type": "hello", "stream": None, "seen": 0}), b"\x00" * 50],
        (1007, "malformed-frame"),
    ),
}


@pytest.mark.parametrize("bad", BAD)
async def test_who_does_not_keep_to_the_protocol_is_cut_off(serve_here: ServeHere, bad: str) -> None:
    """With a code and a reason; the kernel lives on, and the page may begin anew."""
    frames, end = BAD[bad]
    server, app = await serve_page(serve_here)
    async with JupyterClient(server.url) as client:
        async with client.websocket(page_id="page", subprotocols=[RESUME]) as socket:
            for frame in frames:
                await socket.send(frame)
            await socket.wait_closed()
            assert (socket.close_code, socket.close_reason) == end
        page = ResumingPage(client)
        async with page.connection():
            assert page.welcome["from"] == 0
            await page.ask()
        assert len(app.registry) == 1


async def test_a_newer_connection_that_says_nothing_leaves_no_page_without_a_status(serve_here: ServeHere) -> None:
    """The older one ends at once, and the page comes back: it is connected, and no cull goes on beneath it."""
    server, app = await serve_page(serve_here)
    async with JupyterClient(server.url) as client:
        page = ResumingPage(client)
        async with page.connection():
            await page.ask()
            async with client.websocket(page_id="page", subprotocols=[RESUME]):
                assert await page.read_to_the_end() == (4409, "replaced")
        (context,) = app.registry.values()
        await wait_until(lambda: context.page_status["page"] == "disconnected")
        async with page.connection():
            assert page.welcome["resync"] is None
            await page.ask()
            assert context.page_status["page"] == "connected"
            assert await server.call(lambda: context.stats().seconds_to_cull) is None


async def test_a_page_that_has_kept_much_may_send_it_all_at_once(serve_here: ServeHere) -> None:
    """What it has kept, and what was done meanwhile: that is no flood."""
    server, _app = await serve_page(serve_here, websocket_max_rate=100, replay_max_messages=500)
    async with JupyterClient(server.url) as client:
        page = ResumingPage(client)
        async with page.connection() as socket:
            for _ in range(1000):
                await socket.send(framed(message("kernel_info_request")))
            await page.ask()


async def test_a_page_without_a_hello_hears_of_the_end(serve_here: ServeHere) -> None:
    """As soon as the kernel is closed, not once its time for a hello is over."""
    server, app = await serve_page(serve_here)
    async with JupyterClient(server.url) as client:
        page = ResumingPage(client)
        async with page.connection():
            await page.ask()
        async with client.websocket(page_id="another", subprotocols=[RESUME]) as socket:
            (context,) = app.registry.values()
            await wait_until(lambda: "another" in context.page_status)
            context.close("logged-out")
            await asyncio.wait_for(socket.wait_closed(), 5)
            assert (socket.close_code, socket.close_reason) == (1000, "logged-out")


async def test_a_lie_about_the_past_is_nobodys_cursor(serve_here: ServeHere) -> None:
    """A page that says it has seen more than was sent takes everything anew, instead of being refused for ever."""
    server, _app = await serve_page(serve_here)
    async with JupyterClient(server.url) as client:
        page = ResumingPage(client)
        async with page.connection():
            await page.ask()
        page.seen += 1000
        async with page.connection():
            assert (page.welcome["from"], page.welcome["resync"]) == (len(page.messages), "missing")
            await page.ask()


async def test_another_session_does_not_get_what_is_kept(serve_here: ServeHere) -> None:
    """Though it knows page and stream."""
    server, _app = await serve_page(serve_here)
    async with JupyterClient(server.url) as client, JupyterClient(server.url) as stranger:
        page = ResumingPage(client)
        async with page.connection():
            await page.ask()
        answer = await stranger.refusal(kernel_id=client.kernel_id, page_id="page")
        assert answer.status_code == 403
