"""A page that is opened and closed a thousand times, and what the process looks like from inside meanwhile."""

import gc
from collections import Counter

import ipywidgets as widgets
import psutil
from IPython.display import display
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from solara_ctx import KernelApp, ended, get_current_context

# The reasons of the last ends are remembered, as many as this: a table that has its size after a few rounds here.
ended._REMEMBERED = 50
gc.disable()


def page() -> list[widgets.Widget]:
    """Some of everything: links, observers, bound methods, an Output, the shell, a task, a hook."""
    slider, text, label, out = widgets.IntSlider(), widgets.IntText(), widgets.Label(), widgets.Output()
    button = widgets.Button(description="Click")
    box = widgets.VBox([slider, text, label, out])
    widgets.link((slider, "value"), (text, "value"))
    slider.observe(lambda change: setattr(label, "value", str(change["new"])), "value")
    with out:
        print("printed")
        display("displayed")

    async def task() -> None:
        slider.value += 1

    def clicked(_: widgets.Button) -> None:
        slider.value += 1
        get_current_context().create_task(task())

    button.on_click(clicked)
    get_current_context().on_close(lambda: box.children)
    return [button, box]


def look(request: Request) -> JSONResponse:
    """Objects by type, and memory in bytes."""
    types = Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in gc.get_objects())
    memory = psutil.Process().memory_full_info()
    return JSONResponse({"types": types, "rss": memory.rss, "uss": memory.uss, "kernels": len(kernels.registry)})


kernels = KernelApp(page)
app = Starlette(routes=[Route("/look", look), Mount("/", kernels)], lifespan=kernels.lifespan)
