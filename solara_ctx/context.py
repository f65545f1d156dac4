"""One kernel of one browser page: who it is, who is connected, what state it is in, and how it ends."""

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar

from solara_ctx import current, frames
from solara_ctx.claims import Claims, ReportFuture, announce_end, hand_over
from solara_ctx.clock import runs_here, wait_through
from solara_ctx.current import Handle
from solara_ctx.errors import ContextClosed, WrongThread, redact
from solara_ctx.hooks import Hook
from solara_ctx.kernel_var import KernelValues
from solara_ctx.lifecycle import CloseCode, CloseReason, Event, PageStatus, State, transition
from solara_ctx.memory import resident_bytes
from solara_ctx.owner import Owner
from solara_ctx.pages import PageCounts
from solara_ctx.ports import Host, Sink, Watch
from solara_ctx.presence import Presence
from solara_ctx.run import KernelRun, PageFunction
from solara_ctx.stats import KernelStats
from solara_ctx.teardown import CloseReport, Teardown

log = logging.getLogger(__name__)

T = TypeVar("T")
_NOTHING: Mapping[str, object] = MappingProxyType({})


class VirtualKernelContext:
    """A virtual kernel: an ipykernel kernel, its shell and widgets, and everything that lives and dies with them.

    Made by `KernelRegistry`, never directly.  It belongs to the event loop of its registry: the `page_...` methods
    may be called on that loop's thread only.  What user code needs (`on_close`, `create_task`, `restart`, `close`, the
    properties, `with context:`) may be used from any thread.
    """

    def __init__(self, kernel_id: str, session_id: str, *, owner: Owner, page: PageFunction) -> None:
        self.id = kernel_id
        """The kernel id, as it was issued.  Show it redacted."""
        self.session_id = session_id
        """The browser session that the kernel belongs to."""
        self.closed_event = threading.Event()
        """Set last of all: the kernel is down and out of the registry, and nothing of ours refers to it any more."""
        self._shown_id, self._shown_session_id = redact(kernel_id), redact(session_id)
        self._owner = owner
        self._page: PageFunction | None = page
        self._state = State.OPEN
        self._presence = Presence(kernel_id, owner)
        self._restart_task: asyncio.Task[CloseReport] | None = None
        self._started_at = owner.clock.now()
        self._restarts = 0
        self._claims = Claims(kernel_id)
        self._run: KernelRun | None = self._new_run()
        self._run.start(page, owner.start_hooks())

    def __repr__(self) -> str:
        return f"<VirtualKernelContext {self._shown_id} {self._state.value} pages={len(self.page_status)}>"

    # What it is

    @property
    def state(self) -> State:
        """`OPEN`, `RESTARTING`, `CLOSING` or `CLOSED`."""
        return self._state

    @property
    def close_reason(self) -> str | None:
        """Why the kernel ends or has ended: the first reason that was given; `None` while nobody has asked for it."""
        return self._claims.reason

    @property
    def page_status(self) -> Mapping[str, PageStatus]:
        """Status by page id, a snapshot."""
        return self._presence.table.status

    @property
    def host(self) -> Host | None:
        """The kernel's inside; `None` once the context is closed."""
        return None if self._run is None else self._run.host

    @property
    def kernel(self) -> object | None:
        """The ipykernel kernel; `None` once the context is closed."""
        return None if self._run is None else self._run.host.kernel

    @property
    def widgets(self) -> Mapping[str, object]:
        """The living ipywidgets of this kernel by model id; empty once the context is closed."""
        return _NOTHING if self._run is None else self._run.host.widgets

    @property
    def kernel_values(self) -> KernelValues:
        """The values of the `KernelVar`s.

        Raises:
            ContextClosed: the context is closed.
        """
        return self._living_run("hold values").values

    def handle(self) -> Handle:
        """The weak handle under which the running kernel is current somewhere.

        Raises:
            ContextClosed: the context is closed.
        """
        return self._living_run("be made current").handle

    # Being current

    def __enter__(self) -> Self:
        current.push(self.handle())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current.pop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        current.pop()

    # Pages; loop only

    def page_connect(self, page_id: str, sink: Sink | None = None) -> int:
        """A connection of a page begins.  A cull that was due is forgotten.

        Args:
            page_id: Names the page; chosen by the browser.
            sink: Where to send what the kernel has to say; `None` for a page that only counts.

        Returns:
            The number of the connection, for `page_disconnect`.

        Raises:
            ContextClosed: the kernel is closing or closed.
            WrongThread: not called on the loop's thread.
        """
        self._on_loop()
        if self._state in {State.CLOSING, State.CLOSED} or self._run is None:
            raise ContextClosed(self.id, doing="take a page", reason=self._claims.reason)
        self._fire(Event.CONNECT)
        return self._presence.connect(page_id, sink, self._run.host)

    def page_disconnect(self, page_id: str, connection: int | None = None) -> "asyncio.Future[None]":
        """A connection of a page has ended.  When no page is connected any more, the cull is due after its timeout.

        Args:
            page_id: As for `page_connect`.
            connection: What `page_connect` returned.  A connection that is not the newest of its page changes
                nothing; `None` stands for the newest.

        Returns:
            Done when the cull has run; cancelled when a page connects again or a newer disconnect takes its place.
            Where this disconnect leads to no cull, it is done already.

        Raises:
            WrongThread: not called on the loop's thread.
        """
        self._on_loop()
        self._fire(Event.DISCONNECT)
        return self._presence.disconnect(page_id, connection, self.host)

    def page_close(self, page_id: str) -> None:
        """A page has said that it is gone for good.  The kernel closes with the last of its pages.

        Harmless for a page that is unknown or has said so before.

        Raises:
            WrongThread: not called on the loop's thread.
        """
        self._on_loop()
        if self._presence.close(page_id):
            self.close(CloseReason.PAGE_CLOSED)

    def receive(self, page_id: str, frame: str | bytes) -> bool:
        """Hand over a frame that a page has sent; dropped once the kernel is closing.  Loop only.

        Returns:
            Whether there is room for more; where not, `when_drained` says when there is.
        """
        return self._run is None or self._run.receive(page_id, frame)

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call *callback* once, from any thread, when there is room for more frames or the kernel is closing."""
        if self._run is None:
            callback()
        else:
            self._run.mailbox.when_drained(callback)

    # What user code asks for; any thread

    def on_close(self, hook: Hook) -> Callable[[], None]:
        """Call *hook*, without arguments, when the kernel closes or restarts: last registered first, on a worker, with
        the context current.  When all hooks have already run, it is called at once.

        Returns:
            A function that takes the hook off again, harmless to call twice.
        """
        run = self._run
        unregister = None if run is None else run.hooks.add(hook)
        if unregister is not None:
            return unregister
        try:
            hook()
        except Exception as error:
            log.exception("an on_close hook of kernel %s failed", self._shown_id)
            frames.note(error)
        return _do_nothing

    def create_task(
        self, coroutine: Coroutine[object, None, T], *, name: str | None = None
    ) -> concurrent.futures.Future[T]:
        """Run *coroutine* as a task on the server's event loop, with this kernel current.

        It is cancelled, and awaited, when the kernel closes or restarts.  An error is logged.  The coroutine shares the
        loop with everybody's connections: what blocks belongs into `await asyncio.to_thread(...)`.

        Returns:
            A future for its result; cancelling it cancels the task.

        Raises:
            ContextClosed: the kernel is closing or closed; the coroutine is closed.
            TypeError: it is no coroutine.
        """
        run = self._run
        if run is None or self._claims.closing:
            coroutine.close()
            raise ContextClosed(self.id, doing="start a task", reason=self._claims.reason)
        return run.tasks.create(coroutine, run.variables(), name)

    def restart(self) -> ReportFuture:
        """Replace the kernel by a fresh one under the same id: teardown as for a close, then the page function again.

        Connected pages are told, come back, and show the fresh page.  Never blocks.

        Returns:
            The report of the teardown, once the fresh kernel has been started, or a close has come in between; the
            same future however often it is asked for while a restart is under way.

        Raises:
            ContextClosed: the kernel is closing or closed.
        """
        future, is_first = self._claims.restart()
        if is_first:
            self._post(self._begin_restart, future)
        return future

    def close(self, reason: str = CloseReason.CLOSED) -> ReportFuture:
        """Ask for the end of this kernel.  Never blocks; do not wait for the result in a callback of the same kernel:
        the teardown waits for that callback in turn.

        Args:
            reason: Why, one lower-case word such as "logged-out"; shown to the page and in `/resourcez`.

        Returns:
            The report, once everything is down; the same future however often it is asked.  The first reason wins.

        Raises:
            ValueError: the reason is not such a word.
        """
        future, is_first = self._claims.close(reason)
        if is_first:
            self._post(self._begin_close, future)
        return future

    async def aclose(self, reason: str = CloseReason.CLOSED) -> CloseReport:
        """`close`, and wait for the end.  Any event loop; cancelling the wait does not stop the close."""
        return await asyncio.wrap_future(self.close(reason))

    def send_pages_away(self, reason: str) -> None:
        """End the connections of all pages, before the kernel's own end would.  Loop only."""
        self._end_connections(reason)

    def page_counts(self) -> PageCounts:
        """How many pages are in each status, and what waits to be sent to them.  Loop only."""
        return self._presence.table.look()

    def stats(self, now: float | None = None) -> KernelStats:
        """A snapshot.  Loop only.  Written to be fast: `/resourcez` takes one of each of thousands of kernels.

        Args:
            now: The time on the registry's clock, for a caller who takes many.
        """
        now = self._owner.clock.now() if now is None else now
        pages = self._presence.table.look()
        present_s = now - self._presence.since
        run = self._run
        return KernelStats(
            id=self._shown_id,
            session=self._shown_session_id,
            state=self._state.value,
            pages={"connected": pages.connected, "disconnected": pages.disconnected, "closed": pages.closed},
            age_seconds=now - self._started_at,
            connected_seconds=present_s if pages.connected else None,
            disconnected_seconds=None if pages.connected else present_s,
            seconds_to_cull=None if pages.connected else self._presence.seconds_to_cull(),
            widgets=0 if run is None else len(run.host.widgets),
            comms=0 if run is None else run.host.comm_count,
            threads=0 if run is None else run.handle.living_threads(),
            tasks=0 if run is None else len(run.tasks),
            mailbox_depth=0 if run is None else len(run.mailbox),
            outbox_frames=pages.outbox_frames,
            outbox_bytes=pages.outbox_bytes,
            restarts=self._restarts,
        )

    # How it goes on and ends; loop only

    def _begin_restart(self, future: ReportFuture) -> None:
        if self._state is not State.OPEN:
            future.set_exception(ContextClosed(self.id, doing="restart", reason=self._claims.reason))
            return
        self._fire(Event.RESTART)
        self._stop_taking()
        watch = self._owner.watch(self._shown_id, self._shown_session_id, CloseReason.RESTART)
        self._restart_task = self._owner.spawn(self._do_restart(watch))
        self._restart_task.add_done_callback(partial(hand_over, future, watch), context=contextvars.Context())

    async def _do_restart(self, watch: Watch) -> CloseReport:
        old = self._living_run("restart")
        memory_before = resident_bytes()
        teardown = self._new_teardown()
        await old.take_down(teardown, partial(self._end_connections, CloseReason.RESTART), watch)
        teardown.here("bindings", partial(self._end_bindings, old))
        if self._state is State.RESTARTING:
            teardown.here("fresh kernel", self._replace_run)
        report = teardown.report(CloseReason.RESTART)
        self._owner.record(report)
        self._claims.restart_is_over()
        self._restart_task = None
        self._fire(Event.RESTARTED)
        if self._run is old:
            self._run = None
            self.close(CloseReason.RESTART_FAILED)  # or whatever the close is for that came in between
        elif self._run is not None and self._page is not None:
            # With the fresh page's function done, so that like is compared with like.
            then = partial(_log_restart, self._shown_id, memory_before)
            self._run.start(self._page, self._owner.start_hooks(), then)
        return report

    def _replace_run(self) -> None:
        # No page has to be handed over: all were sent away a moment ago, and come back on new connections.
        self._run = self._new_run()
        self._restarts += 1

    def _begin_close(self, future: ReportFuture) -> None:
        self._fire(Event.CLOSE)
        self._stop_taking()
        self._presence.stop_culling()
        reason = self._claims.reason or CloseReason.CLOSED
        watch = self._owner.watch(self._shown_id, self._shown_session_id, reason)
        watch.add(self)
        closing = self._owner.spawn(self._do_close(reason, watch))
        # From outside: inside, the coroutine's own frame would still refer to the context.
        closing.add_done_callback(
            partial(announce_end, self.closed_event, future, watch), context=contextvars.Context()
        )

    async def _do_close(self, reason: str, watch: Watch) -> CloseReport:
        if self._restart_task is not None:
            await wait_through(self._restart_task)
        run = self._run
        teardown = self._new_teardown()
        if run is not None:  # a restart that was under way may have taken it down already
            await run.take_down(teardown, partial(self._end_connections, reason), watch)
        teardown.here("registry", partial(self._owner.forget, self))
        if run is not None:
            teardown.here("bindings", partial(self._end_bindings, run))
        teardown.here("references", self._let_go)
        report = teardown.report(reason)
        self._owner.record(report)
        self._fire(Event.TORN_DOWN)
        return report

    def _stop_taking(self) -> None:
        if self._run is not None:
            _ = self._run.stop_taking()  # the teardown waits for it

    def _end_connections(self, reason: str) -> None:
        self._presence.end_connections(CloseCode.for_reason(reason), reason)

    def _end_bindings(self, run: KernelRun) -> None:
        run.handle.sever()
        self._owner.scrub_threads(run.handle.foreign_threads.copy())

    def _let_go(self) -> None:
        self._run = None
        self._page = None

    def _new_run(self) -> KernelRun:
        owner = self._owner
        return KernelRun(
            self, loop=owner.loop, workers=owner.workers, mailbox_limit=owner.mailbox_limit, make_host=owner.make_host
        )

    def _new_teardown(self) -> Teardown:
        owner = self._owner
        return Teardown(self.id, clock=owner.clock, closers=owner.closers, budget_s=owner.step_budget_s)

    def _living_run(self, doing: str) -> KernelRun:
        if self._run is None:
            raise ContextClosed(self.id, doing=doing)
        return self._run

    def _fire(self, event: Event) -> None:
        """The one place that changes the state."""
        before, self._state = self._state, transition(self._state, event)
        if before is not self._state:
            log.debug("kernel %s: %s -> %s (%s)", self._shown_id, before.value, self._state.value, event.value)

    def _post(
        self,
        step: Callable[[ReportFuture], None],
        future: ReportFuture,
    ) -> None:
        loop = self._owner.loop
        if runs_here(loop):
            # At once, not in the next turn: in between, a page could connect to a kernel that is as good as culled.
            step(future)
            return
        try:
            loop.call_soon_threadsafe(step, future)
        except RuntimeError:
            future.set_exception(
                RuntimeError(f"the event loop of kernel {self._shown_id} has ended; nothing can be closed any more")
            )

    def _on_loop(self) -> None:
        if threading.get_ident() != self._owner.loop_thread:
            raise WrongThread(
                f"the page table of kernel {self._shown_id}",
                instead="call loop.call_soon_threadsafe(context.page_close, page_id) or the like",
            )


def _log_restart(shown_id: str, before: int) -> None:
    after = resident_bytes()
    log.info(
        "kernel %s: restarted, memory %.1f MB before, %.1f MB after, %+.1f MB",
        shown_id,
        before / 1e6,
        after / 1e6,
        (after - before) / 1e6,
    )


def _do_nothing() -> None:
    pass
