"""The loop of `solara-ctx top`: questions to the server, and keys, without either."""

import threading
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from solara_ctx.asking import NoAnswer, Snapshot
from solara_ctx.cli import main
from solara_ctx.serving import UsageError
from solara_ctx.top import command
from solara_ctx.top.command import _Loop, run
from solara_ctx.top.screen import Screen
from tests.support.top import row, snapshot

URL = "http://127.0.0.1:8765/"


class Server:
    """One that is asked, and asked to close kernels."""

    def __init__(self) -> None:
        self.kernels = [row("aaaaaa…"), row("bbbbbb…", age_seconds=5.0)]
        self.trouble: str | None = None
        self.closed: list[str] = []

    def snapshot(self, url: str, token: str | None, timeout_s: float) -> Snapshot:
        assert (url, token) == (URL, "sesame")
        if self.trouble is not None:
            raise NoAnswer(self.trouble)
        return snapshot(*self.kernels)

    def close(self, url: str, kernel: str, token: str | None, timeout_s: float) -> None:
        assert (url, token) == (URL, "sesame")
        if self.trouble is not None:
            raise NoAnswer(self.trouble)
        self.closed.append(kernel)
        self.kernels = [each for each in self.kernels if each["id"] != kernel]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Instead of a real one."""
    made = Server()
    monkeypatch.setattr(command, "snapshot", made.snapshot)
    monkeypatch.setattr(command, "close_kernel", made.close)
    return made


def play(screen: Screen, steps: Iterator[list[str] | Callable[[], bool]]) -> list[str]:
    """Run the loop: a step is keys, or what has to hold before the next; what was shown."""
    shown: list[str] = []
    waiting: Callable[[], bool] | None = None

    def keys() -> list[str]:
        nonlocal waiting
        if waiting is not None:
            if not waiting():
                threading.Event().wait(0.001)  # as a terminal waits for a key
                return []
            waiting = None
        step = next(steps, ["q"])
        if callable(step):
            waiting = step
            return []
        return step

    def show() -> None:
        console = Console(width=120, height=30)
        with console.capture() as captured:
            console.print(screen.render(console))
        shown.append(captured.get())

    _Loop(screen, URL, "sesame", 0.01).run(show=show, keys=keys)
    return shown


def test_a_kernel_is_closed_and_gone_with_the_next_look(server: Server) -> None:
    """The oldest is selected; the server is asked at once."""
    screen = Screen(URL)
    screen.take(snapshot(*server.kernels))
    shown = play(screen, iter([["k"], ["y"], lambda: len(screen.rows()) == 1]))
    assert server.closed == ["bbbbbb…"]
    assert any(each.rstrip().endswith("closed") for each in shown)
    assert "bbbbbb…" not in shown[-1]


def test_a_server_that_does_not_let_us_says_why(server: Server) -> None:
    """The kernel stays; and a server that is gone is asked again."""
    screen = Screen(URL)
    screen.take(snapshot(*server.kernels))
    server.trouble = "the server answers 403: set SOLARA_RESOURCEZ_TOKEN"

    def recover() -> bool:
        server.trouble = None
        return True

    shown = play(
        screen,
        iter(
            [
                ["k", "y"],
                lambda: "answers 403" in screen.said,
                lambda: screen.trouble is not None,
                recover,
                lambda: screen.trouble is None,
            ]
        ),
    )
    assert any("answers 403" in each and "trying again" in each for each in shown)
    assert "bbbbbb…" in shown[-1]


def test_once_prints_it(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Sorted as asked; no terminal is needed."""
    assert run(URL, "sesame", sort="id", interval_s=2.0, once=True) == 0
    out = capsys.readouterr().out
    assert out.index("aaaaaa…") < out.index("bbbbbb…")


@pytest.mark.usefixtures("server")
def test_without_a_terminal_it_says_what_to_do() -> None:
    """Nobody could press a key."""
    with pytest.raises(UsageError, match="--once"):
        run(URL, "sesame", sort="age", interval_s=2.0, once=False)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--sort", "height"], "there is no column 'height'; sort by one of: id, session"),
        (["--interval", "soon"], "--interval can't be 'soon'"),
    ],
)
def test_wrong_usage_is_said(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, before anything is asked."""
    assert main(["top", URL, *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_a_server_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Port 9 discards; nobody listens there."""
    assert main(["top", "http://127.0.0.1:9/", "--once"]) == 2
    assert "does not answer" in capsys.readouterr().err
