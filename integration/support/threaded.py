"""A real server in a thread of the test's own process, for tests that look at the server's objects."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvicorn

from integration.support.waiting import wait_until

T = TypeVar("T")
START_S = 10.0
STOP_S = 20.0


class ServerThread:
    """One uvicorn, on a loop of its own, on a port that the system picks."""

    def __init__(self, app: Callable[..., Any], **options: Any) -> None:
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, **options))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="server under test", daemon=True)
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    @property
    def connections(self) -> set[Any]:
        """The protocol objects of uvicorn, one for each open connection; on its loop only."""
        return set(self._server.server_state.connections)

    async def start(self) -> None:
        self._thread.start()
        await wait_until(lambda: self._server.started or not self._thread.is_alive(), START_S, "a started server")
        if self._failure is not None:
            raise self._failure

    async def call(self, function: Callable[[], T]) -> T:
        """Call *function* on the server's event loop."""

        async def on_loop() -> T:
            return function()

        return await self.run(on_loop())

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run *coroutine* on the server's event loop."""
        assert self._loop is not None, "start the server first"
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return await asyncio.wrap_future(future)

    async def stop(self) -> None:
        """End as by SIGTERM; safe to call again."""
        self._server.should_exit = True
        await asyncio.to_thread(self._thread.join, STOP_S)
        assert not self._thread.is_alive(), f"the server has not ended within {STOP_S:g} s"
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as exc:  # noqa: BLE001  (a sys.exit of uvicorn's too; start() or stop() raises it)
            self._failure = exc

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve()
