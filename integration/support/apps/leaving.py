"""A button that counts, for servers of every kind: stand-alone, and mounted in an app that has more to serve."""

import os

import ipywidgets as widgets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from solara_ctx import KernelApp, get_current_context


def counter() -> widgets.Widget:
    """Its hook says why the kernel ends."""
    button = widgets.Button(description="0")
    button.on_click(lambda _button: setattr(button, "description", str(int(button.description) + 1)))
    context = get_current_context()
    context.on_close(lambda: os.write(1, f"ended: {context.close_reason}\n".encode()))
    return button


async def about(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("about the host")


alone = KernelApp(counter)
kernels = KernelApp(counter)
mounted = Starlette(routes=[Route("/about", about), Mount("/", kernels)], lifespan=kernels.lifespan)
