"""ipywidgets' own notebooks, run in a Jupyter kernel as well: the cells put out the same, the widgets are the same.

All of them that the pages of test_notebooks.py are made of. Jupyter is nbclient here, with no browser, as is the page:
what is compared is what each kernel says.
"""

import json
import re

import pytest

from integration.gallery.conftest import Notebooks
from integration.support.beside_jupyter import as_page, in_jupyter

# What differs, and why. Where an object is in memory, how long something took and when it was is masked in all.
DIFFERS = {
    "Output Widget": {
        r'("outputs": )\[\["stdout: 1 \*\* some text.*?\]\](?=, "tabbable")': "a thread is at work, and goes on",
    },
    "Widget Asynchronous": {
        r'("_model_name": "FloatProgressModel".*?"value": )[\d.]+': "a thread is at work, and goes on",
        r"()stdout: did work 0\n": "printed by a task after its cell has ended, when nbclient does not listen any more",
    },
}
NOTEBOOKS = [
    "Beat Frequencies",
    "Layout Templates",
    "Media widgets",
    "Output Widget",
    "Using Interact",
    "Widget Alignment",
    "Widget Asynchronous",
    "Widget Basics",
    "Widget Events",
    "Widget List",
    "Widget Styling",
]


@pytest.mark.parametrize(
    "name",
    # Every third each time, all when asked for: seconds each.
    [pytest.param(name, marks=pytest.mark.thorough if number % 3 else ()) for number, name in enumerate(NOTEBOOKS)],
)
async def test_a_page_is_what_jupyter_makes_of_the_notebook(notebooks: Notebooks, name: str) -> None:
    """Cell by cell, each stream, picture, text, error and widget; then all widgets, each with its whole state."""
    notebook = notebooks.folder / f"{name}.ipynb"
    cells = json.loads(notebook.read_text())["cells"]
    is_code = [cell["cell_type"] == "code" for cell in cells if "".join(cell["source"]).strip()]
    theirs = await in_jupyter(notebook)
    ours = await as_page(notebooks.server.url, f"/{'-'.join(name.lower().split())}", is_code)
    assert len(theirs.widgets) == len(ours.widgets) > 0
    differs = [re.compile(pattern) for pattern in DIFFERS.get(name, {})]
    for number, (cell, same) in enumerate(zip(theirs.shown(differs), ours.shown(differs), strict=True)):
        assert same == cell, f"code cell {number}"
    more, less = ours.kinds(differs) - theirs.kinds(differs), theirs.kinds(differs) - ours.kinds(differs)
    assert (more, less) == ({}, {})
