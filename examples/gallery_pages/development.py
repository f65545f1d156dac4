"""What helps while a page is written: `SOLARA_DEBUG=1 solara-ctx run examples/gallery.py --reload`."""

import itertools
import json
import logging
from collections import deque
from datetime import datetime
from html import escape

import ipywidgets as widgets
from gallery_pages.room import Room
from starlette.requests import HTTPConnection

from solara_ctx import get_current_context

# Change this, and save the file.
GREETING = "Good morning"

# As of this import: the next one begins anew.
_imported = datetime.now().astimezone()
_runs = itertools.count(1)


def reload() -> widgets.Widget:
    """Code that changes: it is shown at once, where you are."""
    facts = widgets.HTML(
        f"<h1>{GREETING}</h1><p>Begin with <code>solara-ctx run examples/gallery.py --reload</code>, change the"
        f" greeting in <code>{escape(__file__)}</code>, and save.</p>"
        f"<p>The module was imported at <b>{_imported:%H:%M:%S.%f}</b>; since then this function has run"
        f" <i>{next(_runs)}</i> times, for whomever.</p>"
    )
    return widgets.VBox([facts, widgets.Text(placeholder="has the focus still"), widgets.Label("written anew")])


def broken() -> widgets.Widget:
    """A page function that raises: in debug mode the page shows the lines."""
    return widgets.Label(_greeting_of('{"name": "Ada"}'))


def _greeting_of(text: str) -> str:
    person = json.loads(text)
    return f"Good morning, {person['first_name']}"


def failing() -> widgets.Widget:
    """A callback that raises: in debug mode the output has the lines."""
    text, read = widgets.Text('{"name": '), widgets.Button(description="Read")
    label = widgets.Label("not read")
    read.on_click(lambda _: setattr(label, "value", str(json.loads(text.value))))
    return widgets.VBox([text, read, label])


class Said(logging.Handler):
    """The newest lines about one kernel, of the log that is everybody's."""

    def __init__(self, kernel_id: str) -> None:
        super().__init__()
        self._about = f"kernel {kernel_id[:6]}"
        self.lines: deque[str] = deque(maxlen=12)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        line = record.getMessage()
        if line.startswith(self._about):
            self.lines.append(line)


def messages() -> widgets.Widget:
    """Who says what: with SOLARA_DEBUG=1, a line in the log for each message."""
    context, log = get_current_context(), logging.getLogger("solara_ctx.messages")
    said = Said(context.id)
    log.addHandler(said)
    context.on_close(lambda: log.removeHandler(said))
    slider, look = widgets.IntSlider(description="Move me"), widgets.Button(description="What was said?")
    shown = widgets.HTML("<pre>nothing so far</pre>")

    def show(_: object) -> None:
        lines = "\n".join(said.lines) or "nothing: the server was started without SOLARA_DEBUG=1"
        shown.value = f"<pre>{escape(lines)}</pre>"

    look.on_click(show)
    return widgets.VBox([slider, look, shown])


def alive(connection: HTTPConnection) -> widgets.Widget:
    """What is alive: the kernels of this server, in a terminal."""
    command = f"solara-ctx top {connection.base_url}"
    text = widgets.HTML(
        f"<p>In a terminal, run <code>{escape(command)}</code>: this page is"
        f" <code>{get_current_context().id[:6]}…</code> there.</p>"
    )
    more, made = widgets.Button(description="A hundred sliders"), widgets.VBox()

    def make(_: object) -> None:
        made.children = [widgets.IntSlider(number) for number in range(100)]

    more.on_click(make)
    return widgets.VBox([text, more, made])


ROOM = Room(
    "Development",
    {
        "/development/reload": reload,
        "/development/broken": broken,
        "/development/failing": failing,
        "/development/messages": messages,
        "/development/alive": alive,
    },
)
