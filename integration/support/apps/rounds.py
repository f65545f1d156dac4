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

from solara_ctx import KernelApp, Settings, ended, get_current_context

# Why a kernel has ended is remembered for as long as its page might connect, and for so many in any case.
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
    types["builtins.tuple"] -= len(kernels.registry._ended)  # one each, and a table of its own size
    memory = psutil.Process().memory_full_info()
    return JSONResponse({"types": types, "rss": memory.rss, "uss": memory.uss, "kernels": len(kernels.registry)})


kernels = KernelApp(page, settings=Settings(kernel_connect_timeout="10s"))
app = Starlette(routes=[Route("/look", look), Mount("/", kernels)], lifespan=kernels.lifespan)
