"""A real server in a process of its own, its log in a file, its end by SIGTERM: as an operator runs it."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from integration.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
START_S = 30.0
STOP_S = 20.0
RUNNING = re.compile(r"(?:[Rr]unning on|Listening at:) (http://[\d.]+:\d+)")
TROUBLE = re.compile(
    r"Traceback \(most recent call last\)|Exception ignored in|^Fatal |"
    r"was never awaited|was destroyed but it is pending",
    re.MULTILINE,
)


_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*([\w.]+).*", re.MULTILINE)


class ServerProcess:
    """One server; `allow_traceback` is for the test that provokes one, `provoked` for the names of the errors where
    many tests share a server.

    Args:
        command: A Python module, with its arguments.
        log: Where its log goes.
        env: Of its environment, what is not as here.
        pipes: Whether its standard input and output are pipes of the test's; else it has no input, and what it prints
            is in the log.
    """

    def __init__(
        self, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, *, pipes: bool = False
    ) -> None:
        self.log = log
        self.allow_traceback = False
        self.provoked: set[str] = set()
        self.url = ""
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-m", *command],
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else output,
                stderr=output,
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            )

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    async def ready(self, path: str) -> None:
        """Wait until the server says its address and answers *path* with 200."""
        await wait_until(lambda: self._has_ended() or RUNNING.search(self.log_text()), START_S, "a started server")
        running = RUNNING.search(self.log_text())
        if running is None:
            raise AssertionError(f"the server ended with status {self.process.returncode}:\n{self.log_text()}")
        self.url = running[1]
        async with httpx2.AsyncClient(base_url=self.url) as client:

            async def answers() -> bool:
                with contextlib.suppress(httpx2.TransportError):
                    return (await client.get(path)).status_code == httpx2.codes.OK
                return False

            await wait_until(answers, START_S, f"200 from {self.url}{path}")

    async def stop(self) -> int:
        """Ask the server to end, and wait for it. Returns its exit status, negative for a signal."""
        if not self._has_ended():
            self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self, within_s: float = STOP_S) -> int:
        """Wait for the end of a server that was asked for it. Returns its exit status, negative for a signal."""
        try:
            await wait_until(self._has_ended, within_s, "the server's end")
        except AssertionError:
            self.process.send_signal(signal.SIGABRT)  # faulthandler writes every thread's stack into the log
            await asyncio.to_thread(self.process.wait, STOP_S)
            raise
        return self.process.wait()

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        with self.process:  # closes its pipes
            self.process.kill()

    def complaints(self) -> list[str]:
        """The lines of the log that no healthy server writes."""
        if self.allow_traceback:
            return []
        text = _TRACEBACK.sub(lambda found: "" if found[1] in self.provoked else found[0], self.log_text())
        return [line for line in text.splitlines() if TROUBLE.search(line)]

    def _has_ended(self) -> bool:
        return self.process.poll() is not None


def uvicorn_command(app: str | Path, *options: str) -> list[str]:
    """How to serve *app*, "module:name" or the path of a file that defines `app`, on a port that the system picks."""
    target = ["--app-dir", str(app.parent), f"{app.stem}:app"] if isinstance(app, Path) else [app]
    return ["uvicorn", *target, "--port", "0", "--no-use-colors", *options]
