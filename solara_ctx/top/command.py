"""The loop of `solara-ctx top`: ask the server, show it, act on keys."""

import concurrent.futures
import sys
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from rich.console import Console
from rich.live import Live

from solara_ctx.asking import NoAnswer, Snapshot, close_kernel, snapshot
from solara_ctx.serving import UsageError
from solara_ctx.top.columns import COLUMNS, NAMES
from solara_ctx.top.keys import keys_of_terminal, pressed
from solara_ctx.top.screen import Screen

T = TypeVar("T")

_TIMEOUT_S = 10.0
# How soon an answer of the server is on the screen.
_LOOK_EVERY_S = 0.05


def run(
    url: str, token: str | None, *, sort: str, interval_s: float, once: bool, console: Console | None = None
) -> int:
    """Show the server at *url* until somebody presses q, or once; the exit status.

    Raises:
        NoAnswer: with *once*, or at first: there is no such server, or it does not tell us.
        UsageError: there is no such column, or nobody at a terminal.
    """
    if sort not in NAMES:
        raise UsageError(f"there is no column {sort!r}; sort by one of: {', '.join(NAMES)}")
    console = console or Console()
    screen = Screen(url, sort, COLUMNS[NAMES.index(sort)].descending)
    screen.take(snapshot(url, token, _TIMEOUT_S))
    if once:
        screen.selected = None
        console.print(screen.render(console))
        return 0
    if not (sys.stdin.isatty() and console.is_terminal):
        raise UsageError("top needs a terminal; say --once to have it printed")
    with keys_of_terminal() as descriptor, Live(console=console, screen=True, auto_refresh=False) as live:
        _Loop(screen, url, token, interval_s).run(
            show=lambda: live.update(screen.render(console), refresh=True),
            keys=lambda: pressed(descriptor, _LOOK_EVERY_S),
        )
    return 0


class _Loop:
    """Asks on threads of its own, so that keys count while the server is slow, or gone."""

    def __init__(self, screen: Screen, url: str, token: str | None, interval_s: float) -> None:
        self._screen = screen
        self._url = url
        self._token = token
        self._interval_s = interval_s
        self._asked: concurrent.futures.Future[Snapshot] | None = None
        self._closing: concurrent.futures.Future[None] | None = None
        self._due = time.monotonic() + interval_s

    def run(self, *, show: Callable[[], object], keys: Callable[[], list[str]]) -> None:
        """Until the screen is done with; *keys* waits for a moment."""
        show()
        while not self._screen.done:
            typed = keys()
            for key in typed:
                self._act(key)
            if self._look() or typed:
                show()

    def _act(self, key: str) -> None:
        kernel = self._screen.press(key)
        if kernel is not None:
            self._screen.said = f"closing kernel {kernel}"
            self._closing = _in_background(lambda: close_kernel(self._url, kernel, self._token, _TIMEOUT_S))

    def _look(self) -> bool:
        """Take what has come; whether there is something new to show."""
        news = False
        if self._closing is not None and self._closing.done():
            done, self._closing = self._closing, None
            self._screen.said = str(done.exception() or "closed")
            self._due, news = time.monotonic(), True
        if self._asked is not None and self._asked.done():
            asked, self._asked = self._asked, None
            try:
                self._screen.take(asked.result())
            except NoAnswer as error:
                self._screen.trouble = str(error)
            self._due, news = time.monotonic() + self._interval_s, True
        if self._asked is None and time.monotonic() >= self._due:
            self._asked = _in_background(lambda: snapshot(self._url, self._token, _TIMEOUT_S))
        return news


def _in_background(function: Callable[[], T]) -> "concurrent.futures.Future[T]":
    """Call it on a thread that the process does not wait for."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)

    threading.Thread(target=call, name="solara-ctx-top", daemon=True).start()
    return future
