"""What page code calls, wherever it runs."""

import asyncio
import threading
import weakref

import pytest

from solara_ctx import ContextClosed, NoCurrentContext, VirtualKernelContext, get_current_context, sleep
from tests.support.fakes import PATIENCE_S
from tests.support.service import eventually, serving


def test_sleep_needs_a_kernel() -> None:
    """Where none is current, there is no end to wake up for."""
    with pytest.raises(NoCurrentContext):
        sleep(0)


async def test_who_sleeps_is_woken_by_the_end_and_keeps_nothing() -> None:
    """A thread of the page's that sleeps for an hour ends with its kernel, by `ContextClosed`."""
    contexts: list[weakref.ref[VirtualKernelContext]] = []
    outcomes: list[str] = []
    threads: list[threading.Thread] = []

    def work(context: VirtualKernelContext) -> None:
        with context:
            contexts.append(weakref.ref(context))
            del context
            sleep(0)
            outcomes.append("slept")
            try:
                sleep(3600)
            except ContextClosed as error:
                outcomes.append(str(error))

    def page() -> None:
        threads.append(threading.Thread(target=work, args=(get_current_context(),)))
        threads[0].start()

    async with serving() as service:
        context = await service.opened(function=page)
        await eventually(lambda: outcomes == ["slept"])
        await context.aclose()
        await asyncio.to_thread(threads[0].join, PATIENCE_S)
        assert not threads[0].is_alive()
        assert outcomes[1].startswith("kernel kernel… is closed and can't sleep")
