"""Page functions that use what there is to use: every widget, every way to hold one, and the shell."""

import threading
from functools import partial
from typing import Any

import ipywidgets as widgets
import traitlets
from IPython import get_ipython
from IPython.core.completer import provisionalcompleter
from IPython.display import display

from tests.support.kernels import every_core_widget, fail


class Panel(widgets.VBox):
    """A widget of the user's that is its own controller, and that others refer to."""

    parent = traitlets.Any()
    related: Any = traitlets.List()

    def __init__(self) -> None:
        super().__init__()
        self.button = widgets.Button(description="panel")
        self.button.on_click(self.clicked)
        self.button.on_msg(self.messaged)
        self.slider = widgets.IntSlider()
        self.slider.observe(self.changed, "value")
        self.children = (self.button, self.slider)
        self.observe(self.changed)

    @traitlets.validate("related")
    def _check(self, proposal: Any) -> Any:
        return proposal.value

    def clicked(self, _: object) -> None:
        """React."""
        self.slider.value += 1

    def messaged(self, *_: object) -> None:
        """React."""

    def changed(self, _: object) -> None:
        """React."""


def two_panels() -> tuple[Panel, Panel]:
    """Bound methods, back references and widgets that refer to each other in traits."""
    first, second = Panel(), Panel()
    first.parent, second.parent = second, first
    first.related, second.related = [{"a": (second, {"b": [first]})}], [[first], {"c": second}]
    first.button.click()
    return first, second


def everything() -> widgets.Widget:
    """All widgets, and a shell that was used for all it can."""
    use_shell()
    return all_widgets()


def all_widgets() -> widgets.Widget:
    """All core widgets with links, observers, bound methods and outputs."""
    made = every_core_widget()
    first, second = two_panels()
    box = widgets.VBox([*(item for item in made if isinstance(item, widgets.DOMWidget)), first, second])
    tie_together(made, box)
    write_into_outputs()
    return box


def tie_together(made: list[Any], box: widgets.Widget) -> None:
    """Links, observers and handlers, each of which refers to everything."""
    slider, text, label = widgets.IntSlider(), widgets.IntText(), widgets.Label()
    widgets.link((slider, "value"), (text, "value"))
    widgets.dlink((slider, "value"), (label, "value"), str)
    widgets.jslink((slider, "value"), (text, "value"))
    widgets.jsdlink((slider, "value"), (text, "value"))
    traitlets.link((slider, "max"), (text, "value"))
    for item in made:
        item.observe(lambda change: (made, box))
        item.on_msg(lambda *_: (made, box))
    buttons = [item for item in made if isinstance(item, widgets.Button)]
    for button in buttons:
        button.on_click(lambda clicked: (clicked, made, box))
        button.click()
    slider.value = 7


def write_into_outputs() -> None:
    """Text, objects, errors, and a thread that prints."""
    out = widgets.Output()
    with out:
        print("text")
        display("x", out)
        fail()
    out.append_stdout("x")
    thread = threading.Thread(target=out.capture()(partial(print, "from a thread")))
    thread.start()
    thread.join()
    nested = widgets.Output()
    with nested, out:
        print("inner")


def use_shell() -> None:
    """A display call, cells, magics, completions, tracebacks, hooks and formatters."""
    shell = get_ipython()
    display({"a": 1})
    shell.run_cell("x = 1\ndef f():\n    return f\nx", store_history=True)
    shell.run_cell("1/0")
    shell.run_cell("%xmode Context\n1/0")
    shell.run_cell("class A:\n    pass\na = A()\na.a = a\nraise ValueError(a)")
    shell.run_line_magic("who", "")
    shell.run_line_magic("timeit", "-n1 -r1 -q pass")
    shell.run_cell_magic("sh", "", "true")
    with provisionalcompleter():
        list(shell.Completer.completions("x.re", 4))
        list(shell.Completer.completions("import jso", 10))
    shell.showtraceback()
    shell.events.register("post_execute", lambda: shell)
    shell.set_custom_exc((LookupError,), lambda *_, **__: shell and None)
    shell.display_formatter.formatters["text/html"].for_type(Panel, lambda value: str(shell))


def one_button() -> widgets.Button:
    """As little as can be clicked on."""
    button = widgets.Button(description="one")
    button.on_click(lambda clicked: setattr(clicked, "description", "clicked"))
    return button
