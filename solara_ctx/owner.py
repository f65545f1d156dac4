"""What a context needs of the registry that holds it, as a protocol: the registry is above it, and not imported."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Protocol

from solara_ctx.clock import Clock
from solara_ctx.current import Handle
from solara_ctx.ports import Host, Watch
from solara_ctx.run import StartHook
from solara_ctx.teardown import CloseReport, Closers
from solara_ctx.workers import WorkerPool

if TYPE_CHECKING:
    from solara_ctx.context import VirtualKernelContext


class Owner(Protocol):
    """What a context needs of the registry that holds it.  The methods are called on the loop only."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop whose thread owns the context."""

    @property
    def loop_thread(self) -> int:
        """The ident of that thread."""

    @property
    def clock(self) -> Clock:
        """The time that everything goes by."""

    @property
    def workers(self) -> WorkerPool:
        """Runs page functions and callbacks."""

    @property
    def closers(self) -> Closers:
        """Runs the steps of teardowns."""

    @property
    def mailbox_limit(self) -> int:
        """How many messages may wait before pages are held back."""

    @property
    def step_budget_s(self) -> float:
        """How long one step of a teardown may take, in seconds."""

    def make_host(self, handle: Handle) -> Host:
        """A fresh kernel for the context behind *handle*."""

    def start_hooks(self) -> Iterable[StartHook]:
        """What runs in each kernel before its page function."""

    def schedule_cull(self, kernel_id: str) -> "asyncio.Future[None]":
        """Close the kernel after the cull timeout; the future is done when that has run."""

    def cancel_cull(self, kernel_id: str) -> None:
        """Forget the cull of the kernel, if one is due."""

    def seconds_to_cull(self, kernel_id: str) -> float | None:
        """How long until the kernel is culled, `None` if it is not due."""

    def spawn(self, coroutine: Coroutine[object, None, CloseReport]) -> "asyncio.Task[CloseReport]":
        """Run a coroutine of a context's lifecycle to its end, whatever happens to those who wait for it."""

    def watch(self, kernel: str, session: str, reason: str) -> Watch:
        """An eye on what belongs to a kernel that is about to be closed; the ids are redacted."""

    def forget(self, context: "VirtualKernelContext") -> None:
        """Take the context out of the registry, by identity."""

    def record(self, report: CloseReport) -> None:
        """Count a teardown."""

    def scrub_threads(self, idents: set[int]) -> None:
        """Drop what `threading` keeps of foreign threads that have ended."""
