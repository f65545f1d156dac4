"""Comms that know which kernel they belong to, and the table that a kernel keeps of them."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from comm.base_comm import BaseComm, CommManager

from solara_ctx.errors import ContextClosed
from solara_ctx.jupyter.session import IOPUB, LATER, WIDGETS, KernelSession, Stream, ToPage
from solara_ctx.jupyter.wire import Buffer, Message

if TYPE_CHECKING:
    from solara_ctx.jupyter.host import KernelHost
    from solara_ctx.jupyter.kernel import HostedKernel

Json = dict[str, Any]

WIDGET = "jupyter.widget"
"""The target of the comm of a widget."""


# Of a thread and no context variable: a thread that is started meanwhile would have it, and keep the comms.
_here = threading.local()


@contextmanager
def opened_here() -> Iterator["list[KernelComm]"]:
    """The comms that a kernel opens meanwhile, in this thread."""
    opened: list[KernelComm] = []
    _here.opened = opened
    try:
        yield opened
    finally:
        _here.opened = None


class CommMessage(NamedTuple):
    """A message of a comm, as it was or will be sent."""

    msg_type: str
    content: Json
    metadata: Json | None
    buffers: list[Buffer] | None

    def send(self, session: KernelSession, stream: Stream) -> None:
        """Send it."""
        session.send(stream, self.msg_type, self.content, metadata=self.metadata, buffers=self.buffers)


class KernelComm(BaseComm):
    """A comm of one kernel: it sends through that kernel whatever is current, and not at all once that is closed.

    Upstream looks the comm manager up anew for each step, and finds that of whichever kernel is current by then.
    """

    def __init__(self, host: "KernelHost", page_id: str | None = None, **options: Any) -> None:
        self._host = weakref.ref(host)
        self._kernel_id = host.kernel_id
        self._is_nobodys = False
        self.page_id = page_id
        """The page that the comm connects with, `None` for one that every page hears."""
        self.opening: CommMessage | None = None
        """How it was opened, for pages that will ask for the states of all widgets; `None` once a widget of ours has
        it, which is in those states.
        """
        self.companions: tuple[str, ...] = ()
        """The widgets that were made with the one of this comm, which a page has opened."""
        super().__init__(**options)

    def __del__(self) -> None:
        """Nothing: upstream sends a close message from here, at any moment and in any thread."""

    @property
    def kernel(self) -> "HostedKernel | None":
        """The kernel; `None` once it is gone: ipywidgets then does not even try to send."""
        host = self._host()
        return None if host is None else host.kernel

    @property
    def host(self) -> "KernelHost | None":
        """The host; `None` once it is gone."""
        return self._host()

    def open(  # type: ignore[override]  # views are buffers, too
        self, data: Json | None = None, metadata: Json | None = None, buffers: list[Buffer] | None = None
    ) -> None:
        """Open the page's side.

        Raises:
            ContextClosed: the kernel takes no new comms.
        """
        host = self._living_host()
        host.comm_manager.register_comm(self)
        try:
            self.publish_msg(
                "comm_open",
                data=self._open_data if data is None else data,
                metadata=metadata,
                buffers=buffers,
                target_name=self.target_name,
                target_module=self.target_module,
            )
        except BaseException:
            host.comm_manager.comms.pop(self.comm_id, None)
            raise
        self._closed = False
        opened: list[KernelComm] | None = getattr(_here, "opened", None)
        if opened is not None:
            opened.append(self)

    def close(  # type: ignore[override]  # views are buffers, too
        self,
        data: Json | None = None,
        metadata: Json | None = None,
        buffers: list[Buffer] | None = None,
        deleting: bool = False,  # noqa: FBT001, FBT002 - upstream's signature
    ) -> None:
        """Close the page's side; harmless when it is closed."""
        if self._closed:
            return
        self._closed = True
        host = self._host()
        if host is not None:
            # First: a page that takes the states of all widgets in between would not hear of the end.
            host.forget_comm(self)
        if not deleting:
            self.publish_msg(
                "comm_close", data=self._close_data if data is None else data, metadata=metadata, buffers=buffers
            )

    def publish_msg(  # type: ignore[override]  # views are buffers, too
        self,
        msg_type: str,
        data: Json | None = None,
        metadata: Json | None = None,
        buffers: list[Buffer] | None = None,
        **keys: Any,
    ) -> None:
        """Send to every page; dropped once the kernel is closing.

        Raises:
            TypeError: the data can't be written as JSON.
        """
        host = self._host()
        if host is None or host.closing or host.leaving:
            return
        content = {"data": {} if data is None else data, "comm_id": self.comm_id, **keys}
        host.control.updated(self.comm_id)
        if self.page_id is not None:
            host.session.send(ToPage(self.page_id, "iopub"), msg_type, content, metadata=metadata, buffers=buffers)
        elif self.target_name != WIDGET or self._is_nobodys:
            host.session.send(IOPUB, msg_type, content, metadata=metadata, buffers=buffers)
        else:
            self._publish_of_widget(host, CommMessage(msg_type, content, metadata, buffers))

    def _publish_of_widget(self, host: "KernelHost", message: "CommMessage") -> None:
        session = host.session
        # A page begins to hear under the same lock: it is told of the comm by this message, or by its kept opening.
        with session.hearing:
            if message.msg_type == "comm_open":
                self.opening = message
            elif self.opening is not None:
                # A widget of ours has its comm before it says anything. This one is somebody else's, an anywidget's for
                # example, and in no message with all states.
                if message.msg_type != "comm_close":
                    self.opening.send(session, LATER)
                    self._is_nobodys = True
                self.opening = None
            message.send(session, IOPUB if self._is_nobodys else WIDGETS)

    def handle_msg(self, msg: Message) -> None:  # type: ignore[override]
        """Hand a message of the page to whoever has registered for it."""
        if self._msg_callback is None:
            return
        # Upstream asks get_ipython() here, which would make a shell for each page that is clicked on once.
        host = self._host()
        shell = None if host is None else host.shell_if_made
        if shell is None:
            self._msg_callback(msg)  # type: ignore[arg-type]
            return
        shell.events.trigger("pre_execute")
        self._msg_callback(msg)  # type: ignore[arg-type]
        shell.events.trigger("post_execute")

    def _living_host(self) -> "KernelHost":
        host = self._host()
        if host is None or host.closing:
            raise ContextClosed(self._kernel_id, doing="open a comm or make a widget")
        return host


class KernelCommManager(CommManager):
    """The comms and targets of one kernel.  Not every comm is ours: libraries make some by ipykernel's own class.

    The handlers of incoming messages are not here but in `dispatch`: upstream's log each mistake of a page with a
    traceback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._of_pages: set[str] = set()

    @property
    def opened_by_pages(self) -> int:
        """How many of them pages have opened, but for those by which each page is served."""
        return len(self._of_pages)

    def register_comm(self, comm: BaseComm) -> str:
        """Know a comm; its id."""
        if not comm.primary and isinstance(comm, KernelComm) and comm.page_id is None:
            self._of_pages.add(comm.comm_id)
        return str(super().register_comm(comm))

    def unregister_comm(self, comm: BaseComm) -> None:
        """Forget a comm; harmless when it is unknown."""
        self._of_pages.discard(comm.comm_id)
        self.comms.pop(comm.comm_id, None)

    def get_comm(self, comm_id: str) -> BaseComm | None:
        """The comm of that id, if it is open."""
        return self.comms.get(comm_id)

    def sever(self) -> None:
        """Forget everything."""
        for comm in list(self.comms.values()):
            sever(comm)
        self.comms.clear()
        self.targets.clear()


def sever(comm: BaseComm) -> None:
    """Let a comm forget its callbacks: each is a method of a widget that holds the comm.  It sends nothing any more."""
    comm._closed = True
    comm._msg_callback = comm._close_callback = None
    if isinstance(comm, KernelComm):
        comm.opening = None
