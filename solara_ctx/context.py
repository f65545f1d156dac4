"""One kernel of one browser page: who it is, who is connected, and what user code may ask of it."""

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar

from solara_ctx import current, frames
from solara_ctx.claims import ReportFuture
from solara_ctx.current import Handle
from solara_ctx.errors import ContextClosed, WrongThread, redact
from solara_ctx.files import KernelFiles
from solara_ctx.hooks import Hook
from solara_ctx.kernel_var import KernelValues
from solara_ctx.life import Life
from solara_ctx.lifecycle import CloseReason, Event, PageStatus, State
from solara_ctx.owner import Owner
from solara_ctx.pages import PageCounts
from solara_ctx.ports import Host, Sink
from solara_ctx.presence import Presence
from solara_ctx.run import PageFunction
from solara_ctx.stats import KernelStats
from solara_ctx.teardown import CloseReport

log = logging.getLogger(__name__)

T = TypeVar("T")
_NOTHING: Mapping[str, object] = MappingProxyType({})


class VirtualKernelContext:
    """A virtual kernel: an ipykernel kernel, its shell and widgets, and everything that lives and dies with them.

    Made by `KernelRegistry`, never directly.  It belongs to the event loop of its registry: the `page_...` methods
    may be called on that loop's thread only.  What user code needs (`on_close`, `create_task`, `restart`, `close`, the
    properties, `with context:`) may be used from any thread.
    """

    def __init__(
        self,
        kernel_id: str,
        session_id: str,
        *,
        owner: Owner,
        page: PageFunction,
        user: str | None = None,
        base_url: str = "/",
    ) -> None:
        self.id = kernel_id
        """The kernel id, as it was issued.  Show it redacted."""
        self.session_id = session_id
        """The browser session that the kernel belongs to."""
        self.user = user
        """The user that the kernel belongs to, as the host app authenticated the first connection: the `identity` or
        else the `display_name` of Starlette's `request.user`; `None` for nobody.
        """
        self.base_url = base_url
        """Where the app is mounted, as the browser of the first connection sees it: a path that ends in a slash."""
        self._shown_id = redact(kernel_id)
        self._owner = owner
        self._presence = Presence(kernel_id, owner)
        self._life = Life(self, owner=owner, presence=self._presence, page=page)

    def __repr__(self) -> str:
        return f"<VirtualKernelContext {self._shown_id} {self._life.state.value} pages={len(self.page_status)}>"

    # What it is

    @property
    def state(self) -> State:
        """`OPEN`, `RESTARTING`, `CLOSING` or `CLOSED`."""
        return self._life.state

    @property
    def close_reason(self) -> str | None:
        """Why the kernel ends or has ended: the first reason that was given; `None` while nobody has asked for it."""
        return self._life.reason

    @property
    def closed_event(self) -> threading.Event:
        """Set last of all: the kernel is down and out of the registry, and nothing of ours refers to it any more."""
        return self._life.closed_event

    @property
    def closing_event(self) -> threading.Event:
        """Set as soon as the kernel is to close or restart, or the page is left for another of the app, before
        `on_close` hooks run: for threads that look whether to go on, as in `while not closing_event.wait(1)`.
        Afterwards there is a new one.
        """
        return self._life.ending

    @property
    def waits_for(self) -> str:
        """What the end that is under way waits for just now, and where in the code that is; a text for people.  Loop
        only.
        """
        return self._life.waits_for

    @property
    def page_status(self) -> Mapping[str, PageStatus]:
        """Status by page id, a snapshot."""
        return self._presence.table.status

    @property
    def host(self) -> Host | None:
        """The kernel's inside; `None` once the context is closed."""
        return None if self._life.run is None else self._life.run.host

    @property
    def page_function(self) -> PageFunction | None:
        """What the kernel runs first, now and after each restart; `None` once the context is closed."""
        return self._life.page

    @property
    def kernel(self) -> object | None:
        """The ipykernel kernel; `None` once the context is closed."""
        return None if self._life.run is None else self._life.run.host.kernel

    @property
    def widgets(self) -> Mapping[str, object]:
        """The living ipywidgets of this kernel by model id; empty once the context is closed."""
        return _NOTHING if self._life.run is None else self._life.run.host.widgets

    @property
    def kernel_values(self) -> KernelValues:
        """The values of the `KernelVar`s.

        Raises:
            ContextClosed: the context is closed.
        """
        return self._life.living_run("hold values").values

    @property
    def files(self) -> KernelFiles:
        """The files that the kernel offers to its browser; they go with it, and with a restart.

        Raises:
            ContextClosed: the context is closed.
        """
        return self._life.living_run("offer files").files

    def handle(self) -> Handle:
        """The weak handle under which the running kernel is current somewhere.

        Raises:
            ContextClosed: the context is closed.
        """
        return self._life.living_run("be made current").page_handle

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

    def begin(self) -> None:
        """Run the page function; once, after the first page has connected.  Loop only; for the registry."""
        self._life.begin()

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
        if self._life.state in {State.CLOSING, State.CLOSED} or self._life.run is None:
            raise ContextClosed(self.id, doing="take a page", reason=self._life.reason)
        self._life.fire(Event.CONNECT)
        return self._presence.connect(page_id, sink, self._life.run.host)

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
        self._life.fire(Event.DISCONNECT)
        return self._presence.disconnect(page_id, connection, self.host)

    def page_close(self, page_id: str) -> None:
        """A page has said that it is gone for good.  The kernel closes with the last of its pages.

        Harmless for a page that is unknown or has said so before.

        Raises:
            WrongThread: not called on the loop's thread.
        """
        self._on_loop()
        if self._presence.close(page_id, self.host):
            self.close(CloseReason.PAGE_CLOSED)

    def page_sink(self, page_id: str) -> Sink | None:
        """Where frames for that page go, `None` where it is unknown or gone.  Loop only."""
        return self._presence.sink_of(page_id)

    def receive(self, page_id: str, frame: str | bytes) -> bool:
        """Hand over a frame that a page has sent; dropped once the kernel is closing.  Loop only.

        Returns:
            Whether there is room for more; where not, `when_drained` says when there is.
        """
        return self._life.run is None or self._life.run.receive(page_id, frame)

    def when_drained(self, callback: Callable[[], None]) -> None:
        """Call *callback* once, from any thread, when there is room for more frames or the kernel is closing."""
        if self._life.run is None:
            callback()
        else:
            self._life.run.mailbox.when_drained(callback)

    # What user code asks for; any thread

    def on_close(self, hook: Hook) -> Callable[[], None]:
        """Call *hook*, without arguments, when the kernel closes or restarts: last registered first, on a worker, with
        the context current.  When all hooks have already run, it is called at once.

        Returns:
            A function that takes the hook off again, harmless to call twice.

        Raises:
            TypeError: it is nothing that can be called.
        """
        if not callable(hook):
            raise TypeError(
                f"on_close takes a function, as in on_close(save), without a call, not an object of type "
                f"{type(hook).__name__}"
            )
        run = self._life.run
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
        run = self._life.run
        if run is None or self._life.closing:
            coroutine.close()
            raise ContextClosed(self.id, doing="start a task", reason=self._life.reason)
        return run.tasks.create(coroutine, run.variables(), name)

    def navigate(self, location: str) -> None:
        """Show another page of the app in the same kernel: the page that is shown is left, and the page function of the
        other one runs.  Never blocks.

        What the page has made ends as with the kernel: its `on_close` hooks run, its tasks are cancelled, its widgets
        are closed, and code of it that still runs finds no current kernel.  What `on_kernel_start` hooks have made
        stays, and so do `KernelVar`s and the shell.

        Args:
            location: Path and query of the page, relative to the mount, as in "/report?year=2026".

        Raises:
            ValueError: there is no such page.
            ContextClosed: the kernel is closing or closed.
        """
        self._life.navigate(location)

    def interrupt(self) -> None:
        """Interrupt what the kernel is doing: a `KeyboardInterrupt` is raised in the callback or page function that
        runs, between two of its instructions; an async page function that has not returned is cancelled.

        Never blocks.  What waits inside a function of C, as `time.sleep` does, or a query of a database, ends first.
        Tasks, threads that page code has started, and what waits in line go on.  Harmless where nothing runs.
        """
        self._life.interrupt()

    def restart(self) -> ReportFuture:
        """Replace the kernel by a fresh one under the same id: teardown as for a close, then the page function again.

        Connected pages are told, come back, and show the fresh page.  Never blocks.

        Returns:
            The report of the teardown, once the fresh kernel has been started, or a close has come in between; the
            same future however often it is asked for while a restart is under way.

        Raises:
            ContextClosed: the kernel is closing or closed.
        """
        return self._life.restart()

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
        return self._life.close(reason)

    async def aclose(self, reason: str = CloseReason.CLOSED) -> CloseReport:
        """`close`, and wait for the end.  Any event loop; cancelling the wait does not stop the close."""
        return await asyncio.wrap_future(self.close(reason))

    def send_pages_away(self, reason: str) -> None:
        """End the connections of all pages, before the kernel's own end would.  Loop only."""
        self._presence.end_connections(reason)

    def page_counts(self) -> PageCounts:
        """How many pages are in each status, and what waits to be sent to them.  Loop only."""
        return self._presence.table.look()

    def stats(self, now: float | None = None) -> KernelStats:
        """A snapshot.  Loop only.  Written to be fast: `/resourcez` takes one of each of thousands of kernels.

        Args:
            now: The time on the registry's clock, for a caller who takes many.
        """
        return self._life.stats(self._owner.clock.now() if now is None else now)

    def _on_loop(self) -> None:
        if threading.get_ident() != self._owner.loop_thread:
            raise WrongThread(
                f"the page table of kernel {self._shown_id}",
                instead="call loop.call_soon_threadsafe(context.page_close, page_id) or the like",
            )


def _do_nothing() -> None:
    pass
