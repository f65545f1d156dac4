"""An app in files, served, and changed while it runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from solara_ctx.reload.live import LiveReload
from solara_ctx.reload.own_modules import OwnModules
from solara_ctx.reload.reloader import Reloader
from solara_ctx.web.app import KernelApp
from tests.support.visits import Site, started

HOME = '''
import ipywidgets as widgets


class Heading(widgets.Label):
    """A class of its own."""


def page():
    return Heading("home one")
'''
COUNTER = """
import ipywidgets as widgets


def page():
    label, button = widgets.Label("0"), widgets.Button(description="Click")
    button.on_click(lambda _: setattr(label, "value", str(int(label.value) + 1)))
    return widgets.VBox([button, label])
"""
APP = """
import counter, home
from solara_ctx import KernelApp, Settings

page = KernelApp({"/": home.page, "/counter": counter.page}, settings=Settings(debug=True))
"""
Write = Callable[[str, str], Path]


@pytest.fixture
def write(working_folder: Path) -> Write:
    """Writes a file of the app."""

    def write_file(name: str, text: str) -> Path:
        path = working_folder / name
        path.write_text(text)
        return path

    write_file("home.py", HOME)
    write_file("counter.py", COUNTER)
    write_file("app.py", APP)
    return write_file


@pytest.fixture
def reloader(write: Write, working_folder: Path) -> Iterator[Reloader]:
    """Of that app."""
    modules = OwnModules([working_folder])
    modules.install()
    yield Reloader("app.py", modules)
    modules.remove()


class Served:
    """The app while it runs.

    Attributes:
        restarts: The reasons for which the process was to begin anew.
    """

    def __init__(self, site: Site, reloader: Reloader, write: Write) -> None:
        self.site = site
        self.restarts: list[str] = []
        self._write = write
        self._live = LiveReload([site.app], reloader, in_place=True, restart=self.restarts.append)

    async def change(self, name: str, text: str) -> None:
        """A file is saved, and what comes of it is over."""
        await self.changed(self._write(name, text))

    async def changed(self, path: Path) -> None:
        """A file has changed."""
        await asyncio.to_thread(self._live.changed, [path])


@pytest_asyncio.fixture
async def served(reloader: Reloader, write: Write) -> AsyncIterator[Served]:
    """The app, served."""
    app = await asyncio.to_thread(reloader.load)
    assert isinstance(app, KernelApp)
    async with started(app) as site:
        yield Served(site, reloader, write)
