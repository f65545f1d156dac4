"""Keys of a terminal, one by one, without an echo."""

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1b[C": "right",
    "\x1b[D": "left",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1bOC": "right",
    "\x1bOD": "left",
    "\x1b[H": "home",
    "\x1b[F": "end",
}
_MOST_BYTES = 64


@contextmanager
def keys_of_terminal() -> Iterator[int]:
    """Let standard input give each key at once; its file descriptor.  As it was, at the end."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def pressed(descriptor: int, within_s: float) -> list[str]:
    """The keys that were pressed, by name or letter; waits so long for the first."""
    if not select.select([descriptor], [], [], within_s)[0]:
        return []
    typed = os.read(descriptor, _MOST_BYTES).decode(errors="ignore")
    return list(_keys_in(typed)) if typed else ["q"]  # the terminal is gone


def _keys_in(typed: str) -> Iterator[str]:
    while typed:
        # Three characters each, as a terminal sends an arrow; what else begins so is no key of ours.
        length = 3 if typed.startswith("\x1b") else 1
        key, typed = typed[:length], typed[length:]
        yield _NAMES.get(key, key)
