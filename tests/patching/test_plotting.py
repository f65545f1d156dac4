"""Libraries that plot: whether they are what the patches were made for, and what else they do with their state."""

import re
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import ipywidgets as widgets
import plotly.graph_objects as go
import plotly.io as pio
import plotly.io._base_renderers
import pytest
from IPython.display import display

from solara_ctx.patching import plotting
from tests.support.kernels import StandInContext

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its traits are declared as they were long ago
    import bqplot.pyplot


def test_setting_the_context_of_bqplot(kernel: StandInContext, other: StandInContext) -> None:
    """In a kernel it is that kernel's, outside the process's; kernels still have their own afterwards."""
    before = bqplot.pyplot.get_context()
    mine = {**before, "current_key": "mine"}
    kernel.run(bqplot.pyplot.set_context, mine)
    bqplot.pyplot.set_context({**before, "current_key": "the process's"})
    keys = [run(bqplot.pyplot.get_context)["current_key"] for run in (kernel.run, other.run, lambda look: look())]
    assert keys == ["mine", None, "the process's"]
    bqplot.pyplot.set_context(before)


def test_a_library_that_has_moved_on_is_refused() -> None:
    """Whatever it is that is no longer there; the stack of patches leaves it as it is then."""
    for patches, module in (
        (plotting.bqplot_patches, SimpleNamespace(_context={"figure": None})),
        (plotting.plotly_template_patches, SimpleNamespace(templates=SimpleNamespace())),
    ):
        with pytest.raises(AttributeError, match=r"context of bqplot|no attribute '_default'"):
            patches(cast("Any", module))


FIGURE = go.Figure(go.Bar(x=["a"], y=[7]), layout={"title": {"text": "seven"}})


def shown(show: Callable[[], object]) -> str:
    """The HTML that is displayed."""
    output = widgets.Output()
    with output:
        show()
    ((record,), _) = output.outputs, output.close()
    html: str = record["data"]["text/html"]
    return html


@pytest.mark.parametrize("default", ["browser", "firefox", None])
@pytest.mark.parametrize(
    "show",
    [FIGURE.show, lambda: display(FIGURE), lambda: FIGURE.show(renderer="chrome", config={"displayModeBar": False})],
    ids=["show", "display", "options"],
)
def test_a_figure_of_plotlys_is_shown_in_the_page(
    kernel: StandInContext, monkeypatch: pytest.MonkeyPatch, default: str | None, show: Callable[[], object]
) -> None:
    """Whatever plotly has found when it was imported; no browser is opened here, and no other host is asked."""
    monkeypatch.setattr(
        plotly.io._base_renderers, "open_html_in_browser", lambda *_: pytest.fail("a browser is opened")
    )
    before = pio.renderers.default
    pio.renderers.default = default
    try:
        html = kernel.run(shown, show)
    finally:
        pio.renderers.default = before
    assert "seven" in html
    assert "Plotly.newPlot" in html
    assert "<html" not in html
    assert not re.search(r"<script[^>]*\bsrc=", html)


def test_outside_of_kernels_plotly_opens_a_browser(kernel: StandInContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ever."""
    opened: list[str] = []
    monkeypatch.setattr(plotly.io._base_renderers, "open_html_in_browser", lambda html, *_: opened.append(html))
    FIGURE.show(renderer="browser")
    assert len(opened) == 1
