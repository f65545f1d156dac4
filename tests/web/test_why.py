"""What keeps a closed kernel, for whoever may ask."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from weakref import ReferenceType

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from solara_ctx.leaks.explain import Explanation, Link
from solara_ctx.leaks.tracker import LeakTracker
from solara_ctx.web.why import Why, refuse
from tests.support.fakes import PATIENCE_S

FOUND = Explanation(
    found=True,
    target="Thing",
    root="module",
    links=(
        Link(text="app.py:3 module variable CACHE", kind="module variable", file="/srv/app.py", line=3),
        Link(text="Thing", kind="object"),
    ),
    note="",
    seconds=0.25,
)


class Thing:
    """A part of a kernel."""


class Search:
    """Stands in for `explain`: finds the same every time, once it may."""

    def __init__(self) -> None:
        self.targets: list[type] = []
        self.may_end = threading.Event()
        self.may_end.set()
        self.begun = threading.Event()

    def __call__(self, targets: "Sequence[ReferenceType[object]]") -> Explanation:
        self.targets += [type(target()) for target in targets]
        self.begun.set()
        assert self.may_end.wait(PATIENCE_S)
        return FOUND


@pytest.fixture
def tracker() -> Iterator[LeakTracker]:
    """One whose only kernel is closed and kept."""
    tracker, kept = LeakTracker(zombie_after_s=60.0), Thing()
    watch = tracker.watch("abcdef…", "session…", "culled")
    watch.add(kept)
    watch.closed()
    yield tracker
    tracker.stop()
    del kept


@pytest.fixture
def search() -> Search:
    return Search()


def app_for(why: Why) -> Starlette:
    """Its one route takes the kernel from the path."""

    async def ask(request: Request) -> Response:
        return await why.answer(request, request.path_params["kernel"])

    return Starlette(routes=[Route("/{kernel}", ask)])


@pytest.fixture
def client(tracker: LeakTracker, search: Search) -> Iterator[TestClient]:
    """Asks with `/abcdef`."""
    with TestClient(app_for(Why(tracker, search))) as client:
        yield client


def test_the_answer_is_the_chain(client: TestClient, search: Search) -> None:
    """As JSON, with the file and line to look at."""
    answer = client.get("/abcdef")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert search.targets == [Thing]
    data = answer.json()
    assert data["text"] == "app.py:3 module variable CACHE -> Thing"
    assert data["culprit"] == {"file": "/srv/app.py", "line": 3, "text": "app.py:3 module variable CACHE"}
    assert [link["kind"] for link in data["links"]] == ["module variable", "object"]
    assert (data["found"], data["root"], data["target"], data["note"], data["seconds"]) == (
        True,
        "module",
        "Thing",
        "",
        0.25,
    )


@pytest.mark.parametrize(
    ("form", "media_type", "begins"),
    [
        ("text", "text/plain", "app.py:3 module variable CACHE -> Thing"),
        ("dot", "text/vnd.graphviz", "digraph"),
        ("svg", "image/svg+xml", "<svg"),
    ],
)
def test_other_forms(client: TestClient, form: str, media_type: str, begins: str) -> None:
    """For people, for Graphviz, and as a picture."""
    answer = client.get(f"/abcdef?format={form}")
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.text.startswith(begins)


def test_mistakes_are_refused_in_words(client: TestClient, search: Search) -> None:
    """Nothing is searched for them."""
    assert client.get("/abcdef?format=gif").status_code == 400
    assert "text, dot, svg" in client.get("/abcdef?format=gif").json()["message"]
    assert client.get("/nobody").status_code == 404
    assert search.targets == []


async def test_one_search_at_a_time(tracker: LeakTracker, search: Search) -> None:
    """Whoever asks meanwhile is told to come back, and may then."""
    search.may_end.clear()
    with TestClient(app_for(Why(tracker, search))) as client:
        first = asyncio.create_task(asyncio.to_thread(client.get, "/abcdef"))
        assert await asyncio.to_thread(search.begun.wait, PATIENCE_S)
        second = await asyncio.to_thread(client.get, "/abcdef")
        assert second.status_code == 429
        assert int(second.headers["retry-after"]) > 0
        search.may_end.set()
        assert (await first).status_code == 200
        assert (await asyncio.to_thread(client.get, "/abcdef")).status_code == 200


def test_who_may_not_ask_is_told_how_to() -> None:
    """With a token to send, or one to set."""
    assert refuse("sesame").status_code == 401
    assert refuse("sesame").headers["www-authenticate"] == "Bearer"
    assert refuse(None).status_code == 403
    assert b"SOLARA_RESOURCEZ_TOKEN" in refuse(None).body
