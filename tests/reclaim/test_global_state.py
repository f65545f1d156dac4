"""What libraries keep for the process, and here for a kernel: it goes with the kernel, and keeps nothing of it."""

import gc
import warnings
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import altair as alt
import ipywidgets as widgets
import matplotlib as mpl
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from tests.support.everything import everything
from tests.support.reclaim import used
from tests.support.visits import serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its traits are declared as they were long ago
    import bqplot.pyplot

Use = Callable[[widgets.Widget], object]
pytestmark = [
    pytest.mark.filterwarnings("ignore:Deprecated in traitlets", "ignore:Passing unrecognized arguments"),
    pytest.mark.uncovered,
]


def open_figures(box: Any) -> None:
    """Figures whose callbacks refer to everything, and the other way round."""
    for number in (1, 2):
        figure = plt.figure(number, label=f"{number}")
        (line,) = figure.subplots().plot([1, 2])
        handler: Any = lambda event, line=line: (box, line)  # noqa: E731 - its type would be that of no handler
        figure.canvas.mpl_connect("button_press_event", handler)
        figure.canvas.draw()
        box.children[0].observe(lambda change, line=line: line.set_ydata([change.new, 1]))
    box.figure = plt.gcf()


def shown_figures(box: Any) -> None:
    """In an Output, and closed by that."""
    with widgets.Output():
        plt.plot([1, 2])
        plt.show()
        display(plt.figure())


def ipympls_figures(box: Any) -> None:
    """Figures that are widgets: one open, one closed, one shown."""
    mpl.use("ipympl")
    plt.ion()
    for _ in range(2):
        figure, axes = plt.subplots()
        axes.plot([1, 2])
        figure.canvas.mpl_connect("button_press_event", lambda event: box)
    plt.close(1)
    with widgets.Output():
        plt.plot([1, 2])
        plt.show()


def settings(box: Any) -> None:
    """Blocks that are left open."""
    box.blocks = [
        mpl.rc_context({"lines.linewidth": 9}),
        plt.style.context("ggplot"),
        pd.option_context("display.width", 9),
    ]
    for block in box.blocks:
        block.__enter__()
    pd.set_option("display.float_format", lambda value: f"{value}{box}")
    mpl.rcParams["path.effects"] = [box]


def filters(box: Any) -> None:
    """Filters, what shows warnings, and a block that is left open."""
    log: Any = warnings.catch_warnings(record=True).__enter__()
    warnings.simplefilter("always")
    warnings.warn(UserWarning(box), stacklevel=1)
    assert len(log) == 1
    warnings.showwarning = lambda *args: box.append(args)
    warnings.filterwarnings("ignore", message="something")


def bqplots_figures(box: Any) -> None:
    """The current one, one with a key, and the last mark."""
    bqplot.pyplot.figure("a key", title="title")
    bqplot.pyplot.plot([1, 2], [3, 4]).box = box
    bqplot.pyplot.figure()
    bqplot.pyplot.hist([1, 2])
    bqplot.pyplot.current_figure().observe(lambda change: box)


def plotlys_figures(box: Any) -> None:
    """Shown in an Output and in the console, with options of the page's."""
    for place in (widgets.Output(), nullcontext()):
        with place:
            go.Figure(go.Bar(x=["a"], y=[2]), layout={"meta": {"box": 1}}).show(config={"box": box.model_id})


def themes(box: Any) -> None:
    """Those of altair and plotly, with functions and objects of the page's."""
    alt.data_transformers.enable("default", max_rows=box)
    alt.renderers.enable("html", embed_options={"box": box})
    pio.templates.default = "ggplot2"
    pio.renderers.default = "png"


USES = [open_figures, shown_figures, ipympls_figures, settings, filters, bqplots_figures, plotlys_figures, themes]


@pytest.mark.parametrize("use", USES)
async def test_what_libraries_keep_goes_with_the_kernel(use: Use) -> None:
    """And with it every widget that it has referred to."""

    def page() -> widgets.Widget:
        box = everything()
        use(box)
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()


@pytest.mark.parametrize("use", [open_figures, shown_figures, ipympls_figures])
async def test_figures_are_freed_by_one_collection(use: Use) -> None:
    """Not by reference counting: `matplotlib.figure.Figure` and its `Axes` refer to each other, and to each of their
    artists and axes, which refer to them.
    """
    gc.collect()
    figures: list[weakref.ref[Figure]] = []

    def page() -> widgets.Widget:
        box = widgets.VBox([widgets.IntSlider()])
        before = {id(thing) for thing in gc.get_objects() if type(thing) is Figure}
        use(box)
        figures.extend(
            weakref.ref(thing) for thing in gc.get_objects() if type(thing) is Figure and id(thing) not in before
        )
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
    assert len(figures) > 1
    assert any(figure() for figure in figures)
    gc.collect()
    assert [figure() for figure in figures] == [None] * len(figures)
