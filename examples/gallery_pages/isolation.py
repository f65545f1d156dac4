"""What is each page's own, though Python and its libraries keep it in one place, and what all pages share."""

import itertools
import threading
import warnings

import ipywidgets as widgets
import matplotlib as mpl
import numpy as np
from gallery_pages.room import Room
from matplotlib import pyplot as plt

_visits = itertools.count(1)


def styles() -> widgets.Widget:
    """pyplot: style, settings and figure numbers of its own."""
    style = widgets.Dropdown(options=["default", "ggplot", "dark_background", "classic"], description="Style")
    width = widgets.IntSlider(value=2, min=1, max=9, description="Line width")
    button, out = widgets.Button(description="Plot"), widgets.Output()

    def plot(_: object = None) -> None:
        plt.style.use(style.value)
        mpl.rcParams["lines.linewidth"] = width.value
        out.clear_output(wait=True)
        with out:
            figure = plt.figure(figsize=(4, 2.5))
            angles = np.linspace(0, 6.3, 100)
            (line,) = plt.plot(angles, np.sin(angles))
            plt.title(f"figure {figure.number}, {style.value}, {line.get_linewidth():g} wide")
            print(f"figures: {plt.get_fignums()}, width: {mpl.rcParams['lines.linewidth']:g}")
            plt.show()

    button.on_click(plot)
    plot()
    return widgets.VBox([style, width, button, out])


def backends() -> widgets.Widget:
    """The backend of matplotlib: one page draws pictures, another one vector graphics."""
    backend = widgets.ToggleButtons(options=["agg", "svg", "TkAgg"], description="Backend")
    button, out = widgets.Button(description="Plot in a thread"), widgets.Output()

    def plot() -> None:
        with out:
            try:
                mpl.use(backend.value)
            except ImportError as error:
                print(error)
            plt.bar([1, 2, 3], [3, 1, 2])
            print(f"drawn with {mpl.get_backend()}")
            plt.show()

    def start(_: object) -> None:
        out.clear_output()
        threading.Thread(target=plot).start()

    button.on_click(start)
    return widgets.VBox([backend, button, out])


def warned() -> widgets.Widget:
    """Warnings: each page says what becomes of its own."""
    action = widgets.ToggleButtons(options=["always", "ignore", "error", "once"], description="Warnings")
    button, out = widgets.Button(description="Warn"), widgets.Output()
    action.observe(lambda change: warnings.simplefilter(change["new"]), "value")
    warnings.simplefilter(action.value)

    def warn(_: object) -> None:
        with out:
            try:
                warnings.warn("the coffee is cold", stacklevel=2)
                print("warned")
            except UserWarning as warning:
                print(f"raised: {warning}")

    button.on_click(warn)
    return widgets.VBox([action, button, out])


def shared() -> widgets.Widget:
    """What all pages share: a global variable, as the example of all that is the process's."""
    return widgets.HTML(f"This page was opened <b>{next(_visits)}</b> times, by whomever.")


ROOM = Room(
    "Each page for itself",
    {
        "/isolation/styles": styles,
        "/isolation/backends": backends,
        "/isolation/warnings": warned,
        "/isolation/shared": shared,
    },
)
