"""`solara-ctx top` at a terminal, beside a real server with a page."""

import asyncio
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from integration.conftest import Serve
from integration.support.server import ROOT, STOP_S, ServerProcess
from integration.support.waiting import wait_until

TOKEN = "a token of the operator's"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-B0]")


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, *command: str, columns: int = 120, lines: int = 30) -> None:
        self._hands, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.set_blocking(self._hands, False)
        environment = {**os.environ, "TERM": "xterm-256color", "SOLARA_RESOURCEZ_TOKEN": TOKEN}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "solara_ctx", *command],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            cwd=ROOT,
            env=environment,
        )
        os.close(inside)
        self._written = ""

    def screen(self) -> str:
        """What was drawn last, without its colours."""
        try:
            while data := os.read(self._hands, 65536):
                self._written += data.decode(errors="replace")
        except OSError:  # nothing more for now, or the program has ended
            pass
        # Each drawing begins at the top left corner.
        return ESCAPES.sub("", self._written.rpartition("\x1b[H")[2])

    def press(self, keys: str) -> None:
        os.write(self._hands, keys.encode())

    async def shows(self, text: str, *, not_this: str = "") -> None:
        def found() -> bool:
            screen = self.screen()
            return text in screen and (not not_this or not_this not in screen)

        await wait_until(found, 20.0, f"{text!r} on the screen")

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(STOP_S)
        os.close(self._hands)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Those of the test; at the end none is left."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.end()


async def test_kernels_are_sorted_and_closed(page: Page, serve: Serve, terminals: list[Terminal]) -> None:
    """With the keys; the page is told, and the kernel is gone from the screen; q ends it at once."""
    server = await serve("integration.support.apps.counter:app", env={"SOLARA_RESOURCEZ_TOKEN": TOKEN})
    await page.goto(server.url)
    await expect(page.get_by_role("button").first).to_be_visible()
    terminal = Terminal("top", server.url, "--interval", "100ms")
    terminals.append(terminal)
    await terminal.shows("1 kernels  1 connected")
    await terminal.shows("age▼")
    terminal.press("r")
    await terminal.shows("age▲")
    terminal.press("\x1b[D")
    await terminal.shows("pages▼")
    terminal.press("k")
    await terminal.shows("close kernel")
    terminal.press("y")
    await terminal.shows("0 kernels  0 connected")
    await expect(page.get_by_role("alert")).to_contain_text("This session was ended")
    terminal.press("q")
    assert await asyncio.to_thread(terminal.process.wait, STOP_S) == 0
    terminal.screen()
    assert "?1049l" in terminal._written  # the screen from before is back


async def test_a_server_that_goes_is_said(tmp_path: Path, terminals: list[Terminal]) -> None:
    """And asked again; what was known stays, and keys go on to count."""
    server = ServerProcess(
        ("uvicorn", "integration.support.apps.counter:app", "--port", "0", "--no-use-colors"), tmp_path / "log"
    )
    await server.ready("/readyz")
    terminal = Terminal("top", server.url, "--interval", "100ms", columns=60, lines=12)
    terminals.append(terminal)
    await terminal.shows("0 kernels")
    await server.stop()
    await terminal.shows("does not answer")
    terminal.press("q")
    assert await asyncio.to_thread(terminal.process.wait, STOP_S) == 0
