"""Notebooks as pages: `NOTEBOOKS=folder uvicorn notebooks:app --app-dir examples`.

Each notebook of the folder is a page, which runs its cells from top to bottom, as Jupyter does, each with an output of
its own: what the cell prints and displays, and what its last expression is.
"""

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from IPython import get_ipython
from IPython.display import Markdown, display
from ipywidgets import HTML, Layout, Output, VBox
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from solara_ctx import KernelApp

FOLDER = Path(os.environ.get("NOTEBOOKS", Path.cwd())).resolve()
# Notebooks name the files beside them; and the working directory is all pages'.
os.chdir(FOLDER)

_LOOP = re.compile(r"^%gui asyncio$", re.MULTILINE)


class Cell(NamedTuple):
    """A cell of a notebook."""

    kind: str
    source: str


def cells_of(notebook: Path) -> list[Cell]:
    """The cells that are not empty."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [Cell(cell["cell_type"], "".join(cell["source"])) for cell in cells if "".join(cell["source"]).strip()]


def page_of(notebook: Path) -> Callable[[], Awaitable[VBox]]:
    """A page function that runs a notebook."""

    async def page() -> VBox:
        cells = cells_of(notebook)
        outputs = [Output(layout=Layout(overflow="auto")) for _ in cells]
        in_loop = False
        for cell, output in zip(cells, outputs, strict=True):
            # From then on, cells start tasks, for which they have to run where the event loop does.
            in_loop = in_loop or _LOOP.search(cell.source) is not None
            if in_loop:
                run(cell, output)
            else:
                await asyncio.to_thread(run, cell, output)
        return VBox(outputs)

    return page


def run(cell: Cell, output: Output) -> None:
    """Run one cell."""
    with output:
        if cell.kind == "markdown":
            display(Markdown(cell.source))  # type: ignore[no-untyped-call]
        elif cell.kind == "code":
            get_ipython().run_cell(_LOOP.sub("", cell.source), store_history=True)
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].show()


def path_of(notebook: Path) -> str:
    """Where its page is."""
    return "/" + re.sub(r"\W+", "-", notebook.stem.lower()).strip("-")


NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def index() -> HTML:
    """The list of all notebooks."""
    links = "".join(f'<li><a href="{path_of(notebook)[1:]}">{notebook.stem}</a></li>' for notebook in NOTEBOOKS)
    return HTML(f"<h1>Notebooks</h1><ul>{links}</ul>")


kernels = KernelApp({"/": index} | {path_of(notebook): page_of(notebook) for notebook in NOTEBOOKS})
app = Starlette(
    # The pictures that a notebook's text shows.
    routes=[Mount("/images", StaticFiles(directory=FOLDER / "images", check_dir=False)), Mount("/", kernels)],
    lifespan=kernels.lifespan,
)
