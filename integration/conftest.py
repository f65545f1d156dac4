"""Real servers and a real browser. `python3 dev.py test` finds the browser and names it in SOLARA_CTX_CHROMIUM."""

import contextlib
import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, Page, async_playwright, expect

from integration.support.network import BadNetwork
from integration.support.server import ServerProcess, uvicorn_command
from integration.support.threaded import ServerThread
from integration.support.watch import Watch

# A bound for what fails: five seconds, Playwright's own, are too few for a page on a machine that does much else.
expect.set_options(timeout=30_000)

BROWSER_VARIABLE = "SOLARA_CTX_CHROMIUM"
BROWSER_FIXTURES = {"chromium", "browse", "page"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for the whole of integration/: the browser lives on it, and starts once."""
    here = Path(__file__).parent
    for item in items:
        if here not in item.path.parents:
            continue
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if BROWSER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)


class Serve(Protocol):
    async def __call__(
        self,
        app: str | Path,
        *options: str,
        env: Mapping[str, str] | None = None,
        ready: str = "/readyz",
    ) -> ServerProcess:
        """Serve *app* ("module:name", or a file that defines `app`) with uvicorn and its command line *options*."""
        ...


class Launch(Protocol):
    async def __call__(
        self, *command: str, env: Mapping[str, str] | None = None, ready: str = "/readyz"
    ) -> ServerProcess:
        """Run a Python module with arguments, which serves by uvicorn and logs its address."""
        ...


@pytest_asyncio.fixture(loop_scope="session")
async def launch(tmp_path: Path) -> AsyncIterator[Launch]:
    """Start servers; at the test's end each is stopped by SIGTERM, and its log must hold no trouble."""
    servers: list[ServerProcess] = []

    async def start(*command: str, env: Mapping[str, str] | None = None, ready: str = "/readyz") -> ServerProcess:
        server = ServerProcess(command, tmp_path / f"server-{len(servers)}.log", env)
        servers.append(server)
        await server.ready(ready)
        return server

    try:
        yield start
    finally:
        trouble: list[str] = []
        for server in servers:
            try:
                await server.stop()
            except AssertionError as exc:
                trouble.append(str(exc))
            trouble += server.complaints()
            print(f"--- {server.log.name}\n{server.log_text()}")
    assert trouble == []


@pytest.fixture
def serve(launch: Launch) -> Serve:
    """Start uvicorn with an app in a process of its own; see `launch`."""

    async def start(
        app: str | Path, *options: str, env: Mapping[str, str] | None = None, ready: str = "/readyz"
    ) -> ServerProcess:
        return await launch(*uvicorn_command(app, *options), env=env, ready=ready)

    return start


@pytest_asyncio.fixture(loop_scope="session")
async def serve_here() -> AsyncIterator[Callable[..., Awaitable[ServerThread]]]:
    """Start uvicorn with an app object, in a thread of this process; options are uvicorn.Config's."""
    servers: list[ServerThread] = []

    async def start(app: Callable[..., Any], **options: Any) -> ServerThread:
        server = ServerThread(app, **options)
        servers.append(server)
        await server.start()
        return server

    try:
        yield start
    finally:
        for server in servers:
            await server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def lay_cable() -> AsyncIterator[Callable[[ServerThread], Awaitable[BadNetwork]]]:
    """Lay a cable to a server, which the test can pull out."""
    async with contextlib.AsyncExitStack() as cables:

        async def lay(server: ServerThread) -> BadNetwork:
            return await cables.enter_async_context(BadNetwork(server.url))

        yield lay


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        try:
            browser = await playwright.chromium.launch(executable_path=os.environ.get(BROWSER_VARIABLE))
        except Error as exc:
            raise RuntimeError(f"run the tests with `python3 dev.py test`, or set {BROWSER_VARIABLE}") from exc
        yield browser
        await browser.close()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """What the pages complain of; `watch.allow(pattern)` expects some of it."""
    watching = Watch()
    yield watching
    assert watching.complaints() == []


@pytest_asyncio.fixture(loop_scope="session")
async def browse(
    chromium: Browser,
    watch: Watch,
    launch: Launch,
    serve_here: object,
    lay_cable: object,
) -> AsyncIterator[Callable[[], Awaitable[Page]]]:
    """Open pages, each in a browser context (cookies, session) of its own.

    The servers are asked for only so that pages close before them: a page would complain of a server that is gone.
    """
    contexts = []

    async def open_page() -> Page:
        context = await chromium.new_context()
        contexts.append(context)
        watch.follow(context)
        return await context.new_page()

    yield open_page
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browse: Callable[[], Awaitable[Page]]) -> Page:
    return await browse()


@pytest.fixture
def without_gc() -> Iterator[None]:
    """Only reference counting frees anything during the test."""
    gc.disable()
    yield
    gc.enable()
