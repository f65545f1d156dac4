"""Objects of all kinds in an Output, as in the cell of a notebook."""

import base64
import struct
import zlib
from typing import Any

import ipywidgets as widgets
import pandas as pd
from IPython.display import (
    HTML,
    JSON,
    SVG,
    Code,
    GeoJSON,
    Image,
    Javascript,
    Latex,
    Markdown,
    Math,
    Pretty,
    clear_output,
    display,
    update_display,
)

# A grey square.
_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAFA3PEY8MlBGQUZaVVBfeMiCeG5uePWvuZHI//////////////////////////////////////////"
    "//////////wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAv/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AD//Z"
)


def _png() -> bytes:
    """A small picture, from blue to red."""
    rows = b"".join(b"\0" + b"".join(bytes((4 * x, 60, 255 - 4 * x)) for x in range(64)) for _ in range(24))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 64, 24, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


class WithHtml:
    def _repr_html_(self) -> str:
        return "<em>by its _repr_html_</em>"


class WithMimebundle:
    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/plain": "plain", "text/markdown": "by its `_repr_mimebundle_`"}


class WithDisplay:
    def _ipython_display_(self) -> None:
        display(Markdown("by its `_ipython_display_`"))


def rich() -> widgets.Widget:
    """HTML, Markdown, formulas, pictures, tables, and what displays itself."""
    circle = '<circle cx="12" cy="12" r="10" fill="teal"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="24">{circle}</svg>'
    things = {
        "HTML": HTML("<b>bold</b> and <mark>marked</mark>"),
        "A script": HTML(
            "<span id='script'>was not run</span>"
            "<script>document.getElementById('script').textContent = 'was run'</script>"
        ),
        "Markdown": Markdown("# A heading\n\n- **a list**, with $e^{i\\pi} = -1$"),
        "Math": Math(r"\int_0^1 x^2\,dx = \tfrac13"),
        "Latex": Latex(r"\begin{equation}a^2 + b^2 = c^2\end{equation}"),
        "PNG": Image(_png()),
        "JPEG": Image(_JPEG, format="jpeg", width=24, height=24),
        "SVG": SVG(svg),
        "Code": Code("def answer():\n    return 42", language="python"),
        "DataFrame": pd.DataFrame({"city": ["Oslo", "Lima"], "people": [709_000, 10_090_000]}),
        "_repr_html_": WithHtml(),
        "_repr_mimebundle_": WithMimebundle(),
        "_ipython_display_": WithDisplay(),
        "A widget": widgets.IntSlider(value=7),
        "An object": {"plain": ["repr", 1]},
        "Pretty": Pretty("pretty text"),
        "JSON": JSON({"a": [1, 2]}),
        "GeoJSON": GeoJSON({"type": "Point", "coordinates": [-118.4, 33.9]}),
        "Javascript": Javascript("document.title = 'it ran'"),
    }
    rows = []
    for name, thing in things.items():
        out = widgets.Output(layout={"width": "520px"})
        out.add_class(f"shows-{name.strip('_').replace(' ', '-')}")
        with out:
            display(thing)
        rows += [widgets.Label(name), out]
    return widgets.GridBox(rows, layout={"grid_template_columns": "160px 540px"})


def updates() -> widgets.Widget:
    """Displays that change: handles, ids, and an output that is cleared."""
    out, go = widgets.Output(), widgets.Button(description="Change all")
    cleared = widgets.Output()
    with out:
        handle = display(Markdown("a handle: **before**"), display_id=True)
        display(HTML("by its id: <b>before</b>"), display_id="status")
        print("a line between them")
    with cleared:
        print("step 0 of 3")

    def change(_: widgets.Button) -> None:
        handle.update(Markdown("a handle: **after**"))
        with out:
            update_display(HTML("by its id: <b>after</b>"), display_id="status")
        with cleared:
            for step in range(1, 4):
                clear_output(wait=True)
                print(f"step {step} of 3")

    go.on_click(change)
    return widgets.VBox([go, out, cleared])


PAGES = {"/output/rich": rich, "/output/updates": updates}
