"""Where goes what a kernel prints and displays: to the Output that captures it, else to pages, server or both."""

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ipywidgets import Output

from solara_ctx.current import Handle
from solara_ctx.jupyter import outputs
from solara_ctx.jupyter.console import Console

if TYPE_CHECKING:
    from solara_ctx.jupyter.host import KernelHost


class Printed(NamedTuple):
    """Where goes what no Output captures."""

    to_page: bool = False
    """To the console of the kernel's pages."""
    to_server: bool = True
    """To the server's streams."""


class Printing:
    """What one kernel prints and displays.  Any thread.

    Args:
        host: The kernel's inside; held weakly.
        handle: Of the kernel's context.
        debug: Whether pages are told details of errors.
        printed: Where goes what no Output captures.
    """

    def __init__(self, host: "KernelHost", handle: Handle, *, debug: bool, printed: Printed) -> None:
        self.shows_details = debug
        """Whether pages are told details of errors."""
        self._host = weakref.ref(host)
        self._console = Console(host, handle) if printed.to_page else None
        self._to_server = printed.to_server

    @property
    def console(self) -> Output | None:
        """The Output that shows what no other captures; `None` while there is nothing to show."""
        return None if self._console is None else self._console.output

    def take(self, name: str, text: str) -> bool:
        """Show on the pages what is printed to the stream *name*, if they are to see it.

        Returns:
            Whether it is for the server's own stream, too.
        """
        console = self._console
        return console is None or not console.write(name, text) or self._to_server

    def flush(self) -> None:
        """Show on the pages what was printed so far."""
        if self._console is not None:
            self._console.flush()

    def capture(self, msg_type: str, content: Mapping[str, Any]) -> bool:
        """Take what is displayed; whether an Output has it, and pages are not to be sent it as it is.

        Raises:
            TypeError: the content can't be written as JSON.
        """
        if msg_type not in outputs.MESSAGES:
            return False
        host = self._host()
        if host is None or host.closing:
            return False
        if msg_type == "update_display_data":
            # Wherever it was displayed, as in a notebook.
            return outputs.update_all(host.all_widgets.copy().values(), content) or outputs.is_capturing()
        if outputs.take(msg_type, content):
            return True
        if not outputs.is_suspended():
            if self._console is not None:
                self._console.take(msg_type, content)
            if self._to_server and "text/plain" in content.get("data", ()):
                with outputs.suspended():
                    print(content["data"]["text/plain"])  # noqa: T201 - as IPython does in a terminal
        return False

    def sever(self) -> None:
        """The kernel has ended."""
        if self._console is not None:
            self._console.sever()
