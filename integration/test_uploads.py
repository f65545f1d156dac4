"""Uploads that are cut off: the server has its memory back, and the page says so, or goes on."""

import asyncio
import gc
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
from playwright.async_api import Page, expect

from integration.support.network import BadNetwork
from integration.support.threaded import ServerThread
from integration.support.waiting import wait_until
from integration.support.watch import Watch
from integration.test_connection import LOST
from solara_ctx import KernelApp, Settings
from solara_ctx.jupyter.upload import _Upload

ServeHere = Callable[..., Awaitable[ServerThread]]
LayCable = Callable[[ServerThread], Awaitable[BadNetwork]]
CONTENT = bytes(range(256)) * 80_000  # 20 MB


def taking() -> widgets.Widget:
    """A page that takes a file, and says what it has."""
    upload, said = widgets.FileUpload(description="File"), widgets.Label("nothing")
    upload.observe(lambda change: setattr(said, "value", digest(change["new"][0]["content"])), "value")
    return widgets.VBox([upload, said, widgets.HTML("<a href='other'>elsewhere</a>")])


def other() -> widgets.Widget:
    """Another page of the app."""
    return widgets.Label("another page")


def digest(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()


def received() -> list[int]:
    """How much the server has of each upload that is under way."""
    return [thing._received for thing in gc.get_objects() if type(thing) is _Upload]


async def choose(page: Page, path: Path, content: bytes) -> None:
    """Let somebody choose a file."""
    await asyncio.to_thread(path.write_bytes, content)
    async with page.expect_file_chooser() as choosing:
        await page.get_by_role("button", name="File (0)").click()
    await (await choosing.value).set_files(path)


Begin = Callable[..., Awaitable[tuple[KernelApp, BadNetwork]]]


@pytest.fixture
def begin(page: Page, watch: Watch, serve_here: ServeHere, lay_cable: LayCable, tmp_path: Path) -> Begin:
    """A page whose upload is under way, over a network that is too slow for its end."""
    watch.allow(LOST)

    async def uploading(**settings: Any) -> tuple[KernelApp, BadNetwork]:
        app = KernelApp({"/": taking, "/other": other}, settings=Settings(**settings))
        cable = await lay_cable(await serve_here(app))
        await page.goto(cable.url)
        await expect(page.get_by_text("nothing")).to_be_visible()
        for wire in cable.websockets:
            wire.lag = lambda: 0.1
        await choose(page, tmp_path / "large.bin", CONTENT)
        await wait_until(lambda: sum(received()) > 1_000_000)
        return app, cable

    return uploading


@pytest.mark.usefixtures("without_gc")
async def test_a_page_that_is_left_takes_its_upload_with_it(page: Page, begin: Begin) -> None:
    """By reference counting, as all else."""
    app, _cable = await begin()
    await page.goto("about:blank")
    await wait_until(lambda: len(app.registry) == 0)
    await wait_until(lambda: received() == [])


async def test_a_page_that_is_left_for_another_of_the_app_stops_its_upload(page: Page, begin: Begin) -> None:
    """The kernel goes on, and has its memory back."""
    app, cable = await begin()
    await page.get_by_role("link", name="elsewhere").click()
    for wire in cable.websockets:
        wire.lag = None
    await expect(page.get_by_text("another page")).to_be_visible()
    await wait_until(lambda: received() == [])
    assert len(app.registry) == 1
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_an_upload_goes_on_where_it_was_cut_off(page: Page, begin: Begin) -> None:
    """Once the network is back in time: nothing is missing, and nothing there twice."""
    _app, cable = await begin()
    cable.down()
    cable.up()
    await expect(page.get_by_text(digest(CONTENT))).to_be_visible()
    await expect(page.get_by_role("button", name="File (1)")).to_be_visible()
    assert received() == []


async def test_an_upload_that_is_lost_is_said_to_be_and_forgotten(page: Page, begin: Begin, tmp_path: Path) -> None:
    """Where the network is back too late; the next one goes."""
    app, cable = await begin(replay_max_age="1ms")
    (context,) = app.registry.values()
    cable.down()
    await wait_until(lambda: "connected" not in context.page_status.values())
    cable.up()
    await expect(page.get_by_role("alert")).to_have_text("The upload was interrupted. Please try again.")
    await wait_until(lambda: received() == [])
    await choose(page, tmp_path / "small.bin", b"small")
    await expect(page.get_by_text(digest(b"small"))).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_page_that_never_comes_back_keeps_no_memory(begin: Begin) -> None:
    """What it has sent goes with its kernel."""
    app, cable = await begin(kernel_cull_timeout="50ms")
    cable.down()
    await wait_until(lambda: len(app.registry) == 0)
    await wait_until(lambda: received() == [])
