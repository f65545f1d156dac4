"""A page that sends without a pause, for readers that take nothing."""

import threading

import ipywidgets as widgets
from starlette.applications import Starlette
from starlette.routing import Mount

from solara_ctx import KernelApp, get_current_context

SIZE = 1_000_000


def talkative() -> widgets.Widget:
    """A thread changes a large text again and again."""
    text, closing = widgets.HTML(), threading.Event()

    def work() -> None:
        letter = 0
        while not closing.wait(0.01):
            letter = (letter + 1) % 26
            text.value = chr(ord("a") + letter) * SIZE

    def closed() -> None:
        closing.set()
        print("closed", flush=True)

    get_current_context().on_close(closed)
    threading.Thread(target=work, daemon=True).start()
    return text


kernels = KernelApp(talkative)
app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan)
