"""Widgets whose modules the test has put somewhere, one whose program it changes, and the gallery's with a policy."""

import os
import sys
from pathlib import Path
from urllib.parse import parse_qs

import anywidget
import ipywidgets as widgets
import traitlets
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from solara_ctx import KernelApp

sys.path.insert(0, str(Path(__file__).parents[3] / "examples"))
from gallery_pages.third_party import ROOM


class OfModule(widgets.DOMWidget):
    """A widget of any module."""

    _model_name = traitlets.Unicode("PlainModel").tag(sync=True)
    _view_name = traitlets.Unicode("PlainView").tag(sync=True)
    _model_module = traitlets.Unicode().tag(sync=True)
    _view_module = traitlets.Unicode().tag(sync=True)
    _model_module_version = traitlets.Unicode().tag(sync=True)
    _view_module_version = traitlets.Unicode().tag(sync=True)

    def __init__(self, module: str, version: str = "^1.0.0") -> None:
        super().__init__(
            _model_module=module, _view_module=module, _model_module_version=version, _view_module_version=version
        )


def modules() -> widgets.Widget:
    """One of each that is named in the environment."""
    made = [OfModule(*name.split("@")) for name in os.environ["MODULES"].split()]
    return widgets.VBox([*made, widgets.Label("The end")])


class Hot(anywidget.AnyWidget):
    """A widget whose program is in a file."""

    if "WIDGET" in os.environ:
        _esm = Path(os.environ["WIDGET"]) / "widget.js"
        _css = Path(os.environ["WIDGET"]) / "widget.css"
    count = traitlets.Int(0).tag(sync=True)


def hot() -> widgets.Widget:
    """It, and what Python knows of it."""
    widget, said = Hot(), widgets.Label("0")
    widget.observe(lambda change: setattr(said, "value", str(change.new)), "count")
    return widgets.VBox([widget, said])


kernels = KernelApp({"/modules": modules, "/hot": hot, **ROOM.pages})


def with_policy(served: ASGIApp) -> ASGIApp:
    """Each answer with the content security policy that the address names."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        policy = parse_qs(scope.get("query_string", b"").decode()).get("policy")

        async def with_header(message: Message) -> None:
            if message["type"] == "http.response.start" and policy:
                MutableHeaders(scope=message)["Content-Security-Policy"] = policy[0]
            await send(message)

        await served(scope, receive, with_header)

    return answer


app = with_policy(Starlette(routes=[Mount("/below", kernels)], lifespan=kernels.lifespan))
