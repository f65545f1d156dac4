"""The inside of a virtual kernel: kernel, session, comms, widgets and shell of one run of a page function."""

import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from comm.base_comm import BaseComm
from ipywidgets import Output, Widget

from solara_ctx import current
from solara_ctx.current import Handle
from solara_ctx.errors import ContextClosed, redact
from solara_ctx.jupyter import dispatch
from solara_ctx.jupyter.belongings import Belongings
from solara_ctx.jupyter.comms import WIDGET, KernelComm, KernelCommManager, sever
from solara_ctx.jupyter.kernel import HostedKernel
from solara_ctx.jupyter.message_log import MessageLog
from solara_ctx.jupyter.origins import ORIGIN, open_origin
from solara_ctx.jupyter.page_widgets import open_widget
from solara_ctx.jupyter.printing import Printed, Printing
from solara_ctx.jupyter.report import Reporter, page_error
from solara_ctx.jupyter.results import MAIN_PLACE, Results, items_of, places_of
from solara_ctx.jupyter.session import KernelSession, ToPage
from solara_ctx.jupyter.shell import KernelShell
from solara_ctx.jupyter.targets import CONTROL, PAGE, BadMessage, ControlTarget, PageTarget
from solara_ctx.jupyter.upload import UPLOAD, UploadTarget
from solara_ctx.jupyter.widget_table import WidgetTable
from solara_ctx.jupyter.wire import Limits
from solara_ctx.ports import Sink, Watch

log = logging.getLogger(__name__)

# The comms of 64 pages, so many as a kernel remembers.
_KEPT_FOR_ABSENT = 128


class PageLimits(NamedTuple):
    """What the pages of a kernel may do at most."""

    comms: int = 10_000
    """So many comms they may open."""
    message: Limits = Limits()
    """So much one message may have."""
    upload: int = 200_000_000
    """So many bytes all uploads at a time may have together."""


_LIMITS = PageLimits()


_PRINTED = Printed()


class KernelHost:
    """Implements `ports.Host`.

    `connect` and `disconnect` belong to the event loop, `receive`, `show...` and `close_...` to one worker at a time;
    what kernel code reaches through widgets, comms and shell is safe from any thread.

    Args:
        handle: Names the context that the kernel belongs to; the context itself is never held.
        kernel_id: Shown redacted in messages.
        debug: Whether pages are told details of errors.
        on_shutdown: Called, on the worker, when a page asks for the kernel's end: with `True` for a restart.
        on_navigate: The same when a page asks for another page, with its path and query; raises a ValueError where
            there is none.
        limits: What pages may do at most.
        printed: Where goes what no Output captures.
    """

    def __init__(
        self,
        handle: Handle,
        *,
        kernel_id: str,
        debug: bool,
        on_shutdown: Callable[[bool], object],
        on_navigate: Callable[[str], object] | None = None,
        limits: PageLimits = _LIMITS,
        printed: Printed = _PRINTED,
    ) -> None:
        self.limits = limits
        """What pages may do at most."""
        self.kernel_id = kernel_id
        self.run_id = uuid.uuid4().hex
        """Names this run of the page function."""
        self.closing = self.leaving = False
        """Nothing is sent any more, and no comm or widget is made."""
        self.closed = False
        """Everything is severed."""
        self._handle = handle
        self._debug = debug
        self.printing = Printing(self, handle, debug=debug, printed=printed)
        """Where goes what it prints and displays."""
        self._on_shutdown: Callable[[bool], object] | None = on_shutdown
        self._on_navigate = on_navigate
        self._results = Results()
        self._widgets = WidgetTable()
        self._shell: KernelShell | None = None
        self._shell_lock = threading.RLock()
        self._shell_maker: int | None = None
        self.session = KernelSession(self.printing.capture)
        """Frames messages and sends them."""
        self.kernel = HostedKernel(self, self.session)
        """The ipykernel kernel."""
        self.reporter = Reporter(kernel_id, debug=debug, publish=self.session.send)
        """Where errors go."""
        self.belongings = Belongings()
        """What stands here for the global state of libraries."""
        self.control = ControlTarget(self._widgets.living, self.reporter.user_error)
        """Sends the state of all widgets."""
        self._page = PageTarget(self._navigate)
        self.comm_manager = KernelCommManager()
        """The open comms, and the targets that a page may open."""
        self.message_log = MessageLog(kernel_id, self.comm_manager.comms, self._widgets.living) if debug else None
        """Has a line for each message, in debug mode."""
        self.session.message_log = self.message_log
        targets: dict[str, Any] = {
            PAGE: self._page.open,
            CONTROL: self.control.open,
            UPLOAD: UploadTarget(self._widgets.living, limits.upload).open,
            WIDGET: open_widget,
            ORIGIN: open_origin,
        }
        self.comm_manager.targets.update(targets)

    def __repr__(self) -> str:
        return f"<KernelHost {redact(self.kernel_id)} widgets={len(self._widgets)}>"

    @property
    def widgets(self) -> Mapping[str, Widget]:
        """The living widgets by model id, but for the console's."""
        return MappingProxyType(self._widgets.visible)

    @property
    def all_widgets(self) -> MappingProxyType[str, Widget]:
        """The living widgets by model id."""
        return MappingProxyType(self._widgets.living)

    @property
    def comm_count(self) -> int:
        """How many comms are open."""
        return len(self.comm_manager.comms)

    # Pages

    def connect(self, page_id: str, sink: Sink) -> None:
        """Send to that page too, from now on; a page has one sink, the newest."""
        self.session.connect(page_id, sink)

    def disconnect(self, page_id: str, sink: Sink) -> None:
        """Stop sending to that sink; a no-op when the page has a newer one."""
        self.session.disconnect(page_id, sink)

    def hear_widgets(self, page_id: str) -> None:
        """That page is about to take the states of all widgets, and hears of every change from now on."""
        with self.session.hearing:
            self.session.hear_widgets(page_id)
            for comm in list(self.comm_manager.comms.values()):
                # Of a widget that a thread is just making, or that is none of ours: not in the states.
                if isinstance(comm, KernelComm) and comm.opening is not None:
                    try:
                        comm.opening.send(self.session, ToPage(page_id, "iopub"))
                    except Exception as error:  # noqa: BLE001 - what it holds is the user's, and may have changed since
                        self.reporter.user_error(error, f"the opening of a comm for {comm.target_name}")

    def receive(self, page_id: str, frame: str | bytes) -> None:
        """Handle one frame that the page sent."""
        dispatch.receive(self, page_id, frame)

    def shut_down(self, *, restart: bool) -> None:
        """Pass on that a page has asked for the end of the kernel."""
        if self._on_shutdown is not None:
            self._on_shutdown(restart)

    # The page function

    def _navigate(self, location: str) -> None:
        """A page asks for another one.

        Raises:
            BadMessage: there is no such page.
        """
        if self._on_navigate is None:
            raise BadMessage("the wish for another page, of which there is none")
        try:
            self._on_navigate(location)
        except ValueError:
            raise BadMessage("the wish for a page that does not exist") from None

    def begin_page(self) -> None:
        """A page function is about to run: what widgets there are by now are not its."""
        self._widgets.begin_page()

    def leave_page(self, location: str) -> None:
        """The page is left for the one at *location*: close what its function has returned, and its widgets."""
        self._page.leave_for(location)
        self.run_id = uuid.uuid4().hex
        self.close_app()
        # The pages are not told of each: they take what there is with the next answer.
        self.leaving = True
        try:
            self._widgets.close_pages_own(self._guarded)
        finally:
            self.leaving = False
        self._widgets.sever_closed()

    def show(self, result: object) -> None:
        """Show what the page function returned: widgets, what Jupyter displays, Reacton elements, a sequence of these,
        or None; or a dict of these, by the names of places in the page's template.

        Nothing is left to show of a page function that returns when its kernel has ended already.

        Raises:
            TypeError: it is nothing that can be shown.
        """
        if self.closing:
            return
        self.printing.flush()
        places = places_of(result)
        # No comprehension: its closure stays with the traceback of an error that somebody keeps (CPython 3.11).
        named = dict(zip(places, map(self._roots, places.values()), strict=True))
        answer = {"run": self.run_id, "status": "ok", "roots": named.pop(MAIN_PLACE, [])}
        self._page.answer({**answer, "named_roots": named} if named else answer)

    def show_error(self, error: BaseException) -> None:
        """Show the page that the page function has failed; the details only in debug mode.  The error is not kept."""
        details = page_error(error, details=self._debug)
        self.printing.flush()
        self._page.answer({"run": self.run_id, "status": "error", "error": details})
        self.reporter.note(error)

    def show_code_error(self, error: Mapping[str, Any] | None) -> None:
        """Show all pages that the app's changed code could not be loaded, or no more (`None`).  Any thread."""
        self._page.code_error(None if error is None else dict(error))

    def set_page(self, properties: Mapping[str, object]) -> None:
        """Change how all pages look around the widgets.  Any thread.

        Raises:
            TypeError, ValueError: it can't be written as JSON.
        """
        self._page.set(properties)

    def _roots(self, result: object) -> list[str]:
        roots = list(map(self._results.widget_for, items_of(result)))
        for root in roots:
            self._widgets.check(root)
        return [str(root.model_id) for root in roots]

    def show_console(self, output: Output) -> None:
        """Tell the pages which widget is the console: there was none so far."""
        self._widgets.hide(output)
        self._page.show_console(output.model_id)

    def task_failed(self, error: BaseException) -> None:
        """A task of the kernel has failed, which is in the log by now."""
        self.reporter.tell(error)

    # Widgets and comms

    def adopt(self, widget: Widget) -> None:
        """A widget of this kernel has got its comm."""
        self._widgets.add(widget)
        comm: object = widget.comm
        if isinstance(comm, KernelComm):
            comm.opening = None

    def forget_widget(self, model_id: str) -> Widget | None:
        """A widget of this kernel is closed; harmless when it is unknown."""
        return self._widgets.forget(model_id)

    def forget_comm(self, comm: BaseComm) -> None:
        """A comm is closed, and with it the widget of that id; harmless when it is unknown."""
        self.comm_manager.unregister_comm(comm)
        self._widgets.forget(comm.comm_id)
        self._page.forget(comm)

    def forget_page_comms(self, page_id: str, target_name: str) -> None:
        """Close what a page has left open on a target: it comes back after its connection was lost.

        And what those have left open that went away first, where very many have: somebody invents them.
        """
        comms = [comm for comm in self.comm_manager.comms.values() if isinstance(comm, KernelComm) and comm.page_id]
        left = [comm for comm in comms if comm.page_id == page_id and comm.target_name == target_name]
        absent = [comm for comm in comms if comm.page_id not in self.session.sinks]
        for comm in {*left, *absent[:-_KEPT_FOR_ABSENT]}:
            sever(comm)
            self.forget_comm(comm)

    # The shell

    @property
    def shell(self) -> KernelShell:
        """The IPython shell, made on first use.

        Raises:
            ContextClosed: the kernel is closed.
        """
        with self._shell_lock:
            if self.closed:
                raise ContextClosed(self.kernel_id, doing="have a shell")
            if self._shell is None:
                self._shell_maker = threading.get_ident()
                try:
                    self._shell = KernelShell.make(self.kernel, self.reporter, self._handle)
                finally:
                    self._shell_maker = None
            return self._shell

    @property
    def shell_if_made(self) -> KernelShell | None:
        """The IPython shell, `None` when nobody has used it so far."""
        return self._shell

    @property
    def has_shell(self) -> bool:
        """Whether there is a shell to use: not once the kernel is closed, nor for the parts of one in the making."""
        return not self.closed and self._shell_maker != threading.get_ident()

    # The end

    def show_parts(self, watch: Watch) -> None:
        """Add to *watch* everything that has to be gone once the kernel is closed."""
        for part in (self, self.kernel, self.session, self.comm_manager, self._shell):
            watch.add(part)
        # As they are: a hundred new weak references for each of the kernels that close at once can set off a garbage
        # collection, which stopped the event loop for 450 ms.
        watch.add_all(self._widgets.made)

    @property
    def app_may_wait(self) -> bool:
        """Whether there is something to close that the page function returned."""
        return bool(self._results)

    def close_app(self) -> None:
        """Close what the page function returned, if it can be closed and is no widget."""
        self._results.close(self._guarded)

    @property
    def widgets_may_wait(self) -> bool:
        """Whether closing them runs code of the user's: a `close` of a class of their own."""
        return self._widgets.close_may_wait

    def close_widgets(self) -> None:
        """Close every widget, and sever what ties them to each other and to the user's objects."""
        self.closing = True
        self._widgets.close(self._guarded)

    def close_kernel(self) -> None:
        """Close comms, shell, session and kernel, and sever what ties them to each other."""
        self.closing = True
        with self._shell_lock:
            self.closed = True
            shell, self._shell = self._shell, None
        if shell is not None:
            self._guarded(shell.sever, "the end of the shell")
        self._guarded(self.belongings.sever, "the end of a library's state")
        self.comm_manager.sever()
        self._page.sever()
        self.printing.sever()
        self.session.sever()
        self.reporter.sever()
        self.kernel.sever()
        self._results.sever()
        self._on_shutdown = self._on_navigate = None

    def _guarded(self, step: Callable[[], object], what: str) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - user code; the next step has to run
            self.reporter.user_error(error, what)


def current_host() -> KernelHost | None:
    """The host of the current kernel, `None` where none is current or it has ended.  Never raises."""
    context = current.peek()
    host = None if context is None else context.host
    return host if isinstance(host, KernelHost) else None


def living_host() -> KernelHost | None:
    """The host of the current kernel, `None` where no kernel is current.

    Raises:
        ContextClosed: the kernel that is current here has ended.
    """
    handle = current.peek_handle()
    if handle is None:
        return None
    host = handle.context().host
    if not isinstance(host, KernelHost) or host.closed:
        raise ContextClosed(handle.kernel_id, doing="be used")
    return host
