"""The event loop that handles few sockets in each of its turns."""

import asyncio
import contextlib
import selectors
import socket
import sys

import pytest

from solara_ctx.web.fair_loop import AT_ONCE, new_event_loop

PAIRS = 5 * AT_ONCE
needs_epoll = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system has no epoll")


@needs_epoll
def test_sockets_that_are_ready_at_once_take_several_turns() -> None:
    """A few in each, all of them soon; who calls from elsewhere, and timers, have their turn in between."""
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner(loop_factory=new_event_loop))
        loop = runner.get_loop()
        seen: list[int] = []
        per_turn: list[int] = []

        async def watch() -> None:
            while len(seen) < PAIRS:
                before = len(seen)
                await asyncio.sleep(0)
                per_turn.append(len(seen) - before)

        def read(number: int, end: socket.socket) -> None:
            end.recv(1)
            seen.append(number)

        for number in range(PAIRS):
            near, far = (stack.enter_context(end) for end in socket.socketpair())
            near.setblocking(False)
            loop.add_reader(near, read, number, near)
            far.send(b"x")
        runner.run(asyncio.wait_for(watch(), 20))
        assert sorted(seen) == [*range(PAIRS)]
        assert 0 < max(per_turn) <= AT_ONCE


@needs_epoll
def test_nobody_is_passed_over() -> None:
    """Sockets that are always ready do not keep others waiting for long."""
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner(loop_factory=new_event_loop))
        loop = runner.get_loop()
        counts = [0] * PAIRS

        def ready(number: int) -> None:
            counts[number] += 1

        async def some_turns() -> None:
            for _ in range(20 * PAIRS // AT_ONCE):
                await asyncio.sleep(0)

        for number in range(PAIRS):
            near, _far = (stack.enter_context(end) for end in socket.socketpair())
            loop.add_writer(near, ready, number)
        runner.run(some_turns())
        assert min(counts) >= 15
        assert max(counts) <= 25
        for key in list(loop._selector.get_map().values()):  # type: ignore[attr-defined]
            loop.remove_writer(key.fd)


def test_without_epoll_it_is_the_usual_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """On other systems."""
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    loop = new_event_loop()
    assert loop.run_until_complete(asyncio.sleep(0, "done")) == "done"
    loop.close()
