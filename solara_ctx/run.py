"""One run of a page function: its kernel, jobs, tasks, hooks, values.  A restart replaces the run, a close ends it."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import inspect
import logging
import weakref
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from solara_ctx import current, frames
from solara_ctx.clock import call_on
from solara_ctx.current import Handle
from solara_ctx.errors import ContextClosed, redact
from solara_ctx.files import KernelFiles
from solara_ctx.hooks import Hook, HookStack
from solara_ctx.interrupts import Interrupted, Interrupts
from solara_ctx.kernel_var import KernelValues
from solara_ctx.mailbox import Mailbox
from solara_ctx.ports import Host, Watch
from solara_ctx.tasks import KernelTasks, contain, where_it_waits
from solara_ctx.teardown import Teardown, stack_of_thread
from solara_ctx.workers import WorkerPool

if TYPE_CHECKING:
    from solara_ctx.context import VirtualKernelContext

log = logging.getLogger(__name__)

StartHook = Callable[[], Hook | None]
PageFunction = Callable[[], object]
# What a frame counts for one waiting message with: a thousand of the largest that a server takes would be its memory.
ONE_MESSAGE_BYTES = 65_536


@runtime_checkable
class Navigable(Protocol):
    """A page function that knows the others of its app."""

    def at(self, location: str) -> PageFunction | None:
        """The page function for a path and query, for the same browser; `None` where there is none."""


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
        """Names the run, and is current in its start hooks."""
        self.page_handle = Handle(context, context.id)
        """Names what is the page's: of the page function, its callbacks and all that they start."""
        # Of the page whose code jobs are. On the way to another page it is still the one that is left.
        self._shown_handle = self.page_handle
        self.mailbox = Mailbox(workers, limit=mailbox_limit)
        self.hooks = HookStack()
        self.values = KernelValues()
        self.files = KernelFiles(context.id, context.base_url)
        self.interrupts = Interrupts()
        """Of the job that runs."""
        self.host = make_host(self.handle)
        self.tasks = KernelTasks(context.id, loop, weakref.WeakMethod(self.host.task_failed))
        # One contextvars.Context for all jobs of a kernel, as the cells of a notebook share theirs.
        self._variables = contextvars.Context()
        self._variables.run(current.bind, self.page_handle)
        self._loop = loop
        self._workers = workers
        self._stopped: asyncio.Future[None] | None = None
        self._page_task: concurrent.futures.Future[None] | None = None

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
        here = current.peek_handle(variables)
        # Code of a page that is being left remains that page's.
        if here is None or here.peek() is None or here.peek() is not self.handle.peek():
            variables.run(current.bind, self.page_handle)
        return variables

    def interrupt(self) -> bool:
        """Let the job that runs be interrupted, and the page function, if it is async and has not returned.

        Returns:
            Whether a job runs, so that `interrupts` has something to deliver.
        """
        if self._page_task is not None:
            self._page_task.cancel()
        return self.interrupts.ask()

    def stop_taking(self) -> "asyncio.Future[None]":
        """Take no more frames and tasks, and drop the frames that wait.  Loop only.

        Returns:
            Done when no job runs any more; the same future however often it is asked.
        """
        if self._stopped is None:
            for handle in (self.page_handle, self.handle):
                handle.end()
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
            name, taken = _name(hook), [hook]
            del hook
            to_await: list[Coroutine[object, None, object]] = []
            await teardown.waiting(f"hook {name}", partial(_call_last, taken, to_await), self._teardown_variables())
            if to_await:
                await self._await_hook(teardown, f"hook {name}, awaited", to_await.pop())
        self.tasks.cancel_all()
        await teardown.until("tasks", self.tasks.when_done(self._teardown_variables()), self.tasks.where)
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
        if self.values or self.files:
            await teardown.waiting("values", self._drop_values, self._teardown_variables())
        else:
            teardown.here("values", self._drop_values)

    async def _await_hook(self, teardown: Teardown, name: str, coroutine: Coroutine[object, None, object]) -> None:
        task = self._loop.create_task(contain(coroutine), context=self._teardown_variables())
        if not await teardown.until(name, task, partial(where_it_waits, task)):
            task.cancel()

    def _drop_values(self) -> None:
        self.files.clear()
        self.values.clear()

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
        current.bind(self._shown_handle)
        self.interrupts.run(job)

    def _start_page(self, page: PageFunction, start_hooks: tuple[StartHook, ...]) -> None:
        self._show(partial(self._begin, page, start_hooks))

    def _begin(self, page: PageFunction, start_hooks: tuple[StartHook, ...]) -> object:
        with current.bound(self.handle):
            for start_hook in start_hooks:
                clean_up = start_hook()
                if clean_up is not None and self.hooks.add(clean_up) is None:
                    clean_up()
        self.hooks.lay_floor()
        self.files.lay_floor()
        self.host.begin_page()
        return page()

    def navigate(self, page: PageFunction, location: str) -> None:
        """Leave the page for another one, in the same kernel.  Loop only.

        What the page has made goes as at the end of a run, as far as it is the page's: its tasks are cancelled, its
        hooks run, what it has shown and its widgets are closed, its files are not offered any more.  What start hooks
        have made stays, and so do kernel, shell, connections and `KernelVar`s.
        """
        context = self.handle.peek()
        if context is None or self._stopped is not None:
            return
        left, self.page_handle = self.page_handle, Handle(context, self.handle.kernel_id)
        left.end()
        self.tasks.cancel_of(left)
        self.mailbox.put(partial(self._in_kernel, partial(self._leave, left, self.page_handle, page, location)))

    def _leave(self, left: Handle, entered: Handle, page: PageFunction, location: str) -> None:
        with current.bound(left):
            while (hook := self.hooks.pop_to_floor()) is not None:
                self._run_hook(hook)
            self.host.leave_page(location)
            self.files.leave_page()
        self._forget_handle(left)
        self._shown_handle = entered
        # Not where the next one is about to be left, too.
        if entered is self.page_handle:
            current.bind(entered)
            self._show(page)

    def _run_hook(self, hook: Hook) -> None:
        try:
            result = hook()
            if inspect.iscoroutine(result):
                # It runs on in the page that comes, as the one that is left takes no task any more.
                with current.bound(self.page_handle):
                    self.tasks.create(result, self.variables(), f"hook {_name(hook)}")
        except BaseException as error:  # a hook may call sys.exit()
            log.exception("an on_close hook of kernel %s failed", redact(self.handle.kernel_id))
            frames.note(error)

    def _forget_handle(self, handle: Handle) -> None:
        handle.sever()
        self.handle.foreign_threads |= handle.foreign_threads
        for thread in handle.threads.living():
            self.handle.threads.add(thread)

    def end_bindings(self) -> set[int]:
        """End every binding of a task or thread to the run.

        Returns:
            The idents of foreign threads that made it current.
        """
        self._forget_handle(self.page_handle)
        self.handle.sever()
        return self.handle.foreign_threads.copy()

    def living_threads(self) -> int:
        """How many of the threads that kernel code has started are alive."""
        return self.handle.living_threads() + self.page_handle.living_threads()

    def _show_of(self, handle: Handle, page: Callable[[], object]) -> None:
        if handle is self.page_handle:  # the page may have been left meanwhile
            self._show(page)

    def _show(self, page: Callable[[], object]) -> None:
        """Show what *page* returns, at once or when it has been awaited."""
        try:
            result = page()
            if inspect.iscoroutine(result):
                # A kernel that is closing takes no task, and there is nobody left to show anything to.
                with contextlib.suppress(ContextClosed):
                    coroutine = _awaited(weakref.ref(self), self.page_handle, result)
                    self._page_task = self.tasks.create(coroutine, self.variables(), "page function")
            else:
                self.host.show(result)
        except Interrupted as error:
            log.info("the page function of kernel %s was interrupted", redact(self.handle.kernel_id))
            self.host.show_error(error)
        except BaseException as error:  # a page function may call sys.exit()
            log.exception("the page function of kernel %s failed", redact(self.handle.kernel_id))
            self.host.show_error(error)


async def _awaited(
    reference: "weakref.ref[KernelRun]", handle: Handle, coroutine: Coroutine[object, None, object]
) -> None:
    """The end of an async page function: a worker shows what it has come to, as that of any other.

    Holds the run weakly, as a coroutine that does not let itself be cancelled may outlive it.
    """
    try:
        outcome = partial(_return, await coroutine)
    except BaseException as error:
        _show_in_worker(reference, handle, partial(_raise, error))
        if isinstance(error, asyncio.CancelledError):
            raise
    else:
        _show_in_worker(reference, handle, outcome)


def _show_in_worker(reference: "weakref.ref[KernelRun]", handle: Handle, outcome: Callable[[], object]) -> None:
    run = reference()
    if run is not None and not handle.is_ending:
        run.mailbox.put(partial(run._in_kernel, partial(run._show_of, handle, outcome)))


def _return(result: object) -> object:
    return result


def _raise(error: BaseException) -> None:
    raise error


def _settle_from_anywhere(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[None]") -> None:
    # A job that a teardown has given up on may outlive the loop.
    with contextlib.suppress(RuntimeError):
        call_on(loop, _settle, future)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _recover(recover: Callable[[], None], _stopped: "asyncio.Future[None]") -> None:
    recover()


def _call_last(hooks: list[Hook], to_await: list[Coroutine[object, None, object]]) -> None:
    """Call the hook that is in the list, which alone holds it: what goes with it goes here, on a worker, and not on the
    event loop, as the end of a connection to a database may take its time.
    """
    result = hooks.pop()()
    if inspect.iscoroutine(result):
        to_await.append(result)


def _name(hook: Hook) -> str:
    """A hook's name, for people.  Runs no code of the hook's: a proxy may raise, whatever it is asked."""
    function: object = hook.__func__ if type(hook) is MethodType else hook
    if type(function) is FunctionType or type(function) is BuiltinFunctionType or type(function) is type:
        return function.__qualname__
    return type(function).__qualname__
