"""The page as an app of solara_ctx: a button, and a label that the server answers with."""

import ipywidgets as widgets


def page() -> object:
    button, label = widgets.Button(description="Click"), widgets.Label("0")
    # How the benchmark finds them.
    button.add_class("ask")
    label.add_class("answer")
    button.on_click(lambda _: setattr(label, "value", str(int(label.value) + 1)))
    return widgets.VBox([button, label])
