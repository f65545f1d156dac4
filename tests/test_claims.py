"""Who has asked for the end of a kernel, or for a fresh one."""

import threading

import pytest

from solara_ctx.claims import Claims
from solara_ctx.errors import ContextClosed


def test_the_first_to_ask_for_the_end_acts_and_the_others_wait_for_it() -> None:
    """One future for all, and the first reason wins."""
    claims = Claims("kernel")
    first, is_first = claims.close("culled")
    second, is_second = claims.close("logged-out")
    assert first is second
    assert (is_first, is_second) == (True, False)
    assert claims.reason == "culled"
    assert claims.closing


def test_nobody_can_cancel_what_others_wait_for() -> None:
    """`cancel()` on the shared future does nothing."""
    future, _ = Claims("kernel").close("culled")
    assert not future.cancel()
    assert not future.done()


@pytest.mark.parametrize("reason", ["", "two words", "Upper", "-dash", "x" * 65, "tab\t", "ü", "line\n"])
def test_a_reason_is_one_lower_case_word(reason: str) -> None:
    """It has to fit into a close frame and into a metric's label; a bad one claims nothing."""
    claims = Claims("kernel")
    with pytest.raises(ValueError, match="can't be a close reason"):
        claims.close(reason)
    assert not claims.closing
    assert claims.close("x" * 64)[1]


def test_one_restart_at_a_time_and_none_after_the_end() -> None:
    """Whoever asks while a restart is under way waits for that one; the end refuses all."""
    claims = Claims("kernel")
    first, is_first = claims.restart()
    assert is_first
    assert claims.restart() == (first, False)
    claims.restart_is_over()
    second, is_first = claims.restart()
    assert is_first
    assert second is not first
    claims.close("culled")
    with pytest.raises(ContextClosed, match="culled"):
        claims.restart()


def test_of_many_threads_one_is_first() -> None:
    """The claim is decided under a lock."""
    claims = Claims("kernel")
    start = threading.Barrier(8)
    firsts: list[bool] = []

    def ask() -> None:
        start.wait()
        firsts.append(claims.close("culled")[1])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(firsts) == [False] * 7 + [True]
