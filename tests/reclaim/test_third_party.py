"""Other people's widgets, used as on the pages of the gallery."""

import asyncio
import importlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
import pytest

from tests.support.reclaim import used
from tests.support.visits import serving

pytestmark = [
    pytest.mark.filterwarnings("ignore:Deprecated in traitlets", "ignore:Passing unrecognized arguments"),
    pytest.mark.uncovered,
]
EXAMPLES = Path(__file__).parents[2] / "examples"


def gallery_page(name: str) -> Callable[[], widgets.Widget]:
    """A page of the gallery."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # bqplot's traits are declared as they were long ago
            page: Callable[[], widgets.Widget] = getattr(importlib.import_module("gallery_pages.third_party"), name)
    finally:
        sys.path.remove(str(EXAMPLES))
    return page


PAGES = {
    "stars": "All of them",
    "plotly_figure": "Turn it over",
    "bqplot_figure": "Upside down",
    "leaflet_map": "To the west",
    "vuetify_card": "Forty",
    "data_grid": "Oslo grows",
    "interactive_table": "Select Bern",
    "canvas_figure": "Turn it over",
    "altair_chart": "Larger",
    "missing": "Say something",
}


@pytest.mark.parametrize("name", PAGES)
async def test_the_page_goes_with_its_kernel(name: str) -> None:
    """By reference counting, the widgets and all that belongs to them."""
    async with serving(gallery_page(name)) as site:
        visit, deaths = await used(site)
        await visit.click(PAGES[name])
        await visit.leave()
        await deaths.at_once()


async def test_who_watches_the_program_of_a_widget_does_not_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anywidget's hot reload: a thread that looks for changes of the file, for as long as the process lives."""
    monkeypatch.setenv("ANYWIDGET_HMR", "1")
    file = tmp_path / "widget.js"
    file.write_text("export default {}")

    class Hot(anywidget.AnyWidget):
        _esm = file

    program: Any = Hot._esm
    try:
        async with serving(lambda: Hot()) as site:  # noqa: PLW0108 - a class is no page function
            visit, deaths = await used(site)
            states = await visit.states()
            assert "export default {}" in [state["state"].get("_esm") for state in states.values()]
            await visit.leave()
            await deaths.at_once()
            assert program._background_thread.is_alive()
    finally:
        program._stop_event.set()
        await asyncio.to_thread(program.stop_thread)
