"""The console of a kernel: what it prints and displays, and what fails in it, where no `with Output():` captures it.

It is one more Output, made with the first thing that there is to show, which pages show in a place of its own.  So a
page that comes back, or a second one, shows what there is, as of every widget.
"""

import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ipywidgets import Output

from solara_ctx import current
from solara_ctx.current import Handle
from solara_ctx.errors import ContextClosed
from solara_ctx.jupyter import outputs, wire
from solara_ctx.jupyter.output_state import Bound, Record, append, keep_at_most, synced

if TYPE_CHECKING:
    from solara_ctx.jupyter.host import KernelHost

_BOUND = Bound(characters=200_000, outputs=100, waiting=10_000, interval_s=0.05)


class Console:
    """The console of one kernel.  Any thread; never waits for another one.

    Args:
        host: The kernel's inside; held weakly.
        handle: Of the kernel's context.
    """

    def __init__(self, host: "KernelHost", handle: Handle) -> None:
        self._host = weakref.ref(host)
        self._handle = handle
        self._output: Output | None = None
        # What comes while the Output is being made, by a finalizer of this thread or by another thread.
        # No deque, which takes 760 bytes when it is empty, as it is in most kernels.
        self._early: list[tuple[str, Mapping[str, Any]]] = []
        self._turn = threading.Lock()

    @property
    def output(self) -> Output | None:
        """The Output, once there is one."""
        output = self._output
        # The user may have closed it.
        return output if output is not None and output.comm is not None else None

    def write(self, name: str, text: str) -> bool:
        """Append text to the stream *name*; whether pages will see it."""
        output = self.output
        if output is not None:
            if text:
                append(output, _stream(name, text), later=not text.endswith("\n"))
            return True
        return not text or self._put_early("stream", {"name": name, "text": text})

    def take(self, msg_type: str, content: Mapping[str, Any]) -> None:
        """Append an output message.

        Raises:
            TypeError: the content can't be written as JSON.
        """
        if msg_type == "error" and not content["traceback"]:
            # Pages are told no details.
            self.write("stderr", f"Something failed here ({content['ename']}). The server's log says more.\n")
            return
        output = self.output
        if output is not None:
            outputs.put(output, msg_type, content)
        elif msg_type != "clear_output":
            wire.check(content)
            self._put_early(msg_type, content)

    def flush(self) -> None:
        """Show what was written so far."""
        output = self.output
        if output is not None:
            synced(output)

    def sever(self) -> None:
        """Forget the Output."""
        self._output = None

    def _put_early(self, msg_type: str, content: Mapping[str, Any]) -> bool:
        host = self._host()
        if host is None or host.closing:
            return False
        self._early.append((msg_type, content))
        del self._early[: -_BOUND.waiting]
        # After a release something may have come in that its thread has left to us.
        while self._early and self._turn.acquire(blocking=False):
            try:
                output = self.output or self._make(host)
                while self._early:
                    msg_type, content = self._early.pop(0)
                    append(output, {"output_type": msg_type, **content}, later=True)
                self._output = output
            except ContextClosed:
                self._early.clear()
                return False
            finally:
                self._turn.release()
            # `print` writes a line and its end one by one.
            if msg_type != "stream" or content["text"].endswith("\n"):
                synced(output)
        return True

    def _make(self, host: "KernelHost") -> Output:
        with current.bound(self._handle), outputs.suspended():
            output = Output()
        keep_at_most(output, _BOUND)
        host.show_console(output)
        return output


def _stream(name: str, text: str) -> Record:
    return {"output_type": "stream", "name": name, "text": text}
