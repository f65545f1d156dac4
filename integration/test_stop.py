"""The end of the server, whatever its pages do."""

import asyncio
import contextlib
import re
import signal
from collections import Counter

import pytest

from integration.conftest import Launch, Serve
from integration.support.protocol import JupyterClient, ask, message
from integration.support.resuming import ResumingPage
from integration.support.stuck import is_stuck, page_that_reads_nothing
from integration.support.waiting import wait_until
from solara_ctx.clock import PER_TURN

pytestmark = pytest.mark.covered


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


async def test_pages_are_told_when_to_come_back_each_at_a_time_of_its_own(serve: Serve) -> None:
    """So that the next server is not asked by all of them at once."""
    server = await serve("integration.support.apps.reasons:app")
    async with contextlib.AsyncExitStack() as stack:
        pages = []
        for number in range(20):
            client = await stack.enter_async_context(JupyterClient(server.url))
            page = ResumingPage(client, f"page-{number}")
            await stack.enter_async_context(page.connection())
            await client.http.aclose()
            pages.append(page)
        server.process.send_signal(signal.SIGTERM)
        for page in pages:
            assert await asyncio.wait_for(page.read_to_the_end(), 10) == (1001, "server-shutdown")
        delays = [page.words[-1]["delay"] for page in pages]
    await server.stop()
    assert all(0.5 <= delay <= 0.5 + 20 / 100 for delay in delays)
    assert max(delays) - min(delays) > 0.05
