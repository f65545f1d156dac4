"""What the parts of the gallery are made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from solara_ctx import Page

Pages = Mapping[str, "Callable[..., object] | Page"]


@dataclass(frozen=True)
class Room:
    """Pages that belong together, by path; the first line of a page's docstring is its title in the list."""

    title: str
    pages: Pages
