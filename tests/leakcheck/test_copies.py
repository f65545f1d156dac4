"""Looking at the process in a copy of it."""

import os
import pickle
import sys
import threading
import time
from collections.abc import Callable

import pytest

from solara_ctx.leakcheck.copies import NoCopy, in_a_copy


def test_the_answer_comes_back_and_nothing_else() -> None:
    """What happens in the copy does not happen here."""
    here: list[int] = []

    def look() -> tuple[int, list[int]]:
        here.append(1)
        return os.getpid(), here

    pid, there = in_a_copy(look, timeout_s=10)
    assert pid != os.getpid()
    assert (there, here) == ([1], [])


def test_other_threads_go_on() -> None:
    """And are not in the copy."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert in_a_copy(threading.active_count, timeout_s=10) == 1
    finally:
        stop.set()
        thread.join()


def test_a_copy_that_hangs_is_given_up() -> None:
    """It may wait for a lock that another thread had just then."""
    with pytest.raises(NoCopy):
        in_a_copy(lambda: time.sleep(60), timeout_s=0.05)


def test_a_copy_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    """Is no answer; what was wrong is in the log."""
    with pytest.raises(NoCopy):
        in_a_copy(lambda: 1 // 0, timeout_s=10)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_where_there_is_no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.delattr(os, "fork")
    with pytest.raises(NoCopy):
        in_a_copy(list, timeout_s=1)


class Ended(BaseException):
    """Instead of the end of the process."""


@pytest.mark.parametrize(
    ("function", "answers", "said"),
    [
        (lambda: [1, 2], [[1, 2]], ""),
        (lambda: sys.exit(3), [], "SystemExit"),
        (lambda: lambda: None, [], "lambda"),
    ],
    ids=["answer", "exit", "no answer that could be sent"],
)
def test_a_copy_ends_without_the_apps_noticing(
    function: Callable[[], object],
    answers: list[object],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Right after its answer, or after what was wrong: neither `atexit` callbacks nor whoever has called get a turn."""
    reading, writing = os.pipe()
    monkeypatch.setattr(os, "pipe", lambda: (reading, writing))
    monkeypatch.setattr(os, "fork", lambda: 0)  # in the copy

    def end(status: int) -> None:
        raise Ended(status)

    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(Ended, match="0"):
        in_a_copy(function, timeout_s=1)
    with os.fdopen(reading, "rb") as stream:
        body = stream.read()
    assert ([pickle.loads(body)] if body else []) == answers  # noqa: S301 - from ourselves
    assert said in capfd.readouterr().err
