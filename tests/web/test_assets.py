"""The files of the frontend."""

from pathlib import Path

import httpx2
import pytest
from starlette.middleware.gzip import GZipMiddleware

from solara_ctx.web.assets import Assets, FrontendMissing, HashedFiles


def test_a_missing_frontend_is_said_plainly(tmp_path: Path) -> None:
    """Whoever installed a checkout without building it learns what to do."""
    with pytest.raises(FrontendMissing, match="pip install"):
        Assets(tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> HashedFiles:
    """A file in three encodings, and one in a single one."""
    for name, content in (("a-1.js", "plain"), ("a-1.js.br", "as br"), ("a-1.js.gz", "as gzip"), ("b-2.woff2", "font")):
        (tmp_path / name).write_text(content)
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "c-3.css").write_text("plain" * 100)
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


@pytest.mark.parametrize(
    "path", ["/nothing.js", "/../conftest.py", "/%2e%2e/conftest.py", "/", "/manifest.json", "/a-1.js.br"]
)
async def test_nothing_else_is_served(files: HashedFiles, path: str) -> None:
    """Only what the build has put there."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(files), base_url="http://test") as http:
        response = await http.get(path)
    assert response.status_code == 404


async def test_a_file_that_the_browser_has_is_not_sent_again(files: HashedFiles) -> None:
    """Where somebody has it reload everything; the tag is that of the encoding."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(files), base_url="http://test") as http:

        async def asked(encoding: str, tag: str) -> httpx2.Response:
            headers = {"Accept-Encoding": encoding, "If-None-Match": tag}
            # What is in the file is not what its encoding says; nobody is to decode it.
            return await http.send(http.build_request("GET", "/a-1.js", headers=headers), stream=True)

        first = await asked("br", "")
        tag = first.headers["etag"]
        again, other = await asked("br", tag), await asked("gzip", tag)
    assert (first.status_code, again.status_code, other.status_code) == (200, 304, 200)
    assert again.headers["etag"] == tag
    assert "immutable" in again.headers["cache-control"]
    assert again.headers.get("content-length", "0") == "0"


async def test_files_are_only_read(files: HashedFiles) -> None:
    """Whoever wants to change one learns that it can't be done."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(files), base_url="http://test") as http:
        response = await http.post("/a-1.js")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


async def test_middleware_that_edits_an_answer_edits_that_one_only(files: HashedFiles) -> None:
    """Starlette's own compresses what was not compressed, and says so in the headers that it was given."""
    app = GZipMiddleware(files, minimum_size=1)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as http:
        answers = [await http.get("/c-3.css", headers={"Accept-Encoding": "gzip"}) for _ in range(3)]
        plain = await http.get("/c-3.css", headers={"Accept-Encoding": "identity"})
    assert {answer.text for answer in [*answers, plain]} == {"plain" * 100}
    assert {answer.headers["content-encoding"] for answer in answers} == {"gzip"}
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("header", ['"b-2.woff2"', 'W/"b-2.woff2"', '"other", W/"b-2.woff2"', "*"])
async def test_a_tag_in_any_form_is_known(files: HashedFiles, header: str) -> None:
    """A proxy may have made it a weak one, a cache may have several; fonts have their type on every system."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(files), base_url="http://test") as http:
        assert (await http.get("/b-2.woff2", headers={"If-None-Match": header})).status_code == 304
        other = await http.get("/b-2.woff2", headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.headers["content-type"]) == (200, "font/woff2")
