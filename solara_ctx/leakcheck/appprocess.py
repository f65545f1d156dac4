"""The process of the app that is checked, as the checker sees it: started, asked, measured, ended."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import psutil

from solara_ctx.leakcheck.messages import HEADER, Failure, Hello, Request, decode, encode

T = TypeVar("T")

_STOP_S = 30.0
# From a connection that breaks to the end of the process.
_END_S = 1.0
# Of a log that explains a failure, the end is what tells.
_LOG_LINES = 40
# glibc gives each thread a heap of its own, and each keeps some memory in reserve: megabytes of noise.
_STEADY = {"MALLOC_ARENA_MAX": "1"}


class AppFailed(Exception):
    """The app did not start, or ended, or did not answer; the message says what it said."""


class AppProcess:
    """A running app; a context manager that ends it.

    Args:
        target: What to serve; see `serving.load_app`.
        log: The file that takes what the app writes.
        start_timeout_s: How long it may take until it serves.
    """

    def __init__(self, target: str, log: Path, *, start_timeout_s: float) -> None:
        self.log = log
        self._target = target
        self._start_timeout_s = start_timeout_s
        self._process: asyncio.subprocess.Process | None = None
        self.hello = Hello(port=0, pages=())

    @property
    def url(self) -> str:
        """Where the app is served, without a slash at its end."""
        return f"http://127.0.0.1:{self.hello.port}"

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process is None or self._process.returncode is not None

    async def __aenter__(self) -> Self:
        """Start the app, and wait until it serves.

        Raises:
            AppFailed: it can't be loaded, or does not start in time.
        """
        output = await asyncio.to_thread(self.log.open, "ab")
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "solara_ctx.leakcheck.inside",
                self._target,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=output,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **_STEADY},
                # A Ctrl-C is for the checker, which ends the app in order; without this, both would get it.
                start_new_session=True,
            )
        finally:
            output.close()
        try:
            self.hello = await self._receive(Hello, self._start_timeout_s, "start")
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the app."""
        await self._end()

    async def ask(self, kind: type[T], method: str, *arguments: object, timeout_s: float) -> T:
        """The answer of `Probe`'s *method*.

        Raises:
            AppFailed: there is none, or it is no *kind*.
        """
        if self._process is None or self._process.stdin is None:
            raise AppFailed("the app was not started")
        with contextlib.suppress(ConnectionError):  # what is read next says why
            self._process.stdin.write(encode(Request(method, arguments)))
            await self._process.stdin.drain()
        return await self._receive(kind, timeout_s, method)

    async def uss(self) -> int:
        """The memory, in bytes, that would be free if the process ended: its own, not what it shares with others."""
        if self._process is None or self.ended:
            raise AppFailed(await self._failure("the app has ended"))
        try:
            return await asyncio.to_thread(_uss, self._process.pid)
        except psutil.Error as error:
            raise AppFailed(f"the memory of the app's process can't be read: {error}") from error

    async def why(self, error: AppFailed) -> AppFailed:
        """What to say of a page that failed: that the app has ended, if that is why."""
        if self._process is None:
            return error
        try:
            async with asyncio.timeout(_END_S):
                status = await self._process.wait()
        except TimeoutError:
            return error
        return AppFailed(await self._failure(f"the app ended with status {status}"))

    async def _receive(self, kind: type[T], timeout_s: float, what: str) -> T:
        if self._process is None or self._process.stdout is None:
            raise AppFailed("the app was not started")
        try:
            async with asyncio.timeout(timeout_s):
                (size,) = HEADER.unpack(await self._process.stdout.readexactly(HEADER.size))
                answer = decode(await self._process.stdout.readexactly(size))
        except TimeoutError:
            raise AppFailed(await self._failure(f"the app did not {what} within {timeout_s:g} s")) from None
        except asyncio.IncompleteReadError:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await self._process.wait()
            raise AppFailed(await self._failure(f"the app ended with status {self._process.returncode}")) from None
        if isinstance(answer, Failure):
            raise AppFailed(answer.message)
        if not isinstance(answer, kind):
            raise AppFailed(f"the app answered {what} with {type(answer).__name__}")
        return answer

    async def _failure(self, what: str) -> str:
        text = await asyncio.to_thread(self.log.read_text, errors="replace")
        tail = "\n".join(text.splitlines()[-_LOG_LINES:])
        return f"{what}; the end of its log, {self.log}:\n{tail}"

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        for stop in (signal.SIGTERM, signal.SIGKILL):
            try:
                async with asyncio.timeout(_STOP_S):
                    await process.wait()
                    return
            except TimeoutError:
                process.send_signal(stop)
        await process.wait()


def _uss(pid: int) -> int:
    return int(psutil.Process(pid).memory_full_info().uss)
