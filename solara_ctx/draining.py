"""The end of all kernels at once, within a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from solara_ctx.clock import Clock, in_turns, wait_within
from solara_ctx.context import VirtualKernelContext
from solara_ctx.errors import redact
from solara_ctx.teardown import CloseReport

log = logging.getLogger(__name__)


async def close_all(
    contexts: Mapping[str, VirtualKernelContext],
    reason: str,
    *,
    clock: Clock,
    within_s: float,
    each: Callable[[VirtualKernelContext], object] | None = None,
    begun: Callable[[], Awaitable[object]] | None = None,
) -> list[VirtualKernelContext]:
    """Close the kernels, some in each turn of the loop; as for `KernelRegistry.drain`.  Loop only."""
    until = clock.now() + within_s
    # By their ids: held to the end, thousands of kernels would be freed in the same turn of the loop.
    closing: set[asyncio.Future[CloseReport]] = set()

    def close(kernel_id: str) -> None:
        context = contexts.get(kernel_id)
        if context is not None:
            future = asyncio.wrap_future(context.close(reason))
            if each is not None:
                each(context)
            closing.add(future)
            future.add_done_callback(closing.discard)

    await in_turns(close, list(contexts))
    if begun is not None:
        await begun()
    while closing:
        future = next(iter(closing))
        if not await wait_within(clock, future, until - clock.now()):
            break
        # It may be done without having told so yet: its callbacks have their turn later.
        closing.discard(future)
    late = list(contexts.values())
    for context in late:
        log.error(
            "kernel %s was not closed within SOLARA_KERNEL_DRAIN_TIMEOUT (%g s): it waits for %s",
            redact(context.id),
            within_s,
            context.waits_for,
        )
    return late
