"""Figures of matplotlib and plotly, as notebooks draw them."""

import ipywidgets as widgets
import plotly.graph_objects as go
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure


def figures() -> widgets.Widget:
    """Figures: plt.show(), display(figure), one of plotly, and a plot with a slider."""
    shown, displayed, of_its_own, plotlys = (widgets.Output() for _ in range(4))
    with shown:
        plt.figure(figsize=(3, 2))
        plt.plot([1, 4, 9], label="plt.show()")
        plt.legend()
        plt.show()
        print("open figures:", plt.get_fignums())
    with displayed:
        figure, axes = plt.subplots(figsize=(3, 2))
        axes.bar(["a", "b"], [2, 3])
        display(figure)
        plt.close(figure)
    with of_its_own:
        # Without pyplot: nobody else knows it.
        alone = Figure(figsize=(3, 2))
        alone.subplots().scatter([1, 2, 3], [3, 1, 2])
        display(alone)
    with plotlys:
        go.Figure(go.Bar(x=["a", "b"], y=[2, 3]), layout={"width": 340, "height": 240}).show()

    def line(slope: int) -> None:
        plt.figure(figsize=(3, 2))
        plt.plot([0, 1], [0, slope])
        plt.title(f"slope {slope}")

    rows = [shown, displayed, of_its_own, widgets.interactive(line, slope=(0, 5)), plotlys]
    for name, row in zip(("shown", "displayed", "alone", "slider", "plotly"), rows, strict=True):
        row.add_class(f"figure-{name}")
    return widgets.GridBox(rows, layout={"grid_template_columns": "360px 360px"})


PAGES = {"/output/figures": figures}
