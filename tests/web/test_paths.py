"""Where requests point: decoded as ASGI has it, encoded as the browser has it."""

import pytest
from starlette.websockets import WebSocket

from solara_ctx.web.paths import mount_url, page_location, relative_path


@pytest.mark.parametrize(
    ("path", "root_path", "relative"),
    [
        ("/", "", "/"),
        ("/report", "", "/report"),
        ("/sub", "/sub", "/"),
        ("/sub/", "/sub", "/"),
        ("/sub/report", "/sub", "/report"),
        ("/report", "/sub", "/report"),
        ("/subscribe", "/sub", "/subscribe"),
    ],
)
def test_a_path_is_relative_to_the_mount(path: str, root_path: str, relative: str) -> None:
    """As Starlette's router sees it: a prefix that is not in the path is not taken from it."""
    assert relative_path({"path": path, "root_path": root_path}) == relative


@pytest.mark.parametrize(
    ("root_path", "url"),
    [
        ("", "/"),
        ("/", "/"),
        ("/sub/path", "/sub/path/"),
        ("/a b (1)+.*", "/a%20b%20(1)+.*/"),
        ("/ж", "/%D0%B6/"),
        ("/50%", "/50%25/"),
        ("//evil.example", "/evil.example/"),
        ('/"><script>', "/%22%3E%3Cscript%3E/"),
        ("/a\r\nb", "/a%0D%0Ab/"),
    ],
)
def test_a_mount_is_named_as_the_browser_names_it(root_path: str, url: str) -> None:
    """Whatever a mount with a parameter is asked by: no other host, no markup, no header of its own."""
    assert mount_url({"root_path": root_path}) == url


def websocket(location: str) -> WebSocket:
    scope = {"type": "websocket", "path": "/sub/api/kernels/id/channels", "root_path": "/sub", "headers": []}
    return WebSocket({**scope, "query_string": f"location={location}".encode()}, None, None)  # type: ignore[arg-type]


def test_a_page_is_where_the_browser_says() -> None:
    """Below the mount, decoded once, with its query as it is."""
    location = page_location(websocket("%2F%25C3%25BCber%2520uns%3Fname%3Da%2520b"))
    assert location is not None
    assert relative_path(location.scope) == "/über uns"
    assert location.query_params["name"] == "a b"


@pytest.mark.parametrize("location", ["", "nowhere", "//[", "http://[", "//\u2100", "//other.example/", "/" * 4000])
def test_what_is_no_path_is_no_page(location: str) -> None:
    """It is refused like a page that is not there, without an exception."""
    assert page_location(websocket(location)) is None
