"""What pages can be made of, a page each: `solara-ctx run examples/gallery.py`."""

from collections.abc import Callable

from gallery_pages import around, arrays, code, development, first, isolation, output, third_party, tour
from gallery_pages.room import Pages, Room
from ipywidgets import HTML

from solara_ctx import KernelApp, Page

ROOMS = [
    first.ROOM,
    code.ROOM,
    output.ROOM,
    around.ROOM,
    isolation.ROOM,
    third_party.ROOM,
    arrays.ROOM,
    tour.ROOM,
    development.ROOM,
]


def gallery() -> HTML:
    """The list of all pages."""
    rooms = "".join(f"<h2>{room.title}</h2><ul>{_links(room)}</ul>" for room in ROOMS)
    return HTML(f"<h1>Gallery</h1>{rooms}")


def _links(room: Room) -> str:
    return "".join(f'<li><a href="{path[1:]}">{_first_line(page)}</a></li>' for path, page in room.pages.items())


def _first_line(page: Callable[..., object] | Page) -> str:
    function = page.function if isinstance(page, Page) else page
    return (function.__doc__ or "").partition("\n")[0].rstrip(".")


ALL: Pages = {"/": gallery} | {path: each for room in ROOMS for path, each in room.pages.items()}
page = KernelApp(ALL)
