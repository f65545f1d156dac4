"""Plots that are widgets: what of them was in a cycle, whether it still is, and what is left for who keeps them."""

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import altair as alt
import ipyvuetify
import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go
import pytest
from altair.utils import schemapi
from jsonschema import ValidationError
from matplotlib import pyplot as plt

from tests.support.kernels import StandInContext, patched


def figure() -> Any:
    """With parts of parts, a callback, and arrays of parts."""
    made = go.FigureWidget(data=[go.Scatter(x=[1, 2], y=[3, 4], marker={"size": 3}), go.Bar(x=[1], y=[2])])
    made.layout.shapes = [{"type": "line", "x0": 0, "x1": 1, "y0": 0, "y1": 1}]
    made.data[0].marker.on_change(lambda *_: made, "size")
    made.layout.on_change(lambda *_: made, "title")
    return made


def chart() -> Any:
    """With a parameter and a selection, and an encoding that altair tries as several types."""
    picked, size = alt.selection_point(name="picked"), alt.param(name="size", value=4)
    table = pd.DataFrame({"x": [1, 2]})
    color = alt.when(picked).then(alt.value("teal")).otherwise(alt.value("silver"))
    return alt.JupyterChart(alt.Chart(table).mark_point(size=size).encode(x="x", color=color).add_params(picked, size))


def button() -> Any:
    """With a list of classes."""
    made = ipyvuetify.Btn(children=["x"])
    made.class_list.add("ma-2")
    return made


MAKERS = pytest.mark.parametrize("make", [figure, chart, button])


@pytest.fixture(autouse=True)
def _without_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@MAKERS
def test_upstream_still_has_the_cycle(make: Callable[[], Any]) -> None:
    """Else the patch can go."""
    made = make()
    known = weakref.ref(made)
    made.close()
    del made
    assert known() is not None


@MAKERS
def test_it_goes_with_its_kernel(kernel: StandInContext, make: Callable[[], Any]) -> None:
    """And its last reference; nobody collects."""
    made = kernel.run(make)
    known = weakref.ref(made)
    kernel.close()
    del made
    assert known() is None


def test_a_figure_that_somebody_keeps_stays_a_figure(kernel: StandInContext) -> None:
    """A thread that goes on with it gets no exception."""
    made = kernel.run(figure)
    trace = made.data[0]
    kernel.close()
    assert len(made.data) == 2
    trace.marker.size = 9
    assert trace.marker.size == 9


def test_a_chart_that_somebody_keeps_stays_a_chart(kernel: StandInContext) -> None:
    """The same."""
    made = kernel.run(chart)
    kernel.close()
    made.params.size = 9
    assert made.params.size == 9


def test_a_list_of_classes_is_that_of_its_widget(kernel: StandInContext) -> None:
    """As ever."""
    made = kernel.run(button)
    made.class_list.toggle("ma-2", "mb-1")
    assert made.class_ == "mb-1"


def invalid(**options: Any) -> Any:
    return invalid_of({"a": "x", "b": "y"}, **options)


def invalid_of(value: dict[str, Any], **options: Any) -> Any:
    schema = {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}
    return schemapi.validate_jsonschema(value, schema, **options)


def test_what_altair_says_of_a_mistake_is_the_same() -> None:
    """With all that is wrong."""
    with pytest.raises(ValidationError) as upstream:
        invalid()
    with patched():
        with pytest.raises(ValidationError) as ours:
            invalid()
        assert str(ours.value) == str(upstream.value)
        assert ours.value._all_errors.keys() == upstream.value._all_errors.keys()
        assert str(invalid(raise_error=False)) == str(upstream.value)
        assert not invalid_of({})
        with pytest.raises(schemapi.SchemaValidationError, match="'nonsense' is an invalid value"):
            alt.Chart().mark_point().encode(x=alt.X("x", type="nonsense")).to_dict()  # type: ignore[arg-type]


def test_an_error_of_altairs_keeps_no_caller(kernel: StandInContext) -> None:
    """Once whoever has caught it lets go of it; upstream's keeps itself."""

    class Local:
        pass

    def caller() -> Any:
        local = Local()
        with pytest.raises(ValidationError):
            invalid()
        return weakref.ref(local)

    assert kernel.run(caller)() is None


@pytest.mark.filterwarnings("ignore:Passing unrecognized arguments")
def test_what_hears_of_axes_goes_with_the_kernel(kernel: StandInContext) -> None:
    """A figure is in a cycle with its axes, and would keep it."""

    def page() -> Any:
        plt.switch_backend("module://ipympl.backend_nbagg")
        _, axes = plt.subplots()
        label = widgets.Label()
        axes.callbacks.connect("xlim_changed", lambda _: label)
        return weakref.ref(label)

    known = kernel.run(page)
    kernel.close()
    assert known() is None
