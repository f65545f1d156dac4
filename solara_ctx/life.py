"""How a kernel lives: its state, the runs of its page function that follow each other, and its end."""

import asyncio
import contextlib
import contextvars
import logging
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from solara_ctx import current
from solara_ctx.claims import Claims, ReportFuture, announce_end, hand_over
from solara_ctx.clock import Clock, call_on, runs_here, wait_through
from solara_ctx.errors import ContextClosed, redact
from solara_ctx.interrupts import Interrupts
from solara_ctx.lifecycle import CloseReason, Event, State, transition
from solara_ctx.memory import resident_bytes
from solara_ctx.owner import Owner
from solara_ctx.ports import Watch
from solara_ctx.presence import Presence
from solara_ctx.run import KernelRun, Navigable, PageFunction
from solara_ctx.stats import KernelStats
from solara_ctx.teardown import CloseReport, Teardown

if TYPE_CHECKING:
    from solara_ctx.context import VirtualKernelContext

log = logging.getLogger(__name__)

# How long after the first try the next one follows to interrupt what may not be interrupted just then, and at most.
_FIRST_TRY_S, _NEXT_TRY_S = 0.001, 0.05


class Life:
    """The life of one context.  Refers to that weakly: the registry holds it until its end.

    `restart`, `close`, `living_run` and what can be read are safe from any thread, everything else is for the loop's.
    """

    def __init__(
        self, context: "VirtualKernelContext", *, owner: Owner, presence: Presence, page: PageFunction
    ) -> None:
        self.state = State.OPEN
        """`OPEN`, `RESTARTING`, `CLOSING` or `CLOSED`."""
        self.closed_event = threading.Event()
        """Set when all is over."""
        self.restarts = 0
        """How often it has begun afresh."""
        self._context = weakref.ref(context)
        self._kernel_id = context.id
        self._shown_id, self._shown_session_id = redact(context.id), redact(context.session_id)
        self._owner = owner
        self._started_at = owner.clock.now()
        self._presence = presence
        self._page: PageFunction | None = page
        self._claims = Claims(context.id)
        self._restart_task: asyncio.Task[CloseReport] | None = None
        self._teardown: Teardown | None = None
        self.run: KernelRun | None = self._new_run(context)
        """The present run; `None` once the context is closed."""

    @property
    def reason(self) -> str | None:
        """The first reason that was given for the end; `None` while nobody has asked for it."""
        return self._claims.reason

    @property
    def ending(self) -> threading.Event:
        """Set when what runs here is to end, or the page that is shown; when all is over, where nothing runs."""
        run = self.run
        if run is None:
            return self.closed_event
        here = current.peek_handle()
        return (run.handle if here is run.handle else run.page_handle).ending

    @property
    def closing(self) -> bool:
        """Whether somebody has asked for the end."""
        return self._claims.closing

    @property
    def waits_for(self) -> str:
        """What its end waits for, for people."""
        return "its turn" if self._teardown is None else self._teardown.where()

    @property
    def page(self) -> PageFunction | None:
        """What each run begins with; `None` once the context is closed."""
        return self._page

    def living_run(self, doing: str) -> KernelRun:
        """The present run, to do what *doing* says.

        Raises:
            ContextClosed: there is none any more.
        """
        if self.run is None:
            raise ContextClosed(self._kernel_id, doing=doing)
        return self.run

    def fire(self, event: Event) -> None:
        """The one place that changes the state."""
        before, self.state = self.state, transition(self.state, event)
        if before is not self.state:
            log.debug("kernel %s: %s -> %s (%s)", self._shown_id, before.value, self.state.value, event.value)

    # Any thread

    def restart(self) -> ReportFuture:
        """As for `VirtualKernelContext.restart`."""
        future, is_first = self._claims.restart()
        if is_first:
            self._post(self._begin_restart, future)
        return future

    def close(self, reason: str) -> ReportFuture:
        """As for `VirtualKernelContext.close`."""
        future, is_first = self._claims.close(reason)
        if is_first:
            self._post(self._begin_close, future)
        return future

    def navigate(self, location: str) -> None:
        """As for `VirtualKernelContext.navigate`."""
        page = cast("object", self._page)
        if self.closing or page is None:
            raise ContextClosed(self._kernel_id, doing="show another page", reason=self._claims.reason)
        other = page.at(location) if isinstance(page, Navigable) else None
        if other is None:
            raise ValueError("there is no page of this app at that location")
        with contextlib.suppress(RuntimeError):  # the loop has ended
            call_on(self._owner.loop, self._navigate, other, location)

    def interrupt(self) -> None:
        """As for `VirtualKernelContext.interrupt`."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            call_on(self._owner.loop, self._interrupt)

    # Loop only

    def stats(self, now: float) -> KernelStats:
        """As for `VirtualKernelContext.stats`."""
        pages = self._presence.table.look()
        present_s = now - self._presence.since
        run = self.run
        return KernelStats(
            id=self._shown_id,
            session=self._shown_session_id,
            state=self.state.value,
            pages={"connected": pages.connected, "disconnected": pages.disconnected, "closed": pages.closed},
            age_seconds=now - self._started_at,
            connected_seconds=present_s if pages.connected else None,
            disconnected_seconds=None if pages.connected else present_s,
            seconds_to_cull=None if pages.connected else self._presence.seconds_to_cull(),
            widgets=0 if run is None else len(run.host.widgets),
            comms=0 if run is None else run.host.comm_count,
            threads=0 if run is None else run.living_threads(),
            tasks=0 if run is None else len(run.tasks),
            mailbox_depth=0 if run is None else len(run.mailbox),
            outbox_frames=pages.outbox_frames,
            outbox_bytes=pages.outbox_bytes,
            replay_bytes=pages.replay_bytes,
            restarts=self.restarts,
        )

    def _navigate(self, page: PageFunction, location: str) -> None:
        if self.run is not None and not self.closing:
            self._page = page
            if self.state is State.OPEN:  # else the fresh kernel begins with it
                self.run.navigate(page, location)

    def _interrupt(self) -> None:
        run = self.run
        if run is not None and run.interrupt():
            _deliver(run.interrupts, self._owner.clock, _FIRST_TRY_S)

    def begin(self) -> None:
        """Run the page function for the first time."""
        if self.run is not None and self._page is not None:
            self.run.start(self._page, self._owner.start_hooks())

    def _begin_restart(self, future: ReportFuture) -> None:
        if self.state is not State.OPEN:
            future.set_exception(ContextClosed(self._kernel_id, doing="restart", reason=self._claims.reason))
            return
        self.fire(Event.RESTART)
        self._stop_taking()
        watch = self._owner.watch(self._shown_id, self._shown_session_id, CloseReason.RESTART)
        self._restart_task = self._owner.spawn(self._do_restart(watch))
        self._restart_task.add_done_callback(partial(hand_over, future, watch), context=contextvars.Context())

    async def _do_restart(self, watch: Watch) -> CloseReport:
        old = self.living_run("restart")
        memory_before = resident_bytes()
        teardown = self._new_teardown()
        await old.take_down(teardown, partial(self._presence.end_connections, CloseReason.RESTART), watch)
        teardown.here("bindings", partial(self._end_bindings, old))
        if self.state is State.RESTARTING:
            teardown.here("fresh kernel", self._replace_run)
        report = teardown.report(CloseReason.RESTART)
        self._owner.record(report)
        self._claims.restart_is_over()
        self._restart_task = self._teardown = None
        self.fire(Event.RESTARTED)
        if self.run is old:
            self.run = None
            self.close(CloseReason.RESTART_FAILED)  # or whatever the close is for that came in between
        elif self.run is not None and self._page is not None:
            # With the fresh page's function done, so that like is compared with like.
            then = partial(_log_restart, self._shown_id, memory_before)
            self.run.start(self._page, self._owner.start_hooks(), then)
        return report

    def _replace_run(self) -> None:
        # No page has to be handed over: all were sent away a moment ago, and come back on new connections.
        context = self._context()
        if context is not None:
            self.run = self._new_run(context)
            self.restarts += 1

    def _begin_close(self, future: ReportFuture) -> None:
        self.fire(Event.CLOSE)
        self._stop_taking()
        self._presence.stop_culling()
        reason = self._claims.reason or CloseReason.CLOSED
        watch = self._owner.watch(self._shown_id, self._shown_session_id, reason)
        for part in (self, self._context()):
            watch.add(part)
        closing = self._owner.spawn(self._do_close(reason, watch))
        # From outside: inside, the coroutine's own frame would still refer to what is watched.
        closing.add_done_callback(
            partial(announce_end, self.closed_event, future, watch), context=contextvars.Context()
        )

    async def _do_close(self, reason: str, watch: Watch) -> CloseReport:
        if self._restart_task is not None:
            await wait_through(self._restart_task)
        run = self.run
        teardown = self._new_teardown()
        if run is not None:  # a restart that was under way may have taken it down already
            await run.take_down(teardown, partial(self._presence.end_connections, reason), watch)
        teardown.here("registry", self._leave_registry)
        if run is not None:
            teardown.here("bindings", partial(self._end_bindings, run))
        teardown.here("references", self._let_go)
        report = teardown.report(reason)
        self._owner.record(report)
        self.fire(Event.TORN_DOWN)
        return report

    def _stop_taking(self) -> None:
        if self.run is not None:
            _ = self.run.stop_taking()  # the teardown waits for it

    def _leave_registry(self) -> None:
        context = self._context()
        if context is not None:
            self._owner.forget(context)

    def _end_bindings(self, run: KernelRun) -> None:
        self._owner.scrub_threads(run.end_bindings())

    def _let_go(self) -> None:
        self.run = self._page = self._teardown = None

    def _new_run(self, context: "VirtualKernelContext") -> KernelRun:
        owner = self._owner
        return KernelRun(
            context,
            loop=owner.loop,
            workers=owner.workers,
            mailbox_limit=owner.mailbox_limit,
            make_host=owner.make_host,
        )

    def _new_teardown(self) -> Teardown:
        owner = self._owner
        teardown = Teardown(self._kernel_id, clock=owner.clock, closers=owner.closers, budget_s=owner.step_budget_s)
        self._teardown = teardown
        return teardown

    def _post(self, step: Callable[[ReportFuture], None], future: ReportFuture) -> None:
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


def _deliver(interrupts: Interrupts, clock: Clock, delay_s: float) -> None:
    """Now, or as soon as it may arrive.  Holds nothing of the kernel: what runs may go on for as long as it likes."""
    if not interrupts.deliver():
        clock.call_at(clock.now() + delay_s, partial(_deliver, interrupts, clock, min(2 * delay_s, _NEXT_TRY_S)))


def _log_restart(shown_id: str, before: int) -> None:
    after = resident_bytes()
    log.info(
        "kernel %s: restarted, memory %.1f MB before, %.1f MB after, %+.1f MB",
        shown_id,
        before / 1e6,
        after / 1e6,
        (after - before) / 1e6,
    )
