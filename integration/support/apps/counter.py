"""The smallest apps, each embedded in another way; `app` is the one that is served where nobody names another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import ipywidgets as widgets
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from solara_ctx import KernelApp, get_current_context


def counter(connection: HTTPConnection) -> widgets.Widget:
    """A button, a label that the server answers with, and a slider with its answer."""
    button, label = widgets.Button(description="Click"), widgets.Label("0 clicks")
    slider, answer = widgets.IntSlider(value=1, max=100), widgets.Label("squared: 1")
    clicks = 0

    def clicked(_button: widgets.Button) -> None:
        nonlocal clicks
        clicks += 1
        label.value = f"{clicks} clicks"

    def moved(change: dict[str, int]) -> None:
        answer.value = f"squared: {change['new'] ** 2}"

    button.on_click(clicked)
    slider.observe(moved, "value")
    get_current_context().on_close(lambda: print("closed", flush=True))
    where = widgets.Label(f"asked for {connection.query_params.get('name', 'nothing')}")
    return widgets.VBox([button, label, slider, answer, where])


async def about(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("about the host")


kernels = KernelApp(counter)
app = Starlette(routes=[Route("/about", about), Mount("/", kernels)], lifespan=kernels.lifespan)

below_kernels = KernelApp(counter)


@asynccontextmanager
async def own_lifespan(host: Starlette) -> AsyncIterator[None]:
    async with below_kernels.lifespan(host):
        yield


starlette_wired = Starlette(routes=[Route("/about", about), Mount("/sub/path", below_kernels)], lifespan=own_lifespan)
starlette_unwired = Starlette(routes=[Route("/about", about), Mount("/sub/path", KernelApp(counter))])

fastapi_kernels = KernelApp(counter)
fastapi_wired = FastAPI(lifespan=fastapi_kernels.lifespan)
fastapi_wired.mount("/sub/path", fastapi_kernels)
fastapi_unwired = FastAPI()
fastapi_unwired.mount("/sub/path", KernelApp(counter))

alone = KernelApp(counter)
