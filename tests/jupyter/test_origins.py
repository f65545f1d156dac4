"""Which package a widget comes from."""

from importlib.metadata import version
from typing import Any

import anywidget
import ipyleaflet
import ipywidgets as widgets
import pytest

from solara_ctx.jupyter.origins import origin_of
from tests.support.kernels import Page, StandInContext


class Stars(anywidget.AnyWidget):
    """A widget of an app's own."""


class Nameless(widgets.DOMWidget):
    """A widget from a module without a name."""

    __module__ = ""


@pytest.mark.parametrize(
    ("widget_class", "package"),
    [(ipyleaflet.Map, "ipyleaflet"), (Stars, "anywidget"), (widgets.Label, None), (Nameless, None)],
)
def test_a_widget_is_of_the_package_that_defines_it(widget_class: type[widgets.Widget], package: str | None) -> None:
    """Or of the one that it was derived from; ipywidgets is always there."""
    assert origin_of(widget_class) == (None if package is None else (package, version(package)))


def answers(messages: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(message["header"]["msg_type"], message["content"]["data"]) for message in messages]


def test_a_page_may_ask(kernel: StandInContext, page: Page) -> None:
    """It is told once, alone, and nothing stays open."""
    stars = kernel.run(Stars)
    other = Page(kernel, "page-2")
    page.heard()
    said = answers(page.open("solara_ctx.origin", "o", {"widget": stars.model_id}))
    assert said == [("comm_msg", {"package": "anywidget", "version": version("anywidget")}), ("comm_close", {})]
    assert other.heard() == []
    assert "o" not in kernel.living_host.comm_manager.comms


@pytest.mark.parametrize("data", [{}, {"widget": "nobody"}, {"widget": 7}, {"widget": ["x"]}])
def test_of_what_is_no_widget_nothing_is_known(kernel: StandInContext, page: Page, data: dict[str, object]) -> None:
    """The comm is closed, and nobody complains."""
    said = answers(page.open("solara_ctx.origin", "o", data))
    assert said == [("comm_close", {})]


def test_of_a_widget_of_ipywidgets_nothing_is_said(kernel: StandInContext, page: Page) -> None:
    """It is never missing."""
    label = kernel.run(widgets.Label)
    page.heard()
    said = answers(page.open("solara_ctx.origin", "o", {"widget": label.model_id}))
    assert said == [("comm_close", {})]
