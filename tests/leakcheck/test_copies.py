"""Looking at the process in a copy of it."""

import os
import threading
import time

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
