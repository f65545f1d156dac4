"""A server in a process of its own, with the probe in it."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil

from benchmarks.support.probe import Answer

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
_STOP_S = 30.0
_ANSWER_S = 300.0


class BenchmarkFailed(Exception):
    """Something did not work, so there is no figure; the message says what."""


def clean_environment() -> dict[str, str]:
    """This process's environment without SOLARA_*: both systems read it, and what is set here is nobody's default."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SOLARA_")}


class Served:
    """The command line *command*, `MODULE:MAIN` and its arguments, with the probe beside it.

    Use it as an async context manager: the process ends with the body.
    """

    def __init__(self, command: list[str], log: Path, env: Mapping[str, str]) -> None:
        self._command = command
        self._log = log
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None
        self.host = ""
        self.port = 0

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._start)
        address = await self.ask("address")
        self.host, self.port = str(address["host"]), int(str(address["port"]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._end)

    async def ask(self, question: str, *numbers: float) -> Answer:
        """Ask the probe.

        Raises:
            BenchmarkFailed: it says that something went wrong, or nothing for minutes, or the process has ended.
        """
        try:
            async with asyncio.timeout(_ANSWER_S):
                answer = await asyncio.to_thread(self._exchange, json.dumps([question, *numbers]))
        except TimeoutError:
            self.kill()  # which also ends the thread that reads
            raise BenchmarkFailed(f"the probe has not answered {question!r} within {_ANSWER_S:g} s") from None
        if "error" in answer:
            raise BenchmarkFailed(str(answer["error"]))
        return answer

    def cpu_s(self) -> float:
        """The processor time that the server has used so far, in seconds; its child processes' too."""
        process = psutil.Process(self._running().pid)
        times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    def rss(self) -> int:
        """How many bytes of it are in the machine's memory."""
        return int(psutil.Process(self._running().pid).memory_info().rss)

    def threads(self) -> int:
        """How many threads the system sees."""
        return int(psutil.Process(self._running().pid).num_threads())

    def open_files(self) -> int:
        """How many file descriptors are open, sockets included."""
        return int(psutil.Process(self._running().pid).num_fds())

    def kill(self) -> None:
        """End the process at once, where its end is of no interest and would take long."""
        self._running().kill()

    async def stop(self) -> tuple[Answer, float]:
        """Let the system ask the server to end, and wait until it has.

        Returns:
            How late the loop was until its end, and how many seconds it took until the process was gone.

        Raises:
            BenchmarkFailed: it does not end.
        """
        begun = time.perf_counter()
        late = await self.ask("stop")
        try:
            await asyncio.to_thread(self._running().wait, _STOP_S)
        except subprocess.TimeoutExpired:
            raise BenchmarkFailed(f"the server's loop has ended, its process not, within {_STOP_S:g} s") from None
        return late, time.perf_counter() - begun

    def log_end(self, lines: int = 30) -> str:
        """The last lines that the server has written."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def _start(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.support.served", *self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env={**clean_environment(), **self._env},
            )

    def _exchange(self, line: str) -> Answer:
        process = self._running()
        try:
            _pipe(process.stdin).write(line.encode() + b"\n")
            _pipe(process.stdin).flush()
        except BrokenPipeError:
            return {"error": "the server has ended"}
        answer = _pipe(process.stdout).readline()
        if not answer:
            return {"error": "the server, or the probe in it, has ended"}
        decoded: Answer = json.loads(answer)
        return decoded

    def _end(self) -> None:
        process = self._running()
        _pipe(process.stdin).close()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _pipe(process.stdout).close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise BenchmarkFailed("the server has not been started; use `async with`")
        return self._process


class Bystander:
    """An idle process beside the servers: how late it comes, the machine made it."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.support.bystander"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _pipe(self._process.stdin).close()
        self._process.wait()
        _pipe(self._process.stdout).close()

    def take(self) -> float:
        """Its longest lateness, in seconds, since it was last asked."""
        _pipe(self._process.stdin).write(b"\n")
        _pipe(self._process.stdin).flush()
        return float(_pipe(self._process.stdout).readline())


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BenchmarkFailed("the process was started without pipes")
    return pipe
