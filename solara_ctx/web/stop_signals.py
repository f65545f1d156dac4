"""Hear of SIGTERM and SIGINT before the server acts on them: pages can only be told while their websockets are open.

uvicorn closes all websockets before it ends the lifespan.  Its handler only sets a flag that its main loop looks at
every 100 ms, so a handler in front of it has time to send each page a close frame with our reason.
"""

import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_Handler = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


class StopSignals:
    """Calls *notify* when the process is asked to stop, then whoever handled the signal before.

    Does nothing outside the main thread, where Python allows no signal handlers: there the kernels still close, and
    the pages learn from the server's own close code that they have lost their connection.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._before: dict[signal.Signals, _Handler] = {}

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
        for number, before in self._before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, before)
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._notify()
        before = self._before.get(signal.Signals(number))
        if callable(before):
            before(number, frame)
