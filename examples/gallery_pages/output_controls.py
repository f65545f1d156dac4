"""Functions with controls, uploads, and what runs by itself in the browser."""

import hashlib
from functools import partial

import ipywidgets as widgets
from IPython.display import HTML, display


def interact() -> widgets.Widget:
    """Interact and its kin: functions whose arguments are controls."""
    out = widgets.Output()
    with out:
        # Shows itself, as in a notebook.
        @widgets.interact(x=(0, 10), word=["apple", "pear"], loud=False)
        def shout(x: int, word: str, loud: bool) -> None:  # noqa: FBT001 - it becomes a checkbox
            print(f"{x} times {word.upper() if loud else word}")

        @widgets.interact_manual(n=(1, 5))
        def slow(n: int) -> int:
            return n * n

    together = widgets.interactive(lambda a, b: display(HTML(f"<b>sum: {a + b}</b>")), a=2, b=3)
    left, right = widgets.IntSlider(value=4, description="left"), widgets.IntSlider(value=5, description="right")

    def product(left: int, right: int) -> None:
        print(f"product: {left * right}")
        if right == 0:
            raise ZeroDivisionError("shown where it belongs")

    apart = widgets.interactive_output(product, {"left": left, "right": right})
    return widgets.VBox([out, together, widgets.HBox([left, right]), apart])


def upload() -> widgets.Widget:
    """Files of any size: the button shows how far they are."""
    one = widgets.FileUpload(description="One file")
    many = widgets.FileUpload(description="Several", multiple=True)
    clicks = widgets.Button(description="Clicked 0 times")
    said = widgets.Label("nothing yet")

    def uploaded(change: dict[str, tuple[widgets.Widget, ...]]) -> None:
        said.value = "; ".join(
            f"{file['name']}: {file['size']} bytes, sha256 {hashlib.sha256(file['content']).hexdigest()}"
            for file in change["new"]
        )

    def clicked(_: widgets.Button) -> None:
        clicks.description = f"Clicked {int(clicks.description.split()[1]) + 1} times"

    one.observe(uploaded, "value")
    many.observe(uploaded, "value")
    clicks.on_click(clicked)
    return widgets.VBox([widgets.HBox([one, many]), clicks, said])


def linked() -> widgets.Widget:
    """Links in the browser and on the server, a clock that plays, and a gamepad."""
    play = widgets.Play(max=20, interval=40)
    played = widgets.IntProgress(max=20, description="played")
    widgets.jslink((play, "value"), (played, "value"))
    heard = widgets.Label("0")
    widgets.dlink((play, "value"), (heard, "value"), str)
    source, both = widgets.IntSlider(description="both ways"), widgets.IntText()
    widgets.link((source, "value"), (both, "value"))
    one, way = widgets.IntSlider(description="one way"), widgets.IntText()
    widgets.jsdlink((one, "value"), (way, "value"))
    pad, pressed = widgets.Controller(index=0), widgets.Label("no gamepad so far")

    def connected(change: dict[str, tuple[widgets.Widget, ...]]) -> None:
        pressed.value = f"{pad.name}: {len(pad.buttons)} buttons, {len(pad.axes)} axes"
        for number, button in enumerate(change["new"]):
            button.observe(partial(told, number), "pressed")

    def told(number: int, change: dict[str, bool]) -> None:
        pressed.value = f"button {number} is {'down' if change['new'] else 'up'}"

    pad.observe(connected, "buttons")
    rows = [[play, played, heard], [source, both], [one, way], [pad, pressed]]
    for name, row in zip(("play", "link", "jsdlink", "pad"), rows, strict=True):
        for number, widget in enumerate(row):
            widget.add_class(f"{name}-{number}")
    return widgets.VBox([widgets.HBox(row) for row in rows])


PAGES = {"/output/interact": interact, "/output/upload": upload, "/output/linked": linked}
