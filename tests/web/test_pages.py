"""Page functions, their HTML and their files."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from solara_ctx.web.assets import Assets
from solara_ctx.web.pages import Pages, render, render_message


def asked(path: str, root_path: str = "") -> HTTPConnection:
    return HTTPConnection({"type": "http", "path": root_path + path, "root_path": root_path, "headers": []})


def assets(tmp_path: Path) -> Assets:
    manifest = {"entry": "main-1.js", "styles": ["main-2.css"], "preload": ["chunk-3.js"]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return Assets(tmp_path)


def test_a_page_function_may_take_the_connection_or_nothing() -> None:
    """Both kinds run; the connection is passed to the one that asks for it."""
    connection = asked("/")
    plain = Pages(lambda: "plain").bind(connection)
    curious = Pages(lambda connection: connection).bind(connection)
    optional = Pages(lambda connection=None: connection).bind(connection)
    assert plain is not None
    assert curious is not None
    assert optional is not None
    assert plain() == "plain"
    assert curious() is connection
    assert optional() is connection


def test_pages_are_found_by_their_path_below_the_mount() -> None:
    """The mount's own path does not count."""
    pages = Pages({"/": lambda: "home", "/report": lambda: "report"})
    found = pages.bind(asked("/report", root_path="/sub"))
    assert found is not None
    assert found() == "report"
    assert pages.bind(asked("/nowhere")) is None


async def some_coroutine() -> None: ...


@pytest.mark.parametrize(
    ("page", "error", "message"),
    [
        ("text", TypeError, "has to be a function"),
        (dict, TypeError, "has to be a function"),
        (some_coroutine, TypeError, "is async"),
        (lambda one, two: None, TypeError, "may take one argument"),
        (lambda *, only: None, TypeError, "may take one argument"),
        ({}, ValueError, "at least one page"),
        ({"no-slash": lambda: None}, ValueError, "begin with a slash"),
        ({"/item/{name}": lambda: None}, ValueError, "can't have parameters"),
    ],
)
def test_what_is_no_page_is_refused_at_once(page: Any, error: type[Exception], message: str) -> None:
    """A mistake is said when the app is made, not when the first visitor comes."""
    with pytest.raises(error, match=message):
        Pages(page)


def test_the_html_carries_the_config_and_no_inline_script(tmp_path: Path) -> None:
    """A strict content security policy lets the page through, and no id breaks out of its element."""
    response = render(assets(tmp_path), base_url="/sub/", kernel_id="</script><b>", title="A & <b>", debug=False)
    html = bytes(response.body).decode()
    assert "<title>A &amp; &lt;b&gt;</title>" in html
    config = re.search(r'id="solara-config">(.*?)</script>', html)
    assert config is not None
    assert json.loads(config[1])["kernelId"] == "</script><b>"
    assert json.loads(config[1])["baseUrl"] == "/sub/"
    assert '<script type="module" src="/sub/static/main-1.js"></script>' in html
    assert '<link rel="stylesheet" href="/sub/static/main-2.css">' in html
    assert '<link rel="modulepreload" href="/sub/static/chunk-3.js">' in html
    assert not re.search(r"<script(?![^>]*(src=|type=\"application/json\"))", html)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["referrer-policy"] == "same-origin"


def test_each_rendering_is_another_page(tmp_path: Path) -> None:
    """Two tabs never share a page id."""
    files = assets(tmp_path)
    bodies = {bytes(render(files, base_url="/", kernel_id="k", title="t", debug=True).body) for _ in range(3)}
    assert len(bodies) == 3


def test_a_message_page_escapes_what_it_says() -> None:
    """No text becomes markup."""
    response = render_message("<i>", "<script>", 503, {"Retry-After": "5"})
    assert b"<script>" not in response.body
    assert b"&lt;script&gt;" in response.body
    assert response.headers["retry-after"] == "5"
