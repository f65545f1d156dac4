"""The process of the app, as the checker sees it.  The process itself is played here; integration/ starts real ones."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from solara_ctx.leakcheck import appprocess
from solara_ctx.leakcheck.appprocess import AppFailed, AppProcess
from solara_ctx.leakcheck.messages import Failure, Hello, Kernels, Request, encode

NO_SUCH_PROCESS = 2**22 + 1


class Pipe:
    """The process's stdin."""

    def __init__(self, on_close: Callable[[], None]) -> None:
        self.written = b""
        self.closed = False
        self.broken = False
        self._on_close = on_close

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        if self.broken:
            raise BrokenPipeError

    def close(self) -> None:
        self.closed = True
        self._on_close()


class Process:
    """A process that ends when its test says so, or when it is asked to: by the end of the channel, or by a signal."""

    def __init__(self, *, ends_by: signal.Signals | None = None) -> None:
        self.stdin, self.stdout = Pipe(self._asked), asyncio.StreamReader()
        self.pid = os.getpid()
        self.returncode: int | None = None
        self.signals: list[int] = []
        self._ends_by = ends_by
        self._ended = asyncio.Event()

    def say(self, *messages: object) -> None:
        self.stdout.feed_data(b"".join(map(encode, messages)))

    def end(self, status: int) -> None:
        self.returncode = status
        self.stdout.feed_eof()
        self._ended.set()

    def _asked(self) -> None:
        if self._ends_by is None:
            self.end(0)

    def send_signal(self, number: int) -> None:
        self.signals.append(number)
        if number == self._ends_by:
            self.end(-number)

    async def wait(self) -> int | None:
        await self._ended.wait()
        return self.returncode


@pytest.fixture
def app(tmp_path: Path) -> AppProcess:
    """One that has not been started, whose log has many lines."""
    log = tmp_path / "app.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    return AppProcess("app.py", log, start_timeout_s=5)


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Callable[[Process], None]:
    """Lets the next process that is started be this one."""

    def play(process: Process) -> None:
        async def start(*_command: object, **_how: object) -> Process:
            return process

        monkeypatch.setattr(asyncio, "create_subprocess_exec", start)

    return play


def started(app: AppProcess, **how: Any) -> Process:
    process = Process(**how)
    app._process = cast("Any", process)
    return process


async def test_a_running_app_knows_where_it_is_and_ends_with_the_check(
    app: AppProcess, starts: Callable[[Process], None]
) -> None:
    """It is asked to end by closing the channel; no signal is needed."""
    process = Process()
    starts(process)
    process.say(Hello(port=1234, pages=("/",)))
    async with app:
        assert app.url == "http://127.0.0.1:1234"
        assert app.hello.pages == ("/",)
        ended = [app.ended]
    assert [*ended, app.ended] == [False, True]
    assert (process.returncode, process.signals) == (0, [])


async def test_an_app_that_does_not_start_is_ended(app: AppProcess, starts: Callable[[Process], None]) -> None:
    """What it says of the reason is raised."""
    process = Process()
    starts(process)
    process.say(Failure("there is no file app.py"))
    with pytest.raises(AppFailed, match=r"^there is no file app\.py$"):
        await app.__aenter__()
    assert process.returncode == 0
    assert app.ended


@pytest.mark.parametrize("last", [signal.SIGTERM, signal.SIGKILL])
async def test_an_app_that_does_not_end_is_made_to(
    app: AppProcess, last: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a signal, and by one that it can't refuse."""
    monkeypatch.setattr(appprocess, "_STOP_S", 0.001)
    process = started(app, ends_by=last)
    await app.__aexit__(None, None, None)
    assert process.signals == [signal.SIGTERM, signal.SIGKILL][: 1 + (last == signal.SIGKILL)]


async def test_an_app_that_has_ended_by_itself_is_left_alone(app: AppProcess) -> None:
    """As is one that was never started."""
    await app.__aexit__(None, None, None)
    process = started(app)
    process.end(1)
    await app.__aexit__(None, None, None)
    assert not process.stdin.closed


async def test_questions_are_answered(app: AppProcess) -> None:
    """By what was asked for."""
    process = started(app)
    process.say(Kernels(open=3))
    assert await app.ask(Kernels, "settle", 5.0, timeout_s=5) == Kernels(open=3)
    assert process.stdin.written == encode(Request("settle", (5.0,)))


@pytest.mark.parametrize(
    ("answer", "message"),
    [(Failure("census: KeyError: 3"), "^census: KeyError: 3$"), ("text", "the app answered kernels with str")],
    ids=["failed", "another kind"],
)
async def test_what_is_no_answer_is_a_failure(app: AppProcess, answer: object, message: str) -> None:
    """What the app says of it is the message."""
    started(app).say(answer)
    with pytest.raises(AppFailed, match=message):
        await app.ask(Kernels, "kernels", timeout_s=5)


async def test_an_app_that_does_not_answer_in_time(app: AppProcess) -> None:
    """The message ends with the end of its log, which may tell why."""
    started(app)
    with pytest.raises(AppFailed, match=r"did not kernels within 0.001 s; the end of its log") as caught:
        await app.ask(Kernels, "kernels", timeout_s=0.001)
    assert str(caught.value).endswith("\nline 60\n" + "\n".join(f"line {number}" for number in range(61, 100)))


@pytest.mark.parametrize("broken", [False, True], ids=["later", "when asked"])
async def test_an_app_that_ends_instead_of_answering(app: AppProcess, broken: bool) -> None:
    """Its status and its log are told, rather than that a pipe is broken."""
    process = started(app)
    process.stdin.broken = broken
    process.end(3)
    with pytest.raises(AppFailed, match=r"(?s)the app ended with status 3; the end of its log.*line 99$"):
        await app.ask(Kernels, "kernels", timeout_s=5)


async def test_an_app_that_breaks_the_channel_and_goes_on(app: AppProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not waited for without end."""
    monkeypatch.setattr(appprocess, "_STOP_S", 0.001)
    started(app).stdout.feed_eof()
    with pytest.raises(AppFailed, match="the app ended with status None"):
        await app.ask(Kernels, "kernels", timeout_s=5)


async def test_an_app_that_was_not_started_answers_nothing(app: AppProcess) -> None:
    """And has no memory."""
    assert app.ended
    with pytest.raises(AppFailed, match="was not started"):
        await app.ask(Kernels, "kernels", timeout_s=5)
    with pytest.raises(AppFailed, match="was not started"):
        await app._receive(Hello, 5, "start")
    with pytest.raises(AppFailed, match="the app has ended; the end of its log"):
        await app.uss()


async def test_its_own_memory_is_measured(app: AppProcess) -> None:
    """In bytes; that it can't be read is told."""
    process = started(app)
    assert await app.uss() > 1_000_000
    process.pid = NO_SUCH_PROCESS
    with pytest.raises(AppFailed, match="memory of the app's process can't be read"):
        await app.uss()


async def test_a_page_that_failed_because_the_app_has_ended(app: AppProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what is told then; otherwise what the page said."""
    error = AppFailed("the page could not be shown")
    assert await app.why(error) is error
    process = started(app)
    monkeypatch.setattr(appprocess, "_END_S", 0.001)
    assert await app.why(error) is error
    process.end(-9)
    assert str(await app.why(error)).startswith("the app ended with status -9; the end of its log")
