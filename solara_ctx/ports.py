"""What the core asks of the world: a kernel to host (`Host`), a page to send to (`Sink`), ids to hand out (`Ids`), and
an eye on what has ended (`Watch`).

The core implements none of them and imports nobody who does; `web/app.py` puts them together.
"""

from collections.abc import Mapping
from typing import Protocol, TypeVar

from solara_ctx.weak import WeakBag

T = TypeVar("T")


class Sink(Protocol):
    """Where frames for a browser page go: over one connection, or one after the other.  Safe from any thread, never
    blocks.
    """

    hears_widgets: bool
    """Whether what concerns widgets goes there.  Where not, the page will ask for the states of them all, and hears of
    them from then on: the worker that handles its question sets this, any thread reads it.
    """

    is_listening: bool
    """Whether it takes frames.  Where not, what is put is dropped and need not be framed; any thread reads it."""

    @property
    def outlives_connection(self) -> bool:
        """Whether what is put while the page has no connection is kept for it: the sink is its page's, then, until the
        page is closed or another takes its place.
        """

    @property
    def subprotocol(self) -> str | None:
        """The Jupyter websocket subprotocol that was negotiated, `None` for the default framing."""

    @property
    def queued_frames(self) -> int:
        """How many frames wait to be written."""

    @property
    def queued_bytes(self) -> int:
        """How many bytes wait to be written."""

    @property
    def replay_bytes(self) -> int:
        """How many bytes of what was written are kept, until the page has said that it has them."""

    def put(self, frame: str | bytes) -> None:
        """Queue a frame; dropped when the sink is closed."""

    def flush(self) -> None:
        """A message of the page was handled: what was put so far is worth sending."""

    def close(self, code: int, reason: str) -> None:
        """End the connection with a close code and a one-word reason, after the frames queued so far."""


class Host(Protocol):
    """What a context needs of a kernel: one kernel of one run of the page function.

    `connect`, `disconnect` and `show_parts` are called on the event loop's thread, everything else on a worker with the
    context current, one call at a time.  None of them raises for what a page or a user's code did wrong.
    """

    @property
    def run_id(self) -> str:
        """Names this run of the page function; a page that sees another one starts afresh."""

    @property
    def kernel(self) -> object:
        """The ipykernel kernel."""

    @property
    def widgets(self) -> Mapping[str, object]:
        """The live widgets by model id."""

    @property
    def comm_count(self) -> int:
        """How many comms are open."""

    def connect(self, page_id: str, sink: Sink) -> None:
        """Send to that page too, from now on; a page has one sink, the newest."""

    def disconnect(self, page_id: str, sink: Sink) -> None:
        """Stop sending to that sink; a no-op when the page has a newer one."""

    def receive(self, page_id: str, frame: str | bytes) -> None:
        """Handle one frame that the page sent."""

    def begin_page(self) -> None:
        """A page function is about to run: what there is by now is not its."""

    def leave_page(self, location: str) -> None:
        """The page is left for the one at that path and query: close what it has returned and made."""

    def show(self, result: object) -> None:
        """Show what the page function returned.

        Raises:
            TypeError: it is nothing that can be shown.
        """

    def show_error(self, error: BaseException) -> None:
        """Show the page that the page function has failed."""

    def set_page(self, properties: Mapping[str, object]) -> None:
        """Change how every page looks around what it shows, such as its title; pages that come later have it, too.

        Any thread.

        Raises:
            TypeError, ValueError: it can't be written as JSON.
        """

    def task_failed(self, error: BaseException) -> None:
        """Show the pages, as far as they may see it, that a task has failed; the log has it by now.  Any thread."""

    def show_parts(self, watch: "Watch") -> None:
        """Add to *watch* everything that has to be gone once the kernel is closed."""

    @property
    def app_may_wait(self) -> bool:
        """Whether closing what the page function returned runs code of the user's: a `close` of its own."""

    def close_app(self) -> None:
        """Close what the page function returned."""

    @property
    def widgets_may_wait(self) -> bool:
        """Whether closing them runs code of the user's: a `close` of a class of their own."""

    def close_widgets(self) -> None:
        """Close every widget, and sever what ties them to each other."""

    def close_kernel(self) -> None:
        """Close comms, shell, session and kernel, and sever what ties them to each other."""


class Ids(Protocol):
    """Kernel ids: issued by the server, bound to a session, and worthless to anybody else."""

    def issue(self, session_id: str) -> str:
        """A new kernel id for that session."""

    def check(self, kernel_id: str, session_id: str) -> None:
        """Check that the id was issued to that session.

        Raises:
            InvalidKernelId: it was not.
        """

    def remaining_s(self, kernel_id: str) -> float:
        """For how many seconds more a kernel may be started under a checked id; zero or less once it has expired."""


class Watch(Protocol):
    """Sees whether what belonged to one kernel is gone once that has been closed.  Holds nothing strongly."""

    def add(self, part: object) -> None:
        """Watch *part* too; harmless where nothing can refer to it weakly.  Any thread."""

    def add_all(self, parts: WeakBag[T]) -> None:
        """Watch all that is and comes into the bag, which is not to be cleared any more.  Any thread."""

    def closed(self) -> None:
        """The kernel is closed: from now on nothing should refer to its parts.  Loop only, once."""


class NoWatch:
    """A `Watch` that sees nothing."""

    def add(self, part: object) -> None:
        """Leave it alone."""

    def add_all(self, parts: WeakBag[T]) -> None:
        """Leave them alone."""

    def closed(self) -> None:
        """Do nothing."""
