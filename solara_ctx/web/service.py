"""The service of a `KernelApp`: what begins with its lifespan, or with its first request, and ends with the server."""

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable
from operator import methodcaller

from solara_ctx import patching
from solara_ctx.clock import wait_through, wait_within
from solara_ctx.collector import PRODUCTION_THRESHOLDS, set_collector
from solara_ctx.jupyter.message_log import show_messages
from solara_ctx.leaks.explain import explain
from solara_ctx.leaks.tracker import LeakTracker, Surroundings
from solara_ctx.lifecycle import CloseReason
from solara_ctx.registry import KernelRegistry
from solara_ctx.settings import Settings
from solara_ctx.web.channels import Channels
from solara_ctx.web.interpreter_exit import on_interpreter_exit
from solara_ctx.web.siblings import may_have_siblings
from solara_ctx.web.stop_signals import Resume, StopSignals
from solara_ctx.workers import WorkerPool

log = logging.getLogger(__name__)

# For how long a stopping server waits until each page has been sent the reason. A bound, never a delay.
_TOLD_WITHIN_S = 1.0


class Service:
    """One start of a `KernelApp` on the running event loop: patches, signals, collector, and the end of all kernels.

    Args:
        registry: The kernels; started here.
        leaks: Watches what became of them; started here, too.
        channels: The connections of their pages.
        settings: What the app goes by.
        owns_process: Whether the garbage collector may be set for it.
    """

    def __init__(
        self,
        registry: KernelRegistry,
        leaks: LeakTracker,
        channels: Channels,
        settings: Settings,
        *,
        owns_process: bool,
    ) -> None:
        self._registry = registry
        self._leaks = leaks
        self._channels = channels
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._alive = True
        self._background = WorkerPool(1, name="solara-ctx-collector")
        self._keeper: asyncio.Task[None] | None = None
        self._drain: asyncio.Task[None] | None = None
        # Done when all pages know that the server stops.
        self._told: asyncio.Future[None] = self._loop.create_future()
        if not settings.session_secret_key and may_have_siblings():
            log.warning(
                "this process may be one of several, and SOLARA_SESSION_SECRET_KEY is not set: a browser that reaches "
                "another one is a stranger there, and its page starts afresh; give all of them the same key"
            )
        patching.acquire()
        registry.start(scrub_threads=patching.scrub_dummy_threads, watch=leaks.watch)
        self._signals = StopSignals(self._stop_signalled)
        self._signals.install()
        # What gives the process back what it had before.
        self._restores: list[Callable[[], object]] = [
            _set_collector(settings, owns_process=owns_process),
            patching.on_server_stop(self._tell_before),
        ]
        if settings.debug:
            self._restores.append(show_messages())
        if threading.current_thread().daemon:
            self._restores.append(on_interpreter_exit(self._drain_at_exit))
        leaks.start(
            Surroundings(
                clock=registry.clock, in_background=self._background.submit, on_loop=self._loop.call_soon_threadsafe
            )
        )

    @property
    def lives(self) -> bool:
        """Whether it is up, on whatever event loop."""
        return self._alive and not self._loop.is_closed()

    @property
    def lives_here(self) -> bool:
        """Whether it is up on the running event loop."""
        return self._alive and self._loop is asyncio.get_running_loop()

    def forget(self) -> None:
        """Its event loop has ended without it: give back what can be given back without one."""
        while self._restores:
            self._restores.pop()()

    async def stop(self) -> None:
        """Close all kernels, and give the process back what it had; harmless when that was done."""
        if not self._alive:
            return
        self._alive = False
        try:
            drain = self._begin_drain()
            await wait_through(drain)
            drain.result()
        finally:
            self._leaks.stop()
            self._background.close()
            self.forget()
            self._signals.remove()
            patching.release()

    def keep(self) -> None:
        """Stop with the loop, as there is nobody who would say when."""
        # From an empty context: the task lives as long as the loop, and must not keep the request that began it.
        self._keeper = self._loop.create_task(self._keep(), context=contextvars.Context())

    async def _keep(self) -> None:
        """Wait for the loop's end, which cancels every task, and close the kernels then."""
        try:
            await self._loop.create_future()
        finally:
            await self.stop()

    def name_holder(self, kernel: str) -> None:
        """Say in the log what keeps that zombie; in the background, as it takes seconds."""

        def search() -> None:
            found = explain(self._leaks.living(kernel))
            log.warning("kernel %s is kept by %s", kernel, found.text())
            with contextlib.suppress(RuntimeError):  # the loop may have ended
                self._loop.call_soon_threadsafe(self._leaks.note_holder, kernel, found.text())

        self._background.submit(search)

    # How it hears of the end

    def _stop_signalled(self, resume: Resume) -> None:
        # In a signal handler, between any two instructions of the main thread: only pass it on.
        if not self._alive:
            resume()
        elif self._keeper is None:
            # Not only when the lifespan ends: uvicorn waits for its connections first, without a limit, and a page
            # that reads nothing, of a sleeping laptop for example, would keep every kernel from closing.
            self._loop.call_soon_threadsafe(self._drain_before, resume)
        else:
            # Nobody will call us again, so the server has to wait until the kernels are closed.
            self._keeper.add_done_callback(lambda _: resume())
            self._loop.call_soon_threadsafe(self._keeper.cancel)

    def _drain_before(self, resume: Resume) -> None:
        """Let the server hear of the signal once all pages are told: it would tell them something else."""
        _ = self._begin_drain()
        self._told.add_done_callback(lambda _: resume())

    async def _tell_before(self) -> None:
        """The same for a server that waits for this instead of being called."""
        if self._loop is asyncio.get_running_loop():
            _ = self._begin_drain()
            await asyncio.shield(self._told)

    def _drain_at_exit(self) -> None:
        """The main thread has ended, and soon the service's own will stop wherever it is: close the kernels first."""
        drained = threading.Event()

        def begin() -> None:
            self._begin_drain().add_done_callback(lambda _: drained.set())

        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(begin)
            if self._loop.is_running():
                # The drain's own budget: but somebody may block the loop, and then nobody would keep to it.
                drained.wait(self._settings.kernel_drain_timeout)

    # The end

    def _begin_drain(self) -> "asyncio.Task[None]":
        """Tell the pages, and begin to close the kernels; once, however often it is asked for."""
        if self._drain is None:
            self._registry.begin_drain()
            self._leaks.collect_no_more()
            self._drain = self._loop.create_task(self._close_kernels(), context=contextvars.Context())
        return self._drain

    async def _close_kernels(self) -> None:
        try:
            # Pages are sent away with the first step of their kernel's end and not, as else, with the last: the server
            # waits for its connections, or has a word of its own for them.
            reason = CloseReason.SERVER_SHUTDOWN
            await self._registry.drain(
                reason, each=methodcaller("send_pages_away", reason), begun=self._wait_until_told
            )
        finally:
            self._all_told()

    async def _wait_until_told(self) -> None:
        # What the last pages are told is on its way, and has some turns of the loop to go; a page that reads nothing is
        # left to the server.
        within_s = min(_TOLD_WITHIN_S, self._settings.kernel_drain_timeout)
        await wait_within(self._registry.clock, self._channels.none_open(), within_s)
        self._all_told()

    def _all_told(self) -> None:
        if not self._told.done():
            self._told.set_result(None)


def _set_collector(settings: Settings, *, owns_process: bool) -> Callable[[], None]:
    freeze, thresholds = settings.gc_freeze, settings.gc_thresholds
    in_production = owns_process and not settings.debug
    return set_collector(
        freeze=in_production if freeze is None else freeze,
        thresholds=PRODUCTION_THRESHOLDS if thresholds is None and in_production else thresholds,
    )
