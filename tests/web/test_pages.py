"""Page functions, their HTML and their files."""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from solara_ctx.web.pages import Assets, FrontendMissing, HashedFiles, Pages, render, render_message


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


def test_each_rendering_is_another_page(tmp_path: Path) -> None:
    """Two tabs never share a page id."""
    files = assets(tmp_path)
    bodies = {bytes(render(files, base_url="/", kernel_id="k", title="t", debug=True).body) for _ in range(3)}
    assert len(bodies) == 3


def test_a_missing_frontend_is_said_plainly(tmp_path: Path) -> None:
    """Whoever installed a checkout without building it learns what to do."""
    with pytest.raises(FrontendMissing, match="pip install"):
        Assets(tmp_path)


def test_a_message_page_escapes_what_it_says() -> None:
    """No text becomes markup."""
    response = render_message("<i>", "<script>", 503, {"Retry-After": "5"})
    assert b"<script>" not in response.body
    assert b"&lt;script&gt;" in response.body
    assert response.headers["retry-after"] == "5"


@pytest.fixture
def files(tmp_path: Path) -> HashedFiles:
    """A file in three encodings, and one in a single one."""
    for name, content in (("a-1.js", "plain"), ("a-1.js.br", "as br"), ("a-1.js.gz", "as gzip"), ("b-2.woff2", "font")):
        (tmp_path / name).write_text(content)
    return HashedFiles(tmp_path)


@pytest.mark.parametrize(
    ("accepted", "encoding", "content"),
    [
        ("gzip, deflate, br, zstd", "br", "as br"),
        ("gzip", "gzip", "as gzip"),
        ("GZIP;q=0.5, br;q=0", "gzip", "as gzip"),
        ("br;q=0.0, gzip;q=0", None, "plain"),
        ("", None, "plain"),
        ("identity", None, "plain"),
        ("bright", None, "plain"),
    ],
)
async def test_a_file_is_sent_in_the_best_encoding(
    files: HashedFiles, accepted: str, encoding: str | None, content: str
) -> None:
    """Brotli before gzip before none, as the browser allows; always the same media type, to be kept for ever."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(files), base_url="http://test") as http:
        request = http.build_request("GET", "/a-1.js", headers={"Accept-Encoding": accepted})
        response = await http.send(request, stream=True)
        raw = b"".join([part async for part in response.aiter_raw()])
    assert raw.decode() == content
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["content-type"].startswith("text/javascript")
    assert response.headers["vary"] == "Accept-Encoding"
    assert "immutable" in response.headers["cache-control"]


async def test_a_file_without_other_encodings_is_sent_as_it_is(files: HashedFiles) -> None:
    """Fonts are compressed by their format."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(files), base_url="http://test") as http:
        response = await http.get("/b-2.woff2")
        assert response.text == "font"
        assert "content-encoding" not in response.headers


@pytest.mark.parametrize("path", ["/nothing.js", "/../conftest.py", "/%2e%2e/conftest.py", "/"])
async def test_nothing_else_is_served(files: HashedFiles, path: str) -> None:
    """Only what the build has put there."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(files), base_url="http://test") as http:
        with pytest.raises(HTTPException) as refused:
            await http.get(path)
    assert refused.value.status_code == 404
