"""Hear of SIGTERM and SIGINT before the server acts on them.

Pages can only be told while their websockets are open, and uvicorn closes all websockets before it ends the lifespan.
Without a lifespan nothing at all runs after that: uvicorn raises the signal again when it has shut down, and the
process is gone before its event loop could cancel a task.
"""

import signal
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


Resume = Callable[[], None]


class StopSignals:
    """Calls *notify* when the process is asked to stop; whoever handled the signal before hears of it when *notify*
    says so.

    Does nothing outside the main thread, where Python allows no signal handlers: there the kernels still close, and
    the pages learn from the server's own close code that they have lost their connection.

    Args:
        notify: Called in the main thread, between any two instructions, with a function that lets the signal through.
    """

    def __init__(self, notify: Callable[[Resume], None]) -> None:
        self._notify = notify
        self._before: dict[signal.Signals, _Handler] = {}
        # From the first signal on, or once removed: somebody in front of us may still call us then.
        self._passes_on = False

    def install(self) -> None:
        """Put our handler in front; harmless outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            before = signal.getsignal(number)
            # Only in front of a Python handler: to replace the system's default would change what the signal does.
            if callable(before):
                self._before[number] = before
                signal.signal(number, self._handle)

    def remove(self) -> None:
        """Put back what was there before, unless somebody has put theirs in front of ours meanwhile."""
        self._passes_on = True
        for number, before in self._before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        before = self._before.get(signal.Signals(number))
        if not callable(before):
            return
        if self._passes_on:
            before(number, frame)  # whoever asks twice is in a hurry
            return
        self._passes_on = True
        self._notify(partial(_pass_on, before, number))


def _pass_on(handler: Callable[[int, FrameType | None], object], number: int) -> None:
    handler(number, None)
