"""What an app's author says about how pages look."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from solara_ctx.web.assets import HashedFiles
from solara_ctx.web.looks import Appearance, Look


def appearance(look: Look, files: HashedFiles | None = None) -> Appearance:
    return Appearance(look, title="Title", files=files or HashedFiles(), reload=False)


def test_an_icon_from_a_file_is_served_by_its_content(tmp_path: Path) -> None:
    """With its type, and a name that changes with what is in it."""
    icon = tmp_path / "my icon.SVG"
    icon.write_text("<svg/>")
    files = HashedFiles()
    url = appearance(Look(favicon=str(icon)), files).favicon("/sub/")

    async def fetched() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(files), base_url="http://test") as http:
            return await http.get(url.removeprefix("/sub/static"))

    response = asyncio.run(fetched())
    assert response.text == "<svg/>"
    assert response.headers["content-type"] == "image/svg+xml"
    icon.write_text("<svg></svg>")
    assert appearance(Look(favicon=icon), files).favicon("/sub/") != url


@pytest.mark.parametrize("icon", ["/static/icon.svg", "https://example.test/i.png", "data:image/png;base64,AAAA"])
def test_an_icon_may_be_a_url(icon: str) -> None:
    """Of this server or another."""
    assert appearance(Look(favicon=icon)).favicon("/sub/") == icon


def test_an_icon_may_be_an_emoji_or_none() -> None:
    """Nothing is asked of the server for either."""
    assert appearance(Look(favicon="🦊")).favicon("/").startswith("data:image/svg+xml,")
    for none in ("", None):
        assert appearance(Look(favicon=none)).favicon("/") == "data:,"


@pytest.mark.parametrize(
    ("look", "error", "message"),
    [
        ({"title": 7}, TypeError, "the title of a page is a string, not 7"),
        ({"theme": "sepia"}, ValueError, "one of 'auto', 'light', 'dark', not 'sepia'"),
        ({"favicon": 7}, TypeError, "the favicon of a page is the path of a file, not 7"),
        ({"favicon": "none.svg"}, ValueError, r"no favicon 'none.svg', seen from .*__file__"),
        ({"favicon": Path("/none.svg")}, ValueError, "no favicon '/none.svg'"),
        ({"favicon": Path(__file__)}, ValueError, "no picture, but a file of text/x-python"),
        ({"template": "none.html"}, ValueError, "no template 'none.html'"),
        ({"template": b"page.html"}, TypeError, "the template of a page is the path of a file"),
        ({"template": ""}, ValueError, "no template"),
    ],
)
def test_what_can_not_be_used_is_said_at_once(look: Any, error: type[Exception], message: str) -> None:
    """When the app is made, not when the first visitor comes."""
    with pytest.raises(error, match=message):
        Look(**look)


def test_a_picture_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    """A browser would not know what to make of it."""
    (tmp_path / "icon").write_bytes(b"")
    with pytest.raises(ValueError, match="a file of no known type"):
        Look(favicon=tmp_path / "icon")
