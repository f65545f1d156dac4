"""One run of a page function: its kernel, jobs, tasks, hooks, values.  A restart replaces the run, a close ends it."""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from solara_ctx import current
from solara_ctx.clock import call_on
from solara_ctx.current import Handle
from solara_ctx.errors import redact
from solara_ctx.hooks import Hook, HookStack
from solara_ctx.kernel_var import KernelValues
from solara_ctx.mailbox import Mailbox
from solara_ctx.ports import Host, Watch
from solara_ctx.tasks import KernelTasks
from solara_ctx.teardown import Teardown, stack_of_thread
from solara_ctx.workers import WorkerPool

if TYPE_CHECKING:
    from solara_ctx.context import VirtualKernelContext

log = logging.getLogger(__name__)

StartHook = Callable[[], Hook | None]
PageFunction = Callable[[], object]
# What a frame counts for one waiting message with: a thousand of the largest that a server takes would be its memory.
ONE_MESSAGE_BYTES = 65_536


class KernelRun:
    """What one run of the page function owns.  Made and taken down on the loop; its jobs run on workers."""

    def __init__(
        self,
        context: "VirtualKernelContext",
        *,
        loop: asyncio.AbstractEventLoop,
        workers: WorkerPool,
        mailbox_limit: int,
        make_host: Callable[[Handle], Host],
    ) -> None:
        self.handle = Handle(context, context.id)
        self.mailbox = Mailbox(workers, limit=mailbox_limit)
        self.tasks = KernelTasks(context.id, loop)
        self.hooks = HookStack()
        self.values = KernelValues()
        self.host = make_host(self.handle)
        # One contextvars.Context for all jobs of a kernel, as the cells of a notebook share theirs.
        self._variables = contextvars.Context()
        self._variables.run(current.bind, self.handle)
        self._loop = loop
        self._workers = workers
        self._stopped: asyncio.Future[None] | None = None

    def start(
        self, page: PageFunction, start_hooks: Iterable[StartHook], then: Callable[[], None] | None = None
    ) -> None:
        """Run the start hooks and the page function, as the first job, and *then* the second.  Loop only."""
        self.mailbox.put(partial(self._in_kernel, partial(self._start_page, page, tuple(start_hooks))))
        if then is not None:
            self.mailbox.put(then)
        self.mailbox.start()

    def receive(self, page_id: str, frame: str | bytes) -> bool:
        """Let a worker handle a frame; whether there is room for more.  Any thread."""
        job = partial(self._in_kernel, partial(self.host.receive, page_id, frame))
        return self.mailbox.put(job, weight=1 + len(frame) // ONE_MESSAGE_BYTES)

    def variables(self) -> contextvars.Context:
        """A copy of the caller's context variables in which this kernel is current.  Any thread."""
        variables = contextvars.copy_context()
        variables.run(current.bind, self.handle)
        return variables

    def stop_taking(self) -> "asyncio.Future[None]":
        """Take no more frames and tasks, and drop the frames that wait.  Loop only.

        Returns:
            Done when no job runs any more; the same future however often it is asked.
        """
        if self._stopped is None:
            self.tasks.refuse_new()
            self._stopped = self._loop.create_future()
            self.mailbox.close(partial(_settle_from_anywhere, self._loop, self._stopped))
        return self._stopped

    async def take_down(self, teardown: Teardown, end_connections: Callable[[], object], watch: Watch) -> None:
        """The steps that end a run, in their fixed order.  Loop only, once.

        Args:
            teardown: Runs them.
            end_connections: Ends the connections of the pages.
            watch: Is given what has to be gone afterwards.
        """
        stopped = self.stop_taking()
        if not await teardown.until("running job", stopped, self._where_the_job_is):
            # Its thread is lost to the other kernels, until the job ends after all.
            stopped.add_done_callback(partial(_recover, self._workers.give_up_on_one()))
        while (hook := self.hooks.pop()) is not None:
            await teardown.waiting(f"hook {_name(hook)}", hook, self._teardown_variables())
            del hook
        self.tasks.cancel_all()
        await teardown.until("tasks", self.tasks.when_done(), self.tasks.where)
        # Hooks may have made widgets; from here on, parts only go.
        self.host.show_parts(watch)
        if self.host.app_may_wait:
            await teardown.waiting("app", self.host.close_app, self._teardown_variables())
        else:
            teardown.here("app", self.host.close_app)
        steps = [("widgets", self.host.close_widgets), ("kernel", self.host.close_kernel)]
        if self.host.widgets_may_wait:
            await teardown.waiting(*steps.pop(0), self._teardown_variables())
        await teardown.computing(steps, self._teardown_variables)
        teardown.here("websockets", end_connections)
        teardown.here("values", self.values.clear)

    def _where_the_job_is(self) -> str:
        return stack_of_thread(self.mailbox.thread_ident)

    def _teardown_variables(self) -> contextvars.Context:
        # A copy each time: a job or step that was abandoned is still inside the original, and a context can't be
        # entered twice.
        return self._variables.copy()

    def _in_kernel(self, job: Callable[[], None]) -> None:
        self._variables.run(self._bound, job)

    def _bound(self, job: Callable[[], None]) -> None:
        # Anew for each job: user code may have called set_current_context() in an earlier one.
        current.bind(self.handle)
        job()

    def _start_page(self, page: PageFunction, start_hooks: tuple[StartHook, ...]) -> None:
        try:
            for start_hook in start_hooks:
                clean_up = start_hook()
                if clean_up is not None and self.hooks.add(clean_up) is None:
                    clean_up()
            self.host.show(page())
        except BaseException as error:  # a page function may call sys.exit()
            log.exception("the page function of kernel %s failed", redact(self.handle.kernel_id))
            self.host.show_error(error)


def _settle_from_anywhere(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[None]") -> None:
    # A job that a teardown has given up on may outlive the loop.
    with contextlib.suppress(RuntimeError):
        call_on(loop, _settle, future)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _recover(recover: Callable[[], None], _stopped: "asyncio.Future[None]") -> None:
    recover()


def _name(hook: Hook) -> str:
    """A hook's name, for people."""
    return getattr(hook, "__qualname__", None) or type(hook).__qualname__
