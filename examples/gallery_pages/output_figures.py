"""Figures of matplotlib, as notebooks draw them."""

import ipywidgets as widgets
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure


def figures() -> widgets.Widget:
    """matplotlib: plt.show(), display(figure), and a plot with a slider."""
    shown, displayed, of_its_own = widgets.Output(), widgets.Output(), widgets.Output()
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

    def line(slope: int) -> None:
        plt.figure(figsize=(3, 2))
        plt.plot([0, 1], [0, slope])
        plt.title(f"slope {slope}")

    rows = [shown, displayed, of_its_own, widgets.interactive(line, slope=(0, 5))]
    for name, row in zip(("shown", "displayed", "alone", "slider"), rows, strict=True):
        row.add_class(f"figure-{name}")
    return widgets.GridBox(rows, layout={"grid_template_columns": "360px 360px"})


PAGES = {"/output/figures": figures}
