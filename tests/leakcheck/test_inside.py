"""The process of the app, without a process: its channel is played here, and nothing is served."""

import io
import os
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvicorn

from solara_ctx.errors import KernelContextError
from solara_ctx.leakcheck import inside
from solara_ctx.leakcheck.messages import Failure, Hello, Kernels, Request, encode, read
from solara_ctx.serving import UsageError
from solara_ctx.settings import Settings

HELLO = Hello(port=1234, pages=("/",))


class Channel:
    """Requests that were all sent in advance, and the answers."""

    def __init__(self, *requests: object) -> None:
        self.requests, self.answers = io.BytesIO(b"".join(map(encode, requests))), io.BytesIO()

    def said(self) -> list[object]:
        """The answers so far."""
        size = self.answers.tell()
        self.answers.seek(0)
        said = []
        while self.answers.tell() < size:
            said.append(read(self.answers))
        return said


class Server:
    """A server that serves nothing, and comes up or does not."""

    def __init__(self, *, starts: bool = True) -> None:
        self.started = starts
        self.should_exit = False
        self.up = threading.Event()
        self.ports: list[int] = []

    def run(self, sockets: list[Any]) -> None:
        self.ports = [each.getsockname()[1] for each in sockets]
        for each in sockets:
            each.close()
        if self.started:
            self.up.set()
            (answering,) = (each for each in threading.enumerate() if each.name == "leakcheck-answers")
            answering.join()


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Channel:
    """In place of stdin and stdout."""
    channel = Channel()
    monkeypatch.setattr(inside, "_take_channel", lambda: (channel.requests, channel.answers))
    return channel


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serves an app with two pages below /sub; the log is left as it is."""
    server = Server()
    monkeypatch.setattr(inside, "load_app", lambda _target: object())
    app = SimpleNamespace(paths=["", "/two"], registry=SimpleNamespace(settings=Settings()))
    monkeypatch.setattr(inside, "mounted", lambda _app: [("/sub", app)])
    monkeypatch.setattr(inside, "redact_logs", lambda: None)
    monkeypatch.setattr(uvicorn, "Config", lambda *_arguments, **_how: None)
    monkeypatch.setattr(inside, "_Server", lambda _config: server)
    yield server
    server.up.set()


def answered(probe: object, *requests: object) -> tuple[list[object], bool]:
    """What is said to these requests, and whether the server is to stop then."""
    channel, server = Channel(*requests), Server()
    server.up.set()
    inside._answer(cast("Any", server), cast("Any", probe), HELLO, channel.requests, channel.answers)
    return channel.said(), server.should_exit


def test_each_question_is_answered_in_its_turn() -> None:
    """First of all where the app is; at the end of the questions the server stops."""
    probe = SimpleNamespace(settle=lambda timeout_s: Kernels(open=int(timeout_s)), trace=lambda: None)
    said = answered(probe, Request("settle", (3.0,)), Request("trace"), Request("settle", (4.0,)))
    assert said == ([HELLO, Kernels(open=3), None, Kernels(open=4)], True)


def test_a_question_that_fails_is_answered_with_why(caplog: pytest.LogCaptureFixture) -> None:
    """And the next one is answered all the same; the log has the rest."""

    def fail() -> None:
        raise KeyError(3)

    said, _ = answered(SimpleNamespace(chains=fail, kernels=Kernels), Request("chains"), Request("kernels"))
    assert said == [HELLO, Failure("chains: KeyError: 3"), Kernels()]
    assert "leakcheck could not chains" in caplog.text


def test_what_is_no_question_ends_the_conversation() -> None:
    """Whoever sends it is not the checker."""
    assert answered(None, "chains", Request("chains")) == ([HELLO], True)


def test_answers_to_a_checker_that_is_gone_are_dropped() -> None:
    """The server stops all the same."""
    reading, writing = os.pipe()
    os.close(reading)
    channel, server = Channel(Request("kernels")), Server()
    server.up.set()
    answers = os.fdopen(writing, "wb", buffering=0)
    with answers:
        probe = cast("Any", SimpleNamespace(kernels=Kernels))
        inside._answer(cast("Any", server), probe, HELLO, channel.requests, answers)
    assert server.should_exit


def test_the_app_is_served_until_the_checker_is_gone(channel: Channel, serve: Server) -> None:
    """At a port that the system picks, with its pages below where they are mounted."""
    assert inside.main("app.py") == 0
    (port,) = serve.ports
    assert channel.said() == [Hello(port=port, pages=("/sub", "/sub/two"))]


def test_an_app_whose_lifespan_fails(channel: Channel, serve: Server) -> None:
    """It is told so, and what failed is in the log."""
    serve.started = False
    assert inside.main("app.py") == 2
    assert channel.said() == [Failure("the app's lifespan failed to start")]


@pytest.mark.parametrize("error", [UsageError("there is no file"), KernelContextError("there is no file")])
def test_an_app_that_there_is_not(channel: Channel, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what is wrong."""

    def fail(_target: str) -> object:
        raise error

    monkeypatch.setattr(inside, "load_app", fail)
    assert inside.main("app.py") == 2
    assert channel.said() == [Failure("there is no file")]


@pytest.mark.parametrize("error", [ZeroDivisionError("by hand"), SystemExit("by hand")])
def test_an_app_that_fails_while_it_is_loaded(
    channel: Channel, error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its author reads the traceback, in the message and in the log."""

    def fail(_target: str) -> object:
        raise error

    monkeypatch.setattr(inside, "load_app", fail)
    assert inside.main("app.py") == 2
    (failure,) = channel.said()
    assert isinstance(failure, Failure)
    assert failure.message.startswith("the app could not be loaded:\nTraceback")
    assert failure.message.endswith(f"{type(error).__name__}: by hand\n")
    assert capsys.readouterr().err.endswith("by hand\n")


@pytest.mark.parametrize("starts", [True, False])
async def test_a_server_says_when_it_is_up(starts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not when its app has failed to start."""

    async def startup(server: uvicorn.Server, sockets: object = None) -> None:
        server.started = starts

    monkeypatch.setattr(uvicorn.Server, "startup", startup)
    server = inside._Server(cast("Any", None))
    await server.startup()
    assert server.up.is_set() is starts


def test_the_channel_is_out_of_the_apps_reach(capfd: pytest.CaptureFixture[str]) -> None:
    """What the app prints is in the log, not among the answers; what it reads is nothing."""
    requests_in, requests_out = os.pipe()
    answers_in, answers_out = os.pipe()
    stdin, stdout = os.dup(0), os.dup(1)
    try:
        os.dup2(requests_in, 0)
        os.dup2(answers_out, 1)
        requests, answers = inside._take_channel()
        os.write(1, b"printed by the app\n")
        read_by_the_app = os.read(0, 100)
    finally:
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        for each in (stdin, stdout, requests_in, answers_out):
            os.close(each)
    os.write(requests_out, b"question")
    os.close(requests_out)
    with requests, answers, os.fdopen(answers_in, "rb") as answered:
        answers.write(b"answer")
        answers.close()
        assert (requests.read(), answered.read(), read_by_the_app) == (b"question", b"answer", b"")
    assert capfd.readouterr().err == "printed by the app\n"
