"""`solara-ctx run --reload`, but for what needs a server: that is in integration/test_reload.py."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import socket

import pytest
import uvicorn

from solara_ctx.cli import main
from solara_ctx.jupyter.message_log import log as message_log
from solara_ctx.reload import command
from solara_ctx.reload.command import _checkout, _port_option, _Server, run, watched_folder
from solara_ctx.reload.watcher import Watcher
from tests.support.fakes import PATIENCE_S

PAGE = "def page():\n    pass\n"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As it was, afterwards; and nothing but Python imports."""
    monkeypatch.delenv("SOLARA_DEBUG", raising=False)
    before = list(sys.meta_path)
    yield
    os.environ.pop("SOLARA_DEBUG", None)
    message_log.setLevel(logging.NOTSET)
    assert sys.meta_path == before


@pytest.fixture
def page(working_folder: Path) -> Path:
    """A file with a page."""
    path = working_folder / "some_page.py"
    path.write_text(PAGE)
    return path


def config(_app: object) -> uvicorn.Config:
    return uvicorn.Config("nothing:here", port=0, log_config=None)


def serve(act: Callable[[_Server], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server do that instead."""

    def played(server: _Server, sockets: list[socket] | None = None) -> None:
        assert sockets
        act(server)
        for each in sockets:
            each.close()

    monkeypatch.setattr(_Server, "run", played)


@pytest.mark.usefixtures("working_folder")
def test_a_file_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """And not waited for."""
    assert main(["run", "nowhere.py", "--reload"]) == 2
    assert "there is no file nowhere.py" in capsys.readouterr().err


@pytest.mark.usefixtures("page")
def test_it_is_debug_mode_without_the_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless somebody has said what it is."""
    seen: list[tuple[str | None, int]] = []

    def served(server: _Server) -> None:
        server.started = True
        seen.append((os.environ.get("SOLARA_DEBUG"), message_log.level))
        raise KeyboardInterrupt

    def act(server: _Server, sockets: list[socket] | None = None) -> None:
        for each in sockets or ():
            each.close()
        served(server)

    monkeypatch.setattr(_Server, "run", act)
    assert run("some_page.py", (), config) == 0
    os.environ["SOLARA_DEBUG"] = "0"  # put back with the rest
    message_log.setLevel(logging.NOTSET)
    assert run("some_page.py", (), config) == 0
    assert seen == [("true", logging.INFO), ("0", logging.NOTSET)]


@pytest.mark.usefixtures("page")
def test_a_server_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the status of uvicorn's own command."""
    serve(lambda server: None, monkeypatch)
    assert run("some_page.py", (), config) == 3


@pytest.mark.parametrize("debug", ["", "1"])
@pytest.mark.usefixtures("page")
def test_the_process_begins_anew_on_the_same_port(
    debug: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the same command; only a browser is not opened again, and debug mode is what it was."""
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("SOLARA_DEBUG", debug)
    begun: list[list[str]] = []
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "solara_ctx", "run", "app.py", "--reload", "--open"])
    monkeypatch.setattr(os, "execv", lambda path, command: begun.append([path, *command]))
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    serve(lambda server: server.end_for_restart("a reason"), monkeypatch)
    run("some_page.py", (), config)
    ((path, python, *rest),) = begun
    assert path == python == sys.executable
    assert rest[:-2] == ["-m", "solara_ctx", "run", "app.py", "--reload"]
    assert rest[-2] == "--port"
    assert int(rest[-1]) > 0
    assert os.environ.get("SOLARA_DEBUG", "") == debug
    assert "a reason: starting the process anew" in caplog.text


def test_the_port_is_named_once() -> None:
    """However often the process begins anew."""
    assert _port_option(["run", "app.py"], 80) == ["--port", "80"]
    assert _port_option(["run", "app.py", "--port", "80"], 80) == []


def test_changes_wait_for_the_server() -> None:
    """A page can be told of them by a running loop only."""
    server, told = _Server(config(None)), threading.Event()
    thread = threading.Thread(target=server.when_ready(lambda _: told.set()), args=({Path("a.py")},))
    thread.start()
    assert not told.is_set()
    server._ready.set()
    assert told.wait(PATIENCE_S)
    thread.join()


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Instead of waiting for a change, do something."""

    def instead(act: Callable[[], None]) -> None:
        class Acting(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                act()
                return True

        monkeypatch.setattr(Watcher, "start", lambda _: None)
        monkeypatch.setattr(command, "Change", Acting)

    return instead


def test_code_that_fails_at_first_is_waited_for(
    page: Path,
    wait: Callable[[Callable[[], None]], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And said once, however often it is saved as it is."""
    page.write_text("1 / 0")
    saves = iter(["1 / 0", PAGE])

    def save() -> None:
        page.write_text(next(saves))

    wait(save)
    serve(lambda server: setattr(server, "started", True), monkeypatch)
    assert run("some_page.py", (), config) == 0
    err = capsys.readouterr().err
    assert err.count("ZeroDivisionError") == err.count("waiting for a change") == 1


def test_ctrl_c_ends_the_wait(page: Path, wait: Callable[[Callable[[], None]], None]) -> None:
    """There is no server yet, and nothing to stop."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    page.write_text("1 / 0")
    wait(interrupt)
    assert run("some_page.py", (), config) == 0


def test_what_is_watched(page: Path, working_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's folder, or where the command was started; this library, where it is no installed one."""
    assert watched_folder(str(page)) == watched_folder(f"{page}:name") == working_folder
    assert watched_folder("package.module:name") == working_folder
    monkeypatch.setattr(command, "library_of", lambda _: "solara_ctx")
    assert _checkout() == []
