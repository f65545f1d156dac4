"""Asking a running server what keeps its closed kernels."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from solara_ctx.asking import NoAnswer, close_kernel, why, zombies
from tests.support.fakes import PATIENCE_S

ROW = {"id": "abcdef…", "session": "s…", "reason": "culled", "age_seconds": 7300.0, "alive": {"Label": 2, "VBox": 1}}


def told(*rows: dict[str, object]) -> str:
    """What a server tells that has these zombies."""
    return json.dumps({"kernels": {"total": 0}, "kernel": [], "zombies": rows})


class Played(ThreadingHTTPServer):
    """Answers everything with `status` and `body`, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.body = 200, "{}"
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Played)
        server.asked.append((self.path, self.headers.get("authorization")))
        self.send_response(server.status)
        self.end_headers()
        self.wfile.write(server.body.encode())

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Played]:
    with Played() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(PATIENCE_S)


def test_zombies_are_listed(server: Played) -> None:
    """What is alive, since when, what keeps it if that is known, and how to find out."""
    server.body = told({**ROW, "held_by": None}, {**ROW, "id": "ghijkl…", "held_by": "a list"})
    assert zombies(f"{server.url}/", "sesame") == (
        "abcdef…  culled, closed 2 h ago, still alive: Label x2, VBox\n"
        "ghijkl…  culled, closed 2 h ago, still alive: Label x2, VBox\n    kept by a list\n"
        f"what keeps one: solara-ctx why {server.url}/ abcdef"
    )
    assert server.asked == [("/resourcez", "Bearer sesame")]


def test_an_id_may_look_like_an_option(server: Played) -> None:
    """The line to copy works all the same."""
    server.body = told({**ROW, "id": "-bcdef…", "held_by": None})
    assert zombies(server.url, None).endswith(f"solara-ctx why {server.url} -- -bcdef")


@pytest.mark.parametrize(("age", "shown"), [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3600, "1 h"), (90000, "1 d")])
def test_ages_are_for_people(server: Played, age: float, shown: str) -> None:
    """One figure and its unit."""
    server.body = told({**ROW, "age_seconds": age, "held_by": None})
    assert f"closed {shown} ago" in zombies(server.url, None)


def test_no_zombies_is_good_news(server: Played) -> None:
    """An address with or without /resourcez will do, and without a token none is sent."""
    server.body = told()
    assert zombies(f"{server.url}/dash/resourcez", None) == "no zombies: every closed kernel is gone"
    assert server.asked == [("/dash/resourcez", None)]


def test_what_keeps_one(server: Played) -> None:
    """The server's own words, in the form that is asked for."""
    server.body = "CACHE -> Label\n"
    assert why(server.url, "abcdef", "sesame") == "CACHE -> Label"
    why(server.url, "ab/c d", None, "svg")
    assert [path for path, _token in server.asked] == [
        "/resourcez?why=abcdef&format=text",
        "/resourcez?why=ab%2Fc+d&format=svg",
    ]


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, '{"kernels": {"total": 0}}', "totals only.*SOLARA_RESOURCEZ_TOKEN"),
        (200, "{}", "is no /resourcez of ours"),
        (200, "<html>", "is no /resourcez of ours"),
        (200, "[]", "is no /resourcez of ours"),
        (404, "<html>", "answers 404: is this the address"),
        (401, '{"message": "send the token"}', "answers 401: send the token"),
    ],
)
def test_what_goes_wrong_is_said_in_words(server: Played, status: int, body: str, says: str) -> None:
    """With what to do about it."""
    server.status, server.body = status, body
    with pytest.raises(NoAnswer, match=says):
        zombies(server.url, None)


def test_a_kernel_is_closed_by_the_id_that_is_shown(server: Played) -> None:
    """Which is part of an address here."""
    close_kernel(f"{server.url}/dash/", "ab/def…", "sesame", 5.0)
    assert server.asked == [("/dash/resourcez/kernels/ab%2Fdef", "Bearer sesame")]


def test_where_nobody_listens() -> None:
    """No traceback, but a question."""
    with Played() as server:
        url = server.url
    with pytest.raises(NoAnswer, match="is the server running there"):
        zombies(url, None)
    with pytest.raises(NoAnswer, match="no address of a server"):
        zombies("file:///etc/passwd", None)
