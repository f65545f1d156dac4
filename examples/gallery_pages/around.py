"""What is around the widgets: title, icon and theme, a template with several places, files, frames, the address."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

import ipywidgets as widgets
from gallery_pages.room import Room
from starlette.requests import HTTPConnection

from solara_ctx import Page, get_current_context, set_favicon, set_theme, set_title

HERE = Path(__file__).parent


def look() -> widgets.Widget:
    """Title, icon and theme, changed while the page is open."""
    title = widgets.Text("A page with a look", description="Title")
    icon = widgets.ToggleButtons(options=["🦊", "🌻", "🐙"], description="Icon")
    theme = widgets.ToggleButtons(options=["auto", "light", "dark"], description="Theme")
    title.observe(lambda change: set_title(change["new"]), "value")
    icon.observe(lambda change: set_favicon(change["new"]), "value")
    theme.observe(lambda change: set_theme(change["new"]), "value")
    return widgets.VBox([widgets.HTML("<h1>Look</h1>"), title, icon, theme, *_controls()])


def _controls() -> list[widgets.Widget]:
    """One of most kinds, as each has colours of its own."""
    styles = ["", "primary", "success", "info", "warning", "danger"]
    buttons = [widgets.Button(description=style or "plain", button_style=style) for style in styles]
    numbers = [
        widgets.IntSlider(40, description="Slider"),
        widgets.IntRangeSlider(value=(20, 70), description="Range"),
        widgets.IntProgress(60, description="Progress"),
        widgets.BoundedIntText(7, description="Number"),
    ]
    choices = [
        widgets.Dropdown(options=["one", "two"], description="Dropdown"),
        widgets.Select(options=["one", "two", "three"], description="Select", rows=3),
        widgets.RadioButtons(options=["one", "two"], description="Radio"),
        widgets.Checkbox(value=True, description="Checkbox"),
    ]
    texts = [
        widgets.Textarea("Some text", description="Textarea"),
        widgets.DatePicker(description="Date"),
        widgets.TagsInput(value=["tags", "input"]),
        widgets.Valid(value=False, description="Valid"),
    ]
    html = widgets.HTML("<p>Text with a <a href='#'>link</a>, <code>code</code> and <b>bold</b> words.</p>")
    output = widgets.Output()
    output.append_stdout("printed\n")
    output.append_stderr("printed as an error\n")
    output.append_display_data(
        widgets.HTML("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>")
    )
    columns = [widgets.VBox(column) for column in (numbers, choices, texts)]
    tabs = widgets.Tab([html, output], titles=["Text", "Output"])
    return [
        widgets.HBox(buttons),
        widgets.HBox(columns),
        tabs,
        widgets.Accordion([widgets.Label("Inside")], titles=["Accordion"]),
    ]


def controls() -> list[widgets.Widget]:
    """Every control in the dark."""
    return [widgets.HTML("<h1>Dark</h1>"), *_controls()]


def places() -> dict[str, widgets.Widget]:
    """A template of one's own, with three places for widgets."""
    year = widgets.IntSlider(2024, min=2000, max=2026, description="Year")
    shown = widgets.HTML("<p>Sales of 2024</p>")
    total = widgets.Label("")
    year.observe(lambda change: setattr(shown, "value", f"<p>Sales of {change['new']}</p>"), "value")
    year.observe(lambda change: setattr(total, "value", f"{change['new'] - 2000} years of sales"), "value")
    return {"sidebar": year, "main": shown, "footer": total}


def lost() -> dict[str, widgets.Widget]:
    """Widgets for a place that the page does not have."""
    return {"nowhere": widgets.Label("never seen")}


def files() -> widgets.Widget:
    """Files to download: data, a function that makes one, a stream."""
    offered = get_current_context().files
    numbers = widgets.IntSlider(5, description="Rows", min=1, max=20)

    def table() -> str:
        """Made when it is asked for, of what the page shows then."""
        return "n,square\n" + "".join(f"{n},{n * n}\n" for n in range(numbers.value))

    def megabytes() -> Iterator[bytes]:
        for number in range(500):
            yield bytes([number % 256]) * 2**20

    circle = "<circle cx='45' cy='45' r='40' fill='teal'/>"
    picture = f"<svg xmlns='http://www.w3.org/2000/svg' width='90' height='90'>{circle}</svg>"
    links = {
        "Text": offered.add("Größe: 7\n", "Größe.txt"),
        "Table": offered.add(table, "squares.csv"),
        "500 MB": offered.add(megabytes, "zeros.bin"),
        "This file": offered.add(Path(__file__), "around.py"),
    }
    shown = offered.add(picture, "circle.svg")
    list_of_links = "".join(f"<li><a href='{url}' download>{text}</a></li>" for text, url in links.items())
    html = widgets.HTML(f"<h1>Files</h1><ul>{list_of_links}</ul><img src='{shown}' alt='A circle'>")
    withdraw = widgets.Button(description="Withdraw the text")
    withdraw.on_click(lambda _: offered.remove(links["Text"]))
    return widgets.VBox([html, numbers, withdraw])


def frame() -> widgets.Widget:
    """A page in a frame of another one."""
    frame = widgets.HTML("<iframe src='counter' title='Counter' width='400' height='130'></iframe>")
    button, label = widgets.Button(description="Outside"), widgets.Label("0")
    button.on_click(lambda _: setattr(label, "value", str(int(label.value) + 1)))
    close = widgets.Button(description="Close the frame")
    close.on_click(lambda _: frame.close())
    return widgets.VBox([widgets.HTML("<h1>Frame</h1>"), widgets.HBox([button, close]), label, frame])


def asked(request: HTTPConnection) -> widgets.Widget:
    """What is asked for in the address, as in /asked?year=2025&name=Ada."""
    query = request.query_params
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(query[name])}</td></tr>" for name in query)
    return widgets.HTML(f"<h1>Asked for</h1><table>{rows or '<tr><td>nothing</td></tr>'}</table>")


ROOM = Room(
    "Around the widgets",
    {
        "/look": Page(look, title="A page with a look", favicon="🦊"),
        "/dark": Page(controls, title="Dark", favicon=HERE / "moon.svg", theme="dark"),
        "/places": Page(places, title="Sales", template=HERE / "places.html"),
        "/lost": lost,
        "/files": files,
        "/frame": frame,
        "/asked": asked,
    },
)
