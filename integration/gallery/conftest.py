"""The gallery of examples/, served once for all of its tests as its users serve it."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from integration.support.notebooks import downloaded
from integration.support.server import ServerProcess

Visit = Callable[[str], Awaitable[Page]]
Shot = Callable[[Page], Awaitable[None]]
Provokes = Callable[[str], None]


@asynccontextmanager
async def serving(server: ServerProcess) -> AsyncIterator[ServerProcess]:
    """Until many tests are through with it; its log must hold no trouble then."""
    try:
        await server.ready("/readyz")
        yield server
    finally:
        await server.stop()
        print(server.log_text())
    assert server.complaints() == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gallery(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """The server."""
    log = tmp_path_factory.mktemp("gallery") / "server.log"
    async with serving(ServerProcess(("solara_ctx", "run", "examples/gallery.py", "--port", "0"), log)) as server:
        yield server


@dataclass(frozen=True)
class Notebooks:
    """ipywidgets' own notebooks, and a server that has each of them as a page."""

    folder: Path
    server: ServerProcess


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def notebooks(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Notebooks]:
    """The server's log must hold no trouble."""
    folder = downloaded(request.config.cache.mkdir("notebooks"))
    log = tmp_path_factory.mktemp("notebooks") / "server.log"
    command = ("uvicorn", "notebooks:app", "--app-dir", "examples", "--port", "0")
    server = ServerProcess(command, log, {"NOTEBOOKS": str(folder)})
    # Of cells that show errors, and of a thread that works on when its page has gone, without the names it works with.
    server.provoked |= {"Exception", "ZeroDivisionError", "NameError"}
    async with serving(server):
        yield Notebooks(folder, server)


@pytest.fixture
def visit(gallery: ServerProcess, browse: Callable[[], Awaitable[Page]]) -> Visit:
    """Open a page of the gallery, in a browser session of its own."""

    async def open_page(path: str) -> Page:
        page = await browse()
        await page.goto(f"{gallery.url}{path}")
        return page

    return open_page


@pytest.fixture
def provokes(gallery: ServerProcess) -> Provokes:
    """Tell the name of an error that the test is about: its traceback in the server's log is no trouble."""
    return gallery.provoked.add


@pytest.fixture
def shot(request: pytest.FixtureRequest) -> Shot:
    """Keep a picture of a page, under the test's name, for people to look at: where SOLARA_CTX_SCREENSHOTS names a
    folder.
    """

    async def take(page: Page) -> None:
        folder = os.environ.get("SOLARA_CTX_SCREENSHOTS")
        if folder:
            name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")
            await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return take
