"""What page code may call wherever it runs: it asks the kernel that is current there."""

import time

from solara_ctx.current import get_current_context
from solara_ctx.errors import ContextClosed

_NAP_S = 0.05


def navigate(location: str) -> None:
    """Show another page of the app in this kernel; see `VirtualKernelContext.navigate`.  Any thread or task of it.

    The code that calls it is the page's that is left: it runs on to its end, and then belongs to nobody.

    Args:
        location: Path and query of the page, relative to the mount, as in "/report?year=2026".

    Raises:
        ValueError: there is no such page.
        NoCurrentContext, ContextClosed: there is no current kernel, or it has ended.
    """
    get_current_context().navigate(location)


def sleep(seconds: float) -> None:
    """Wait, but no longer than the current kernel is to live: a `time.sleep` for page code and the threads that it
    starts, which the kernel's end and `interrupt()` cut short.

    Blocks; in a task use `asyncio.sleep`, which the kernel's end cancels.

    Raises:
        ContextClosed: the kernel closes or restarts.
        NoCurrentContext: no kernel is current here.
    """
    context = get_current_context()
    kernel_id, closing = context.id, context.closing_event
    del context  # a thread that sleeps must not keep it
    until = time.monotonic() + seconds
    # In naps: what waits for a lock can't be interrupted.
    while not closing.wait(max(0.0, min(until - time.monotonic(), _NAP_S))):
        if time.monotonic() >= until:
            return
    raise ContextClosed(kernel_id, doing="sleep")
