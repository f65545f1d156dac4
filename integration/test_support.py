"""The tools of these tests, tried on an app that is not the package's: a tool that sees no fault finds none."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from integration.conftest import Serve
from integration.support.server import ServerProcess, uvicorn_command
from integration.support.threaded import ServerThread
from integration.support.waiting import wait_until
from integration.support.watch import Watch

STRANGE = """
<title>strange</title>
<img src="http://elsewhere.invalid/x.png">
<script>new WebSocket("ws://elsewhere.invalid"); console.error("oh"); throw Error("ah")</script>
"""


async def ready(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.app.state.answer)


async def fail(_request: Request) -> PlainTextResponse:
    raise RuntimeError("provoked")


async def strange(_request: Request) -> HTMLResponse:
    return HTMLResponse(STRANGE)


app = Starlette(routes=[Route("/readyz", ready), Route("/fail", fail), Route("/strange", strange)])
app.state.answer = "yes"


async def test_wait_until_returns_the_true_value() -> None:
    """What was waited for is what comes back."""
    answers = iter([0, 0, 7])
    assert await wait_until(lambda: next(answers)) == 7


async def test_wait_until_names_what_did_not_come() -> None:
    """A deadline that passes says what was waited for."""
    with pytest.raises(AssertionError, match=r"not within 0 s: the cows"):
        await wait_until(lambda: False, 0, "the cows")


async def test_a_server_of_its_own_answers_and_ends_by_sigterm(serve: Serve) -> None:
    """The server is ready when the fixture says so, and SIGTERM ends it in order."""
    server = await serve("integration.test_support:app")
    assert server.url.startswith("http://127.0.0.1:")
    assert await server.stop() in {0, -15}
    assert "Finished server process" in server.log_text()


async def test_a_traceback_in_the_log_is_a_complaint(serve: Serve, page: Page, watch: Watch) -> None:
    """No test passes over a server that logged a traceback, unless it says so."""
    watch.allow("500")
    server = await serve(Path(__file__))
    await page.goto(f"{server.url}/fail")
    await wait_until(server.complaints, what="the traceback in the log")
    server.allow_traceback = True
    assert server.complaints() == []


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The log of a server that ended early is in the failure."""
    server = ServerProcess(uvicorn_command("integration.nothing:app"), tmp_path / "log")
    with pytest.raises(AssertionError, match=r"(?s)ended with status 3:.*Could not import"):
        await server.ready("/readyz")


async def test_a_server_in_this_process_shares_its_objects(
    serve_here: Callable[..., Awaitable[ServerThread]], page: Page
) -> None:
    """What the test changes in the app, the server in the thread serves."""
    server = await serve_here(app)
    answers = []
    for answer in ("one", "two"):
        await server.call(partial(setattr, app.state, "answer", answer))
        await page.goto(f"{server.url}/readyz")
        answers.append(await page.inner_text("body"))
    assert answers == ["one", "two"]


async def test_what_a_page_complains_of_is_seen(
    serve_here: Callable[..., Awaitable[ServerThread]], page: Page, watch: Watch
) -> None:
    """Console errors, uncaught errors and requests to foreign hosts, and nothing else."""
    server = await serve_here(app)
    await page.goto(f"{server.url}/strange")
    await wait_until(lambda: len(watch.complaints()) >= 6, what="six complaints")
    assert sorted(text.split(":")[0] for text in watch.complaints()) == [
        "console error",
        "console error",  # the browser's own, for the image that did not load
        "console error",  # the same for the websocket
        "foreign host",
        "foreign host",
        "page error",
    ]
    watch.allow("")
