"""Other people's widgets, each answering both ways: a button of Python's changes it, and what is done in it is told."""

import base64
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import altair as alt
import anywidget
import bqplot
import ipyleaflet
import ipyvuetify
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import traitlets
from gallery_pages.room import Room
from ipydatagrid import DataGrid
from itables.widget import ITable


class Stars(anywidget.AnyWidget):
    """Five stars to click on, in a few lines of JavaScript."""

    # With ANYWIDGET_HMR=1, a change of that file is seen in pages that are open.
    _esm = Path(__file__).with_name("stars.js")
    _css = """
    .stars button { border: 0; background: none; color: #e09200; font-size: 28px; cursor: pointer; }
    """
    value = traitlets.Int(0).tag(sync=True)


def stars() -> widgets.Widget:
    """anywidget: five stars."""
    rating, said = Stars(), widgets.Label("Nothing yet")
    rating.add_class("stars")
    rating.observe(lambda change: setattr(said, "value", f"{change.new} stars"), "value")
    return _page(rating, said, "All of them", lambda: setattr(rating, "value", 5))


def plotly_figure() -> widgets.Widget:
    """plotly: a FigureWidget whose points can be clicked."""
    figure = go.FigureWidget(
        data=[go.Scatter(x=[1, 2, 3, 4], y=[10, 11, 12, 13], mode="markers", marker={"size": 24})],
        layout={"width": 600, "height": 360, "margin": {"l": 40, "r": 20, "t": 20, "b": 40}},
    )
    said = widgets.Label("Nothing yet")

    def clicked(_trace: Any, points: Any, _state: Any) -> None:
        said.value = f"point {points.point_inds[0]} at {points.ys[0]}"

    figure.data[0].on_click(clicked)
    return _page(figure, said, "Turn it over", lambda: figure.data[0].update(y=[13, 12, 11, 10]))


def bqplot_figure() -> widgets.Widget:
    """bqplot: a plot with a brush."""
    scales = {"x": bqplot.LinearScale(min=0, max=10), "y": bqplot.LinearScale(min=0, max=10)}
    numbers = np.arange(11)
    marks = bqplot.Scatter(x=numbers, y=numbers, scales=scales, colors=["teal"])
    brush = bqplot.interacts.BrushSelector(x_scale=scales["x"], y_scale=scales["y"], marks=[marks])
    axes = [
        bqplot.Axis(scale=scales["x"]),
        bqplot.Axis(scale=scales["y"], orientation="vertical"),
    ]
    figure = bqplot.Figure(
        marks=[marks], axes=axes, interaction=brush, layout={"width": "600px", "height": "400px"}, animation_duration=0
    )
    said = widgets.Label("Nothing yet")

    def selected(change: Any) -> None:
        said.value = "nothing selected" if change.new is None else f"selected {len(change.new)} points"

    marks.observe(selected, "selected")
    return _page(figure, said, "Upside down", lambda: setattr(marks, "y", 10 - numbers))


def _tile() -> str:
    """A map tile that needs no server: a picture of 256 by 256 points, as a data URL."""
    row = b"\x00" + bytes((214, 230, 240)) * 255 + bytes((150, 180, 200))
    last = b"\x00" + bytes((150, 180, 200)) * 256
    packed = zlib.compress(row * 255 + last)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 256, 256, 8, 2, 0, 0, 0))
    image = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"


TILE = _tile()


def leaflet_map() -> widgets.Widget:
    """ipyleaflet: a map with a marker to drag, on tiles of our own."""
    here = (52.0, 5.0)
    chart = ipyleaflet.Map(
        basemap=ipyleaflet.TileLayer(url=TILE, attribution="drawn here"),
        center=here,
        zoom=6,
        layout={"width": "600px", "height": "400px"},
    )
    marker = ipyleaflet.Marker(location=here, title="here")
    chart.add(marker)
    said = widgets.Label("Nothing yet")

    def interacted(**event: Any) -> None:
        if event.get("type") == "click":
            latitude, longitude = event["coordinates"]
            said.value = f"clicked near {latitude:.0f}, {longitude:.0f}"

    chart.on_interaction(interacted)
    return _page(chart, said, "To the west", lambda: setattr(chart, "center", (52.0, -5.0)))


class Tally(ipyvuetify.VuetifyTemplate):
    """A template of Vue's, whose buttons call Python."""

    count = traitlets.Int(0).tag(sync=True)
    template = traitlets.Unicode(
        """
        <template>
          <v-card width="300" class="pa-4">
            <v-card-title>Counted {{ count }}</v-card-title>
            <v-btn color="primary" @click="add(2)">Add two</v-btn>
          </v-card>
        </template>
        """
    ).tag(sync=True)

    def vue_add(self, number: int) -> None:
        """Called from the template."""
        self.count += number


def vuetify_card() -> widgets.Widget:
    """ipyvuetify: a template and a button."""
    tally, said = Tally(), widgets.Label("Nothing yet")
    tally.observe(lambda change: setattr(said, "value", f"{change.new} in all"), "count")
    button = ipyvuetify.Btn(color="success", children=["A button of Vuetify's"])
    button.on_event("click", lambda *_: setattr(said, "value", "the button was clicked"))
    return _page(widgets.VBox([tally, button]), said, "Forty", lambda: setattr(tally, "count", 40))


def data_grid() -> widgets.Widget:
    """ipydatagrid: a table whose cells can be changed."""
    table = pd.DataFrame({"city": ["Oslo", "Rome", "Bern"], "people": [700, 2800, 130]})
    grid = DataGrid(table, editable=True, layout={"width": "420px", "height": "140px"})
    said = widgets.Label("Nothing yet")
    grid.on_cell_change(lambda cell: setattr(said, "value", f"{cell['column']} is {cell['value']} now"))
    return _page(grid, said, "Oslo grows", lambda: grid.set_cell_value("people", 0, 9000))


def interactive_table() -> widgets.Widget:
    """itables: a table to search, sort and select in."""
    table = ITable(pd.DataFrame({"city": ["Oslo", "Rome", "Bern"], "people": [700, 2800, 130]}), select=True)
    said = widgets.Label("Nothing yet")
    table.observe(lambda change: setattr(said, "value", f"rows {change.new}"), "selected_rows")
    return _page(table, said, "Select Bern", lambda: setattr(table, "selected_rows", [2]))


def canvas_figure() -> widgets.Widget:
    """ipympl: a figure of matplotlib's that can be clicked, moved and zoomed."""
    plt.switch_backend("module://ipympl.backend_nbagg")
    figure, axes = plt.subplots(figsize=(6, 4))
    (line,) = axes.plot([0, 1, 2, 3], [0, 1, 0, 1])
    axes.set(xlim=(0, 3), ylim=(-0.5, 1.5))
    said = widgets.Label("Nothing yet")

    def clicked(event: Any) -> None:
        if event.inaxes and not axes.get_navigate_mode():
            said.value = f"clicked at {event.xdata:.1f}, {event.ydata:.1f}"

    def moved(axes: Any) -> None:
        said.value = f"from {axes.get_xlim()[0]:.1f} to {axes.get_xlim()[1]:.1f}"

    figure.canvas.mpl_connect("button_press_event", clicked)
    axes.callbacks.connect("xlim_changed", moved)

    def turn() -> None:
        line.set_ydata([1, 0, 1, 0])
        line.set_color("crimson")
        figure.canvas.draw_idle()

    return _page(figure.canvas, said, "Turn it over", turn)


# With Vega of its own, where it would be asked for at a CDN: a text in the class, for the whole process.
alt.JupyterChart.enable_offline()


def altair_chart() -> widgets.Widget:
    """altair: a chart whose selection Python hears of."""
    table = pd.DataFrame({"x": [1, 2, 3, 4], "y": [1, 2, 3, 4], "name": ["a", "b", "c", "d"]})
    picked = alt.selection_point(name="picked", fields=["name"])
    size = alt.param(name="size", value=400)
    points = alt.Chart(table, width=400, height=260).mark_point(filled=True, size=size)
    color = alt.when(picked).then(alt.value("teal")).otherwise(alt.value("silver"))
    chart = alt.JupyterChart(points.encode(x="x", y="y", color=color).add_params(picked, size))
    said = widgets.Label("Nothing yet")

    def selected(change: Any) -> None:
        said.value = f"picked {[row['name'] for row in change.new.value]}"

    chart.selections.observe(selected, "picked")
    return _page(chart, said, "Larger", lambda: setattr(chart.params, "size", 1600))


class Unheard(widgets.DOMWidget):
    """A widget whose JavaScript is nowhere."""

    _model_name = traitlets.Unicode("UnheardModel").tag(sync=True)
    _view_name = traitlets.Unicode("UnheardView").tag(sync=True)
    _model_module = traitlets.Unicode("unheard-of").tag(sync=True)
    _view_module = traitlets.Unicode("unheard-of").tag(sync=True)
    _model_module_version = traitlets.Unicode("^1.2.0").tag(sync=True)
    _view_module_version = traitlets.Unicode("^1.2.0").tag(sync=True)


def missing() -> widgets.Widget:
    """What is not installed: the page says so, and the rest of it works."""
    said, works = widgets.Label("Nothing yet"), "The rest works"
    scene = Unheard(_model_module="jupyter-threejs", _view_module="jupyter-threejs", _view_name="SceneView")
    return _page(widgets.VBox([Unheard(), scene]), said, "Say something", lambda: setattr(said, "value", works))


def _page(widget: widgets.Widget, said: widgets.Label, description: str, act: Callable[[], object]) -> widgets.Widget:
    button = widgets.Button(description=description)
    button.on_click(lambda _: act())
    return widgets.VBox([button, said, widget])


ROOM = Room(
    "Other people's widgets",
    {
        "/anywidget": stars,
        "/plotly": plotly_figure,
        "/bqplot": bqplot_figure,
        "/ipyleaflet": leaflet_map,
        "/ipydatagrid": data_grid,
        "/itables": interactive_table,
        "/ipyvuetify": vuetify_card,
        "/ipympl": canvas_figure,
        "/altair": altair_chart,
        "/missing": missing,
    },
)
