"""A registry with everything around it played."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from solara_ctx.context import VirtualKernelContext
from solara_ctx.current import Handle
from solara_ctx.registry import KernelRegistry
from solara_ctx.settings import Settings
from solara_ctx.teardown import Closers
from tests.support.fakes import PATIENCE_S, FakeClock, FakeHost, FakeIds, LoopPool, Misbehave, RecordingSink


def nothing() -> None:
    """A page function that shows nothing."""


class Service:
    """A `KernelRegistry` on fakes.

    Attributes:
        hosts: Every kernel that was made, in order.
        log: What the hosts and sinks of all kernels went through at their end, in order.
    """

    def __init__(self, act: Mapping[str, Misbehave] | None = None, **settings: object) -> None:
        self.clock = FakeClock()
        self.ids = FakeIds()
        self.log: list[str] = []
        self.hosts: list[FakeHost] = []
        self.scrubbed: list[set[int]] = []
        self._act = dict(act or {})
        self.registry = KernelRegistry(Settings(**settings), ids=self.ids, make_host=self._make_host)

    def _make_host(self, handle: Handle) -> FakeHost:
        host = FakeHost(handle, f"run-{len(self.hosts)}", self.log, self._act)
        self.hosts.append(host)
        return host

    def connect(
        self,
        page_id: str = "page",
        *,
        session: str = "session",
        kernel_id: str | None = None,
        sink: RecordingSink | None = None,
        function: Callable[[], object] = nothing,
    ) -> VirtualKernelContext:
        """Connect a page; to a kernel of its own, unless one is named."""
        kernel_id = kernel_id or self.registry.issue(session)
        return self.registry.connect(kernel_id, session, page_id, sink=sink, page=function).context

    async def opened(self, **how: object) -> VirtualKernelContext:
        """Connect a page to a kernel of its own, and wait until its page function has run."""
        context = self.connect(**how)  # type: ignore[arg-type]
        await self.hosts[-1].called("show")
        return context


@asynccontextmanager
async def serving(
    *,
    act: Mapping[str, Misbehave] | None = None,
    threads: bool = True,
    settings: Mapping[str, object] | None = None,
    **more_settings: object,
) -> AsyncIterator[Service]:
    """A started service; at the end every kernel is closed.

    Args:
        act: How its hosts misbehave.
        threads: Whether jobs and teardown steps run on threads; otherwise in turns of the loop.
        settings: As for `Settings`.
        more_settings: The same.
    """
    service = Service(act, **(settings or {}), **more_settings)
    loop = asyncio.get_running_loop()
    service.registry.start(
        clock=service.clock,
        workers=None if threads else LoopPool(loop),
        closers=None if threads else Closers(LoopPool(loop), LoopPool(loop)),
        scrub_threads=service.scrubbed.append,
    )
    try:
        yield service
    finally:
        async with asyncio.timeout(PATIENCE_S):
            assert await service.registry.drain() == []


async def turns(number: int = 100) -> None:
    """Let the loop take some turns, for what needs nothing but turns."""
    for _turn in itertools.repeat(None, number):
        await asyncio.sleep(0)


async def eventually(condition: Callable[[], bool]) -> None:
    """Let the loop take turns until *condition* holds, for what a thread is about to bring."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - the thread knows nothing of an event
            await asyncio.sleep(0)


@contextmanager
def silent() -> Iterator[None]:
    """Let nothing be logged: pytest's handler would keep the errors of misbehaving user code, frames and all."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
