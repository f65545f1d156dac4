"""Every core control and layout of ipywidgets 8 on one page, each with the server's view of its value."""

import datetime as dt
import re
import struct
import zlib
from pathlib import Path

import ipywidgets as widgets
from IPython.display import HTML, Markdown, display
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from solara_ctx import KernelApp


def png(red: int, green: int, blue: int) -> bytes:
    """A small picture in one colour."""
    size = 24

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + bytes((red, green, blue)) * size for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def controls() -> list[widgets.Widget]:
    """One of each control that has a value."""
    day, options = dt.date(2026, 2, 3), ["apple", "pear", "plum"]
    return [
        widgets.IntSlider(value=3),
        widgets.FloatSlider(value=2.5),
        widgets.FloatLogSlider(value=10),
        widgets.IntRangeSlider(value=(2, 8), max=10),
        widgets.FloatRangeSlider(value=(1.5, 7.5)),
        widgets.SelectionSlider(options=options),
        widgets.SelectionRangeSlider(options=options),
        widgets.IntProgress(value=4, max=10),
        widgets.FloatProgress(value=4.0, max=10),
        widgets.BoundedIntText(value=5),
        widgets.IntText(value=6),
        widgets.BoundedFloatText(value=1.5),
        widgets.FloatText(value=2.5),
        widgets.Text(value="text"),
        widgets.Password(value="secret"),
        widgets.Textarea(value="lines\nof text"),
        widgets.Combobox(value="pear", options=options),
        widgets.Checkbox(value=True, description="check"),
        widgets.ToggleButton(value=False, description="toggle", icon="check"),
        widgets.ToggleButtons(options=options),
        widgets.Dropdown(options=options),
        widgets.RadioButtons(options=options),
        widgets.Select(options=options),
        widgets.SelectMultiple(options=options, value=("pear",)),
        widgets.Valid(value=True),
        widgets.ColorPicker(value="#336699"),
        widgets.DatePicker(value=day),
        widgets.TimePicker(value=dt.time(12, 30)),
        widgets.DatetimePicker(value=dt.datetime(2026, 2, 3, 12, 30, tzinfo=dt.UTC)),
        widgets.NaiveDatetimePicker(value=dt.datetime(2026, 2, 3, 12, 30)),  # noqa: DTZ001 - it is for naive ones
        widgets.TagsInput(value=["apple", "pear"]),
        widgets.ColorsInput(value=["red", "#336699"]),
        widgets.IntsInput(value=[1, 2]),
        widgets.FloatsInput(value=[1.5, 2.5]),
        widgets.Play(value=0, max=100, interval=50),
    ]


def with_echo(control: widgets.Widget) -> widgets.Widget:
    """A control, its name, and what the server holds."""
    echo = widgets.Label(str(control.value))
    echo.add_class(f"echo-{type(control).__name__}")
    control.add_class(f"control-{type(control).__name__}")
    control.observe(lambda change: setattr(echo, "value", str(change["new"])), "value")
    return widgets.HBox([widgets.Label(type(control).__name__, layout={"width": "160px"}), control, echo])


def show() -> list[widgets.Widget]:
    """What has no value of its own: text, media, buttons, layouts, output."""
    out = widgets.Output()
    with out:
        print("printed into the output")
        display(HTML("<i>displayed HTML</i>"), Markdown("displayed **Markdown**"), widgets.Label("a widget in it"))
    button = widgets.Button(description="print more", icon="plus", button_style="info")

    def more(_button: widgets.Button) -> None:
        print("printed later")
        raise ValueError("raised in the output")

    button.on_click(out.capture()(more))
    upload = widgets.FileUpload(description="upload")
    uploaded = widgets.Label("nothing uploaded")
    upload.observe(
        lambda change: setattr(uploaded, "value", f"{change['new'][0].name}: {bytes(change['new'][0].content)!r}"),
        "value",
    )
    left, right = widgets.IntSlider(description="linked"), widgets.IntText(description="to it")
    widgets.jslink((left, "value"), (right, "value"))
    source, target = widgets.BoundedIntText(description="source"), widgets.IntProgress(description="target")
    widgets.link((source, "value"), (target, "value"))
    gamepad = widgets.Controller(index=0)
    return [
        widgets.HTML("<h3>HTML</h3>"),
        widgets.HTMLMath(r"Euler: \(e^{i\pi}+1=0\)"),
        widgets.Image(value=png(200, 30, 30), format="png", width=48, height=48),
        widgets.HBox([button, out]),
        widgets.HBox([upload, uploaded]),
        widgets.HBox([left, right]),
        widgets.HBox([source, target]),
        widgets.Accordion(children=[widgets.Label("in the accordion")], titles=["accordion"], selected_index=0),
        widgets.Tab(children=[widgets.Label("first tab"), widgets.Label("second tab")], titles=["one", "two"]),
        widgets.Stack(children=[widgets.Label("stacked"), widgets.Label("below it")], selected_index=0),
        widgets.GridBox(
            [widgets.Button(description=str(number)) for number in range(4)],
            layout={"grid_template_columns": "80px 80px"},
        ),
        widgets.TwoByTwoLayout(top_left=widgets.Label("top left"), bottom_right=widgets.Label("bottom right")),
        widgets.AppLayout(
            header=widgets.Label("header"), center=widgets.Label("centre"), footer=widgets.Label("footer")
        ),
        widgets.interactive(lambda number: number * number, number=(0, 10)),
        gamepad,
    ]


def gallery() -> widgets.Widget:
    """All of them, in two columns."""
    left = widgets.VBox([with_echo(control) for control in controls()])
    return widgets.HBox([left, widgets.VBox(show(), layout={"margin": "0 0 0 40px"})])


kernels = KernelApp(gallery)
app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan)


def with_policy(served: ASGIApp) -> ASGIApp:
    """Each answer with the content security policy that the documentation shows."""
    page = (Path(__file__).parents[3] / "docs/security.md").read_text()
    policy = re.search(r"^Content-Security-Policy: (.*)", page, re.MULTILINE)
    assert policy is not None

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = policy[1]
            await send(message)

        await served(scope, receive, with_header)

    return answer


strict = with_policy(app)
