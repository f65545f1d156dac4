"""A browser downloads what page code offers."""

import asyncio
import logging
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Message

from solara_ctx import get_current_context, has_current_context
from solara_ctx.context import VirtualKernelContext
from solara_ctx.web import making
from tests.support.fakes import PATIENCE_S
from tests.support.service import eventually
from tests.support.visits import Site, Visit, serving

GONE, FORBIDDEN, FAILED, TOO_MANY, PARTIAL = 404, 403, 500, 429, 206


def label() -> None:
    """A page that shows nothing."""


class Download:
    """A download that a browser takes piece by piece, and may leave."""

    def __init__(self, site: Site, visit: Visit, url: str) -> None:
        self.status = 0
        self.received = 0
        self.complete = False
        self.take = asyncio.Event()
        self.leave = asyncio.Event()
        cookie = "; ".join(f"{name}={value}" for name, value in visit.http.cookies.items())
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},  # as uvicorn's
            "method": "GET",
            "path": url,
            "query_string": b"",
            "headers": [(b"host", b"testserver"), (b"cookie", cookie.encode())],
        }
        self.serve = partial(site.app, scope, self._receive, self._send)
        self.task: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self) -> "Download":
        """Ask for it."""
        self.task = asyncio.ensure_future(self.serve())
        return self

    async def _receive(self) -> Message:
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        self.received += len(message["body"])
        self.complete = not message.get("more_body")
        await self.take.wait()

    async def ended(self) -> None:
        """Wait until the server is through with it."""
        async with asyncio.timeout(PATIENCE_S):
            await self.task


async def test_data_is_downloaded_by_its_browser_alone() -> None:
    """With all that a browser needs to save it, and nothing that lets it run."""
    async with serving(label) as site:
        visit, other = await site.visit(), await site.visit()
        url = visit.context.files.add("a;b\n" * 50_000, "Übersicht 1.csv")
        response = await visit.http.get(url)
        assert response.text == "a;b\n" * 50_000
        assert response.headers["content-length"] == "200000"
        assert response.headers["content-type"] == "text/csv; charset=utf-8"
        assert response.headers["content-disposition"] == (
            "attachment; filename=\"_bersicht 1.csv\"; filename*=UTF-8''%C3%9Cbersicht%201.csv"
        )
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"] == "sandbox"
        assert response.headers["cache-control"] == "no-store"
        assert (await visit.http.head(url)).headers["content-length"] == "200000"
        assert (await other.http.get(url)).status_code == FORBIDDEN
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(site.app), base_url="http://testserver") as http:
            assert (await http.get(url)).status_code == FORBIDDEN
        foreign = await visit.http.get(url, headers={"Origin": "https://elsewhere.test"})
        assert foreign.status_code == FORBIDDEN


async def test_others_have_a_turn_while_data_is_sent() -> None:
    """Among them the server, which hears so that the browser has left: else it would write all the rest to nobody."""
    seen: set[int] = set()
    async with serving(label) as site:
        visit = await site.visit()
        download = Download(site, visit, visit.context.files.add(bytes(1_000_000), "a.bin"))
        download.take.set()
        download.begin()
        while not download.task.done():
            seen.add(download.received)
            await asyncio.sleep(0)
        assert download.received == 1_000_000
    assert len(seen) > 10


async def test_a_pdf_may_be_shown() -> None:
    """Which Chrome does not do in a sandbox."""
    async with serving(label) as site:
        visit = await site.visit()
        response = await visit.http.get(visit.context.files.add(b"%PDF", "a.pdf", inline=True))
        assert response.headers["content-disposition"].startswith("inline")
        assert "content-security-policy" not in response.headers


@pytest.fixture
def on_disk(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


async def test_a_file_on_the_disk_may_be_taken_in_parts(on_disk: Path) -> None:
    """As a browser does with a film, or to go on with what was cut off."""
    async with serving(label) as site:
        visit = await site.visit()
        url = await asyncio.to_thread(visit.context.files.add, on_disk, "film.mp4")
        response = await visit.http.get(url, headers={"Range": "bytes=256-511"})
        assert (response.status_code, response.content) == (PARTIAL, bytes(range(256)))
        assert response.headers["content-disposition"].startswith('attachment; filename="film.mp4"')
        assert len((await visit.http.get(url)).content) == 256_000


async def test_a_file_on_the_disk_is_read_no_further_once_its_browser_has_left(on_disk: Path) -> None:
    """Uvicorn takes what is sent to nobody without a word."""
    async with serving(label) as site:
        visit = await site.visit()
        url = await asyncio.to_thread(visit.context.files.add, on_disk, "film.mp4")
        download = Download(site, visit, url).begin()
        await eventually(lambda: download.received > 0)
        download.leave.set()
        await download.ended()
        assert not download.complete
        await asyncio.to_thread(on_disk.unlink)
        assert (await visit.http.get(url)).status_code == GONE


@pytest.mark.parametrize("made", ["text", b"bytes", ["a", b"b"], [], [b""], iter([b"x" * 300_000, "y"])])
async def test_a_function_makes_the_file_when_it_is_asked_for(made: Any) -> None:
    """All at once or in pieces, on a worker, with the kernel current; not for who asks for the head only."""
    calls: list[tuple[VirtualKernelContext, int]] = []

    def make() -> Any:
        calls.append((get_current_context(), threading.get_ident()))
        return made

    async with serving(label) as site:
        visit = await site.visit()
        url = visit.context.files.add(make, "a.txt")
        assert (await visit.http.head(url)).status_code == 200
        assert calls == []
        content = (await visit.http.get(url)).content
        expected = [made] if isinstance(made, str | bytes) else made
        if isinstance(made, list | str | bytes):
            assert content == b"".join(piece.encode() if isinstance(piece, str) else piece for piece in expected)
        else:
            assert content == b"x" * 300_000 + b"y"
        ((context, thread),) = calls
        assert context is visit.context
        assert thread != threading.get_ident()
        calls.clear()
        del context


async def test_a_function_may_name_a_file_on_the_disk(on_disk: Path) -> None:
    """That it has just written, for example."""
    async with serving(label) as site:
        visit = await site.visit()
        url = visit.context.files.add(lambda: on_disk, "a.bin")
        assert len((await visit.http.get(url)).content) == 256_000
        await eventually(lambda: visit.context.files.in_the_making == 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: 7, "TypeError: the function of a file returns bytes, .* not a int"),
        (lambda: 1 / 0, "ZeroDivisionError"),
        (lambda: next(iter(())), "raised StopIteration"),
        (lambda: None, "not a NoneType"),
    ],
)
async def test_a_function_that_fails_is_an_error_of_the_app(
    make: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The browser is told so, the log is told more, and the kernel lives on."""
    async with serving(label) as site:
        visit = await site.visit()
        response = await visit.http.get(visit.context.files.add(make, "a.csv"))
        assert response.status_code == FAILED
        assert "Something went wrong in the app" in response.text
        assert "ZeroDivisionError" not in response.text
        await eventually(lambda: "download of a.csv" in caplog.text)
        assert re.search(message, caplog.text)
        await eventually(lambda: visit.context.files.in_the_making == 0)
        caplog.clear()


def pieces(closed: list[str], size: int = 1_000_000) -> Iterator[bytes]:
    """Pieces without end."""
    try:
        while True:
            yield b"x" * size
    finally:
        closed.append("closed" if has_current_context() else "")


async def test_nothing_is_made_that_is_not_taken() -> None:
    """A browser that is slow does not fill the server's memory; one that leaves ends the generator."""
    closed: list[str] = []
    async with serving(label) as site:
        visit = await site.visit()
        download = Download(site, visit, visit.context.files.add(lambda: pieces(closed), "a.bin")).begin()
        await eventually(lambda: download.received > 0)
        await asyncio.sleep(0)
        assert download.received == 1_000_000
        assert visit.context.files.in_the_making == 1
        download.leave.set()
        await download.ended()
        await eventually(lambda: closed == ["closed"])
        assert not download.complete
        await eventually(lambda: visit.context.files.in_the_making == 0)


async def test_a_download_that_is_being_made_ends_with_its_kernel() -> None:
    """The generator is closed before, and the browser sees that something is missing."""
    closed: list[str] = []
    async with serving(label) as site:
        visit = await site.visit()
        download = Download(site, visit, visit.context.files.add(lambda: pieces(closed), "a.bin")).begin()
        await eventually(lambda: download.received > 0)
        report = await visit.context.aclose()
        assert report.ok
        assert closed == ["closed"]
        await download.ended()
        assert not download.complete


async def test_a_kernel_that_is_about_to_end_makes_no_file() -> None:
    """Somebody has asked for its end, which has not begun."""
    async with serving(label) as site:
        visit = await site.visit()
        download = Download(site, visit, visit.context.files.add(lambda: b"1", "a.bin"))
        download.take.set()
        closing = visit.context.close()
        await download.serve()
        assert download.status == GONE
        await asyncio.wrap_future(closing)


async def test_a_download_of_data_goes_on_when_its_kernel_has_ended() -> None:
    """Whoever closes the page right after the click has their file nonetheless."""
    async with serving(label) as site:
        visit = await site.visit()
        url = visit.context.files.add(b"x" * 200_000, "a.bin")
        download = Download(site, visit, url).begin()
        await eventually(lambda: download.received > 0)
        await visit.context.aclose()
        download.take.set()
        await download.ended()
        assert (download.complete, download.received) == (True, 200_000)
        assert (await visit.http.get(url)).status_code == GONE


async def test_a_kernel_makes_few_files_at_a_time() -> None:
    """Somebody who asks for the same a thousand times takes no thread from others."""
    closed: list[str] = []
    async with serving(label) as site:
        visit = await site.visit()
        url = visit.context.files.add(lambda: pieces(closed), "a.bin")
        downloads = [Download(site, visit, url).begin() for _ in range(4)]
        await eventually(lambda: all(download.received for download in downloads))
        refused = await visit.http.get(url)
        assert (refused.status_code, refused.headers["retry-after"]) == (TOO_MANY, "5")
        for download in downloads:
            download.leave.set()
            await download.ended()
        await eventually(lambda: len(closed) == 4)


async def test_a_piece_that_is_none_ends_the_download(caplog: pytest.LogCaptureFixture) -> None:
    """It is no text, and the browser must not take the rest for the whole."""
    async with serving(label) as site:
        visit = await site.visit()
        download = Download(site, visit, visit.context.files.add(lambda: [b"a", None], "a.txt")).begin()  # type: ignore[list-item]
        download.take.set()
        await download.ended()
        assert not download.complete
        assert "the pieces of a file are bytes or text, not a NoneType" in caplog.text
        caplog.clear()


async def test_slow_pieces_are_sent_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones that come fast are sent together."""
    monkeypatch.setattr(making, "_STEP_S", 0.0)
    async with serving(label) as site:
        visit = await site.visit()
        download = Download(site, visit, visit.context.files.add(lambda: [b"a", b"b"], "a.txt")).begin()
        await eventually(lambda: download.received > 0)
        assert download.received == 1
        download.take.set()
        await download.ended()
        assert (download.received, download.complete) == (2, True)


async def test_a_file_that_was_removed_or_never_offered_is_not_there() -> None:
    """Nor one of a kernel that restarts, has ended, has not begun, or whose id is nonsense."""
    async with serving(label) as site:
        visit = await site.visit()
        url, other = (visit.context.files.add(b"1", "a.csv") for _ in range(2))
        visit.context.files.remove(other)
        assert (await visit.http.get(other)).status_code == GONE
        assert (await visit.http.get(f"{url}x")).status_code == GONE
        await asyncio.wrap_future(visit.context.restart())
        gone = await visit.http.get(url)
        assert gone.status_code == GONE
        assert "There is no such file" in gone.text
        fresh = await Visit(site.app).load()
        fresh.http.cookies = visit.http.cookies
        assert (await visit.http.get(url.replace(visit.kernel_id, "nonsense"))).status_code == FORBIDDEN
        await visit.context.aclose()
        assert (await visit.http.get(url)).status_code == GONE
        await fresh.http.aclose()


async def test_a_page_that_is_left_for_another_offers_nothing_more() -> None:
    """In the same kernel; what was being made for it is cut off."""
    closed: list[str] = []
    async with serving({"/": label, "/other": label}) as site:
        visit = await site.visit()
        context = visit.context
        url = context.files.add(b"1", "a.csv")
        download = Download(site, visit, context.files.add(lambda: pieces(closed), "a.bin")).begin()
        await eventually(lambda: download.received > 0)
        context.navigate("/other")
        await download.ended()
        await eventually(lambda: len(context.files) == 0 and len(closed) == 1)
        assert (await visit.http.get(url)).status_code == GONE
        assert (await visit.http.get(context.files.add(b"1", "a.csv"))).status_code == 200


async def test_no_log_names_the_kernel(caplog: pytest.LogCaptureFixture) -> None:
    """Of a file that is refused."""
    caplog.set_level(logging.DEBUG, "solara_ctx")
    async with serving(label) as site:
        visit = await site.visit()
        await visit.http.get(f"{visit.context.files.add(b'1', 'a.csv')}x")
        assert "refused a file" in caplog.text
        assert visit.kernel_id not in caplog.text
