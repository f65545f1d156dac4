"""A page that the server updates all the time, and a button; `/truth` says what really happened."""

import threading
from itertools import count

import ipywidgets as widgets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from solara_ctx import KernelApp, get_current_context

TICK_S = 0.02
ticks = 0
clicks: list[int] = []
stop = threading.Event()


def streaming() -> widgets.Widget:
    """A label that counts 50 times a second, a button that counts clicks, and a label with what it has counted."""
    ticking, button, clicked = widgets.Label("tick 0"), widgets.Button(description="Click"), widgets.Label("0 clicks")
    closed = get_current_context().closed_event
    numbers = count(1)

    def tick() -> None:
        global ticks  # noqa: PLW0603 - there is one page, and the endpoint tells of it
        while not closed.wait(TICK_S) and not stop.is_set():
            ticks += 1
            ticking.value = f"tick {ticks}"

    def click(_: object) -> None:
        clicks.append(next(numbers))
        clicked.value = f"{clicks[-1]} clicks"

    button.on_click(click)
    threading.Thread(target=tick, daemon=True).start()
    return widgets.VBox([ticking, button, clicked])


async def truth(request: Request) -> JSONResponse:
    """How many ticks were sent and clicks were counted; `POST` stops the ticks."""
    if request.method == "POST":
        stop.set()
    return JSONResponse({"ticks": ticks, "clicks": len(clicks)})


kernels = KernelApp(streaming)
app = Starlette(
    routes=[Route("/truth", truth, methods=["GET", "POST"]), Mount("/", kernels)], lifespan=kernels.lifespan
)
