"""What is around the widgets of a page: its look, its template, and the files that it offers."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import ipywidgets as widgets
import pytest

from solara_ctx import Page, get_current_context, set_favicon, set_theme, set_title
from tests.support.everything import everything
from tests.support.reclaim import Deaths, used
from tests.support.service import eventually, silent
from tests.support.visits import Visit, serving

pytestmark = pytest.mark.uncovered

MEGABYTES = 10


def watch_files(deaths: Deaths, visit: Visit) -> None:
    files = visit.context.files
    deaths.watch("files", files)
    for file in (files._files or {}).values():
        deaths.watch("file", file)


async def test_a_page_whose_look_was_changed() -> None:
    """Before and after it was shown."""

    def page() -> widgets.Widget:
        box = everything()
        set_title("title")
        set_theme("dark")
        box.observe(lambda _: set_title(f"{len(box.children)} children"))
        box.box_style = "info"
        set_favicon("🦊")
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        with visit.context:
            set_title("later")
        await visit.shown()
        await visit.leave()
        await deaths.at_once()


@pytest.fixture
def templated(tmp_path: Path) -> Page:
    """A page with a template that has several places."""
    template = tmp_path / "page.html"
    template.write_text("{{ solara.head }}{{ request.headers }}<p data-solara-root></p><i data-solara-root='side'></i>")
    return Page(lambda: {"main": everything(), "side": widgets.Label()}, template=template)


async def test_a_page_with_a_template(templated: Page) -> None:
    """That has seen the request."""
    async with serving(templated) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()


def offering() -> widgets.Widget:
    """Offers files that refer to everything, by functions and generators that do."""
    box = everything()
    context = get_current_context()

    def pieces() -> Iterator[bytes]:
        for child in box.children:
            yield repr((child, context)).encode()

    files = context.files
    box.urls = [
        files.add(lambda: repr(box), "a.txt"),
        files.add(pieces, "b.txt"),
        files.add(lambda: [b"c", repr(context)], "c.txt"),
        files.add(lambda: f"{1 / 0}{box}", "d.txt"),
    ]
    return box


async def test_files_that_were_downloaded() -> None:
    """Made by functions, generators, and one that fails."""
    async with serving(offering) as site:
        visit, deaths = await used(site)
        watch_files(deaths, visit)
        (urls,) = (vars(box)["urls"] for box in visit.context.widgets.values() if "urls" in vars(box))
        with silent():
            statuses = [(await visit.http.get(url)).status_code for url in urls]
            assert statuses == [200, 200, 200, 500]
            await eventually(lambda: visit.context.files.in_the_making == 0 and not visit.context.stats().tasks)
        await visit.leave()
        await deaths.at_once()


async def test_data_that_nobody_downloads() -> None:
    """Its memory is back with the kernel, or once it is not offered any more."""
    async with serving(everything) as site:
        visit, deaths = await used(site)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            kept, removed = (visit.context.files.add(bytes(MEGABYTES * 2**20), "a.bin") for _ in range(2))
            watch_files(deaths, visit)
            assert tracemalloc.get_traced_memory()[0] - before > 2 * MEGABYTES * 2**20
            visit.context.files.remove(removed)
            assert tracemalloc.get_traced_memory()[0] - before < 1.5 * MEGABYTES * 2**20
            del kept
            await visit.leave()
            await deaths.at_once()
            assert tracemalloc.get_traced_memory()[0] - before < MEGABYTES * 2**20 / 2
        finally:
            tracemalloc.stop()
