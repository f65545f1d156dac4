"""Cutting widgets and shells apart: what goes, and what stays."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import traitlets

from solara_ctx.jupyter.sever import sever_observers, sever_widget
from tests.support.kernels import StandInContext, fail


class Holder(widgets.Label):
    """Has traits of many kinds."""

    widget = traitlets.Any()
    listed: Any = traitlets.List()
    nested: Any = traitlets.Dict()
    plain: Any = traitlets.List()
    thing = traitlets.Any()


class LookedInto(dict[str, Any]):
    """A table that changes hands while somebody looks into it."""

    def __init__(self, table: dict[str, Any], meanwhile: Callable[[], None]) -> None:
        super().__init__(table)
        self.meanwhile = meanwhile

    def __contains__(self, name: object) -> bool:
        self.meanwhile()
        return super().__contains__(name)


def test_a_thread_that_is_about_to_validate_still_finds_what_to_validate_with() -> None:
    """By traitlets, which looks twice: whether there is a validator, and for it."""
    slider = widgets.IntSlider(value=1, max=10)
    slider._trait_validators = LookedInto(slider._trait_validators, lambda: sever_observers(slider))
    slider.value = 5
    assert slider.value == 5


def test_plain_values_stay_and_references_go(kernel: StandInContext) -> None:
    """Values, layouts and styles stay; other widgets, and containers that hold some, do not."""
    other = kernel.run(widgets.Label)
    holder = kernel.run(
        lambda: Holder(
            value="text",
            widget=other,
            listed=[1, [{"a": (other,)}]],
            nested={"x": other},
            plain=[1, [2, {"a": (3,)}]],
            thing="thing",
        )
    )
    layout = holder.layout
    sever_widget(holder)
    assert (holder.widget, holder.listed, holder.nested) == (None, [], {})
    assert (holder.value, holder.plain, holder.thing) == ("text", [1, [2, {"a": (3,)}]], "thing")
    assert holder.layout is layout


def test_handlers_observers_and_links_go(kernel: StandInContext) -> None:
    """Nothing reacts to a severed widget any more."""
    button, slider, label = kernel.run(lambda: (widgets.Button(), widgets.IntSlider(), widgets.Label()))
    button.on_click(fail)
    slider.observe(fail, "value")
    widgets.dlink((slider, "value"), (label, "value"), str)
    for widget in (button, slider, label):
        sever_widget(widget)
    button.click()
    slider.value = 3
    assert (slider.value, label.value) == (3, "0")


def test_interact_lets_go_of_the_users_function(kernel: StandInContext) -> None:
    """`interact` stores its widget on the function, be it one of a module."""

    def function(x: int) -> int:
        return x

    made = kernel.run(lambda: widgets.interact(function, x=3))
    assert made.widget is not None
    kernel.close()
    assert not hasattr(function, "widget")
