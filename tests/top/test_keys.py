"""Keys, as a terminal sends them."""

import os
import pty
import sys
import termios
from collections.abc import Iterator

import pytest

from solara_ctx.top.keys import keys_of_terminal, pressed


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Its two ends: somebody's hands, and standard input."""
    hands, inside = pty.openpty()
    with os.fdopen(inside) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield hands, inside
    os.close(hands)


def test_each_key_comes_at_once_and_the_terminal_is_left_as_it_was(terminal: tuple[int, int]) -> None:
    """Letters and arrows, however many were pressed meanwhile; nothing where none was."""
    hands, inside = terminal
    before = termios.tcgetattr(inside)
    with keys_of_terminal() as descriptor:
        assert pressed(descriptor, 0.0) == []
        os.write(hands, b"qk\x1b[A\x1bOB\x1b[Z\xc3\xa4")
        assert pressed(descriptor, 5.0) == ["q", "k", "up", "down", "\x1b[Z", "ä"]
    assert termios.tcgetattr(inside) == before


def test_a_terminal_that_is_gone_ends_it() -> None:
    """Nobody could press q any more."""
    read, write = os.pipe()
    os.close(write)
    assert pressed(read, 5.0) == ["q"]
    os.close(read)
