"""Which kernels there are: issue ids, let pages in, cull, close, drain."""

import asyncio
import hmac
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import NamedTuple

from solara_ctx import loop_hooks
from solara_ctx.admission import Admission
from solara_ctx.claims import ReportFuture
from solara_ctx.clock import Clock, LoopClock
from solara_ctx.context import VirtualKernelContext
from solara_ctx.context_table import ContextTable
from solara_ctx.cull_timer import CullTimer
from solara_ctx.current import Handle
from solara_ctx.draining import close_all
from solara_ctx.ended import EndedKernels
from solara_ctx.errors import (
    ContextClosed,
    KernelContextError,
    SessionMismatch,
    UserMismatch,
    redact,
)
from solara_ctx.hooks import Hook
from solara_ctx.lifecycle import CloseReason
from solara_ctx.lifecycle_tasks import LifecycleTasks
from solara_ctx.ports import Host, Ids, NoWatch, Sink, Watch
from solara_ctx.room import Room
from solara_ctx.run import PageFunction, StartHook
from solara_ctx.settings import Settings
from solara_ctx.signed_out import SignedOut
from solara_ctx.stats import KernelStats, RegistryStats, WorkerStats
from solara_ctx.teardown import CloseReport, Closers
from solara_ctx.totals import Totals
from solara_ctx.workers import WorkerPool

log = logging.getLogger(__name__)


class Connection(NamedTuple):
    """A page's connection to its kernel."""

    context: VirtualKernelContext
    number: int


class KernelRegistry(ContextTable):
    """The kernels of one `KernelApp`, by kernel id: a read-only mapping with the operations that change it.

    It belongs to the event loop that was running at `start`; everything but the mapping is for that loop's thread.
    """

    def __init__(self, settings: Settings, *, ids: Ids, make_host: Callable[[Handle], Host]) -> None:
        super().__init__()
        self.settings = settings
        self.mailbox_limit = settings.kernel_mailbox_limit
        self.step_budget_s = settings.kernel_close_timeout
        self._ids = ids
        self._make_host = make_host
        self._start_hooks: dict[object, StartHook] = {}
        self._admission = Admission(settings)
        self._ended = EndedKernels(at_least_s=settings.kernel_connect_timeout)
        self._lifecycle_tasks = LifecycleTasks(self._close_closers_when_idle)
        self._totals = Totals()
        self._draining = self._drained = False
        self._signed_out = SignedOut(settings.kernel_connect_timeout)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scrub_threads: Callable[[set[int]], None] = _leave_threads_alone
        self._watch: Callable[[str, str, str], Watch] = _watch_nothing

    def __repr__(self) -> str:
        return f"<KernelRegistry kernels={len(self._contexts)}>"

    # Start and stop

    def start(
        self,
        *,
        clock: Clock | None = None,
        workers: WorkerPool | None = None,
        closers: Closers | None = None,
        scrub_threads: Callable[[set[int]], None] | None = None,
        watch: Callable[[str, str, str], Watch] | None = None,
    ) -> None:
        """Take kernels from now on, on the running event loop.

        Args:
            clock: The time that deadlines and budgets go by; the loop's own where not given.
            workers: Runs page functions and callbacks; a pool of `SOLARA_KERNEL_THREADS` where not given.
            closers: Run the steps of teardowns; threads of its own where not given.
            scrub_threads: Drops what `threading` keeps of dead foreign threads.
            watch: Makes the watch over a kernel that is about to be closed, of its redacted id, the redacted id of its
                session, and the reason.
        """
        self._loop = asyncio.get_running_loop()
        self.loop_thread = threading.get_ident()
        self.clock: Clock = clock or LoopClock(self._loop)
        self.workers = workers or WorkerPool(self.settings.kernel_threads)
        self.closers = closers or Closers()
        self._scrub_threads = scrub_threads or _leave_threads_alone
        self._watch = watch or _watch_nothing
        self._draining = self._drained = False
        self._culls = CullTimer(self.clock, self._loop, self._cull)
        self._room = Room(self._admission, self._contexts, self._culls)
        self._unhook = loop_hooks.install(self._loop)

    def begin_drain(self) -> None:
        """Let no new kernel in."""
        self._draining = True

    async def drain(
        self,
        reason: str = CloseReason.SERVER_SHUTDOWN,
        *,
        each: Callable[[VirtualKernelContext], object] | None = None,
        begun: Callable[[], Awaitable[object]] | None = None,
    ) -> list[VirtualKernelContext]:
        """Close every kernel, all at once, within `SOLARA_KERNEL_DRAIN_TIMEOUT`, and take no new ones.

        Args:
            reason: Why.
            each: Called with each kernel in the turn of the loop in which its close begins.
            begun: Called, and waited for, once all closes have begun.

        Returns:
            The kernels that were not closed in time; each is named in the log.
        """
        self.begin_drain()
        within_s = self.settings.kernel_drain_timeout
        late = await close_all(self._contexts, reason, clock=self.clock, within_s=within_s, each=each, begun=begun)
        self._unhook()
        self.workers.close()
        self._drained = True
        self._close_closers_when_idle()
        return late

    @property
    def draining(self) -> bool:
        """Whether the registry lets nobody in any more."""
        return self._draining

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that owns the kernels.

        Raises:
            KernelContextError: the registry was not started.
        """
        if self._loop is None:
            raise KernelContextError(
                "the kernel registry was not started; pass `lifespan=kernels.lifespan` to your Starlette app"
            )
        return self._loop

    # Letting in

    def issue(self, session_id: str) -> str:
        """A kernel id for a page that is about to be sent.  Nothing is kept: an id that is never used costs nothing.

        Raises:
            KernelLimitReached: there is no room for one more kernel.
        """
        _ = self._room.who_makes_it(session_id)  # nobody yet: the page may never connect
        return self._ids.issue(session_id)

    def count_refusal(self) -> None:
        """Somebody was turned away who would have been issued an id."""
        self._admission.refused_total += 1

    def find(self, kernel_id: str, session_id: str, user: str | None = None) -> VirtualKernelContext | None:
        """The kernel of that id; `None` when the id is good and its kernel has not been started yet.

        Raises:
            SessionMismatch: it belongs to another session.
            UserMismatch: it belongs to another user of that session.
            InvalidKernelId: it was not issued to that session.
            ContextClosed: its kernel has ended, or it was not used in time.
        """
        context = self._contexts.get(kernel_id)
        if context is not None:
            if not hmac.compare_digest(context.session_id.encode(), session_id.encode()):
                raise SessionMismatch(kernel_id)
            if context.user != user:
                raise UserMismatch(kernel_id)
            return context
        self._ids.check(kernel_id, session_id)
        ended = self._ended.reason(kernel_id)
        if ended is None and self._ids.remaining_s(kernel_id) <= 0:
            ended = "expired"
        if ended is not None:
            raise ContextClosed(kernel_id, doing="take a page", reason=ended)
        return None

    def connect(
        self,
        kernel_id: str,
        session_id: str,
        page_id: str,
        *,
        sink: Sink | None,
        page: PageFunction,
        user: str | None = None,
        base_url: str = "/",
        returns: bool = False,
    ) -> Connection:
        """A page connects to its kernel, which starts with its first connection.

        Args:
            kernel_id: As issued.
            session_id: The browser session that asks.
            page_id: Names the page; chosen by the browser.
            sink: Where to send what the kernel has to say.
            page: What to run in a fresh kernel; without arguments.
            user: Who asks, as the host app has authenticated them.  Whose first connection it is, the kernel is.
            base_url: Where the app is mounted, as the page's browser sees it.
            returns: Whether the page has had a kernel under that id before: it gets no other one.

        Raises:
            SessionMismatch, UserMismatch, InvalidKernelId, ContextClosed: as for `find`; the last also when the server
                is stopping.
            KernelLimitReached: there is no room for one more kernel.
        """
        context = self.find(kernel_id, session_id, user)
        if context is None:
            if returns:
                # Of another process, which had the same key, and took what was done there with it.
                raise ContextClosed(kernel_id, doing="take its page back", reason="gone")
            if self._draining:
                raise ContextClosed(kernel_id, doing="start", reason=CloseReason.SERVER_SHUTDOWN)
            age_s = self.settings.kernel_connect_timeout - self._ids.remaining_s(kernel_id)
            if self._signed_out.since(user, self.clock.now() - age_s):
                raise ContextClosed(kernel_id, doing="start", reason=CloseReason.SIGNED_OUT)
            makes_room = self._room.who_makes_it(session_id)
            context = VirtualKernelContext(kernel_id, session_id, owner=self, page=page, user=user, base_url=base_url)
            self._contexts[kernel_id] = context
            self._room.evict(makes_room)
            self._admission.let_in(session_id, kernel_id)
            self._totals.started += 1
            log.debug("kernel %s started", redact(kernel_id))
            connection = Connection(context, context.page_connect(page_id, sink))
            # Not before: what it has to say first would reach nobody.
            context.begin()
            return connection
        return Connection(context, context.page_connect(page_id, sink))

    def of_session(self, session_id: str) -> list[VirtualKernelContext]:
        """The kernels of one session."""
        found = map(self._contexts.get, self._admission.of_session(session_id))
        return [context for context in found if context is not None]

    def invalidate(self, user: str, reason: str = CloseReason.SIGNED_OUT) -> list[ReportFuture]:
        """Close all kernels of a user, who has signed out, for example.  Any thread; never blocks.

        Args:
            user: As for `VirtualKernelContext.user`.
            reason: As for `VirtualKernelContext.close`; their pages show it.

        Returns:
            The reports, once everything is down.

        Raises:
            TypeError: the user is no string: nobody's kernels are not a user's.
            ValueError: the reason is not one lower-case word.
        """
        if not isinstance(user, str):
            raise TypeError(
                f"name the user as `VirtualKernelContext.user` does, by a string, not {type(user).__name__}"
            )
        # First, for pages that were loaded before and have not connected yet.
        self._signed_out.add(user, self.clock.now())
        return [context.close(reason) for context in self._contexts.copy().values() if context.user == user]

    def has_room(self) -> bool:
        """Whether a kernel of a new session would be let in."""
        return self._room.is_left()

    def on_start(self, hook: StartHook) -> Callable[[], None]:
        """Call *hook* in every kernel before its page function; what it returns is registered with `on_close`.

        Returns:
            A function that takes the hook off again, harmless to call twice.
        """
        entry = object()  # the same function may be registered twice
        self._start_hooks[entry] = hook

        def unregister() -> None:
            self._start_hooks.pop(entry, None)

        return unregister

    def take_start_hooks(self, other: "KernelRegistry") -> None:
        """Have the start hooks of *other*, for kernels yet to come, instead of its own."""
        self._start_hooks = other._start_hooks

    # What is alive

    def stats(self) -> RegistryStats:
        """A snapshot of all kernels together."""
        return self._totals.look(
            list(self._contexts.values()),
            settings=self.settings,
            retained=len(self._culls),
            refused=self._admission.refused_total,
        )

    def kernel_stats(self) -> list[KernelStats]:
        """A snapshot of each kernel."""
        now = self.clock.now()
        return [context.stats(now) for context in list(self._contexts.values())]

    def worker_stats(self) -> WorkerStats:
        """A snapshot of the threads that run user code."""
        return WorkerStats(
            limit=self.settings.kernel_threads,
            running=self.workers.threads,
            busy=self.workers.busy,
            queued=self.workers.queued,
            stuck=self.workers.stuck + self.closers.stuck,
        )

    # What its contexts need of it; see `owner.Owner`

    def make_host(self, handle: Handle) -> Host:
        """Make a kernel for a context."""
        return self._make_host(handle)

    def start_hooks(self) -> Iterable[Callable[[], Hook | None]]:
        """What `on_start` has registered, in that order."""
        return tuple(self._start_hooks.values())

    def schedule_cull(self, kernel_id: str) -> "asyncio.Future[None]":
        """Let a kernel be culled after the timeout, counted from now."""
        future = self._culls.schedule(kernel_id, self.settings.kernel_cull_timeout)
        limit = self.settings.kernel_max_disconnected
        if limit is not None and not self._draining:
            self._room.keep_waiting_at_most(limit)
        return future

    def cancel_cull(self, kernel_id: str) -> None:
        """Forget the cull of a kernel; harmless when none is due."""
        self._culls.cancel(kernel_id)

    def seconds_to_cull(self, kernel_id: str) -> float | None:
        """For how long a kernel is kept if no page comes back; `None` if no cull is due."""
        return self._culls.seconds_left(kernel_id)

    def spawn(self, coroutine: Coroutine[object, None, CloseReport]) -> asyncio.Task[CloseReport]:
        """Run a teardown in a task that nobody can cancel."""
        return self._lifecycle_tasks.spawn(coroutine, self.loop)

    def watch(self, kernel: str, session: str, reason: str) -> Watch:
        """An eye on what belongs to a kernel that is about to be closed; the ids are redacted."""
        return self._watch(kernel, session, reason)

    def forget(self, context: VirtualKernelContext) -> None:
        """Take a context out, by identity; only the reason of its end is remembered, for a page that comes back."""
        if self._contexts.get(context.id) is not context:
            return
        del self._contexts[context.id]
        self._admission.left(context.session_id, context.id)
        now = self.clock.now()
        self._ended.remember(context.id, context.close_reason or CloseReason.CLOSED, now)

    def record(self, report: CloseReport) -> None:
        """Count and log a teardown."""
        self._totals.record(report)

    def scrub_threads(self, idents: set[int]) -> None:
        """Hand dead foreign threads to whoever can drop what `threading` keeps of them."""
        self._scrub_threads(idents)

    def _close_closers_when_idle(self) -> None:
        # A kernel that was late for the drain goes on with its teardown for as long as the loop lives.
        if self._drained and not self._lifecycle_tasks:
            self.closers.close()

    def _cull(self, kernel_id: str) -> "asyncio.Future[CloseReport] | None":
        context = self._contexts.get(kernel_id)
        # A server that stops tells some pages before the others: their kernels end by that, not for their absence.
        reason = CloseReason.SERVER_SHUTDOWN if self._draining else CloseReason.CULLED
        return None if context is None else asyncio.wrap_future(context.close(reason))


def _leave_threads_alone(_idents: set[int]) -> None:
    pass


def _watch_nothing(_kernel: str, _session: str, _reason: str) -> Watch:
    return NoWatch()
