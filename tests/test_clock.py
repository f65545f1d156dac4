"""Waiting, on an injected clock."""

import asyncio
import contextvars
import itertools
import threading

import pytest

from solara_ctx.clock import PER_TURN, LoopClock, call_on, in_turns, runs_here, wait_through, wait_within
from tests.support.fakes import FakeClock
from tests.support.service import eventually, turns

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="empty")


async def test_the_loop_clock_is_the_loop_s_time() -> None:
    """A callback runs on the loop's thread, once its time has come, and in empty context variables."""
    loop = asyncio.get_running_loop()
    clock = LoopClock(loop)
    called: asyncio.Future[tuple[int, str]] = loop.create_future()
    variable.set("mine")
    clock.call_at(clock.now(), lambda: called.set_result((threading.get_ident(), variable.get())))
    assert await called == (threading.get_ident(), "empty")


async def test_a_cancelled_timer_does_not_call() -> None:
    """Who cancels in time is not called back."""
    clock = LoopClock(asyncio.get_running_loop())
    calls: list[str] = []
    clock.call_at(clock.now(), lambda: calls.append("cancelled")).cancel()
    clock.call_at(clock.now(), lambda: calls.append("kept"))
    await turns()
    assert calls == ["kept"]


async def test_a_wait_ends_with_what_it_waits_for() -> None:
    """A future that is done in time counts as done, whatever became of it, and no timer is left."""
    clock, loop = FakeClock(), asyncio.get_running_loop()
    for settle in ("set_result", "set_exception", "cancel"):
        future: asyncio.Future[object] = loop.create_future()
        wait = asyncio.create_task(wait_within(clock, future, 5.0))
        await turns()
        assert not wait.done()
        if settle == "set_result":
            future.set_result(None)
        elif settle == "set_exception":
            future.set_exception(ValueError())
            assert future.exception() is not None
        else:
            future.cancel()
        assert await wait is True
        assert clock.pending == []


@pytest.mark.parametrize(("passed_s", "given_up"), [(4.9, False), (5.0, True), (5.1, True)])
async def test_a_wait_ends_with_its_budget(passed_s: float, *, given_up: bool) -> None:
    """Below the budget it goes on, at it and above it ends; the future is left alone."""
    clock = FakeClock()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    wait = asyncio.create_task(wait_within(clock, future, 5.0))
    await turns()
    clock.advance(passed_s)
    await turns()
    assert wait.done() is given_up
    assert not future.done()
    future.set_result(None)
    assert await wait is not given_up


async def test_a_done_future_is_not_waited_for() -> None:
    """Without a need to wait no timer is made."""
    clock = FakeClock()
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    assert await wait_within(clock, future, 0.0) is True
    assert clock.pending == []


async def test_a_wait_is_not_ended_by_cancelling_the_waiter() -> None:
    """What asyncio.run does to every task at its end does not cut a teardown short."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    reached: list[str] = []

    async def wait() -> None:
        await wait_through(future)
        reached.append("the end")
        assert (task := asyncio.current_task()) is not None
        assert task.cancelling() == 0

    waiter = asyncio.create_task(wait())
    for _time in range(3):
        await turns()
        waiter.cancel()
    await turns()
    assert not waiter.done()
    future.set_result(None)
    await waiter
    assert reached == ["the end"]


async def test_a_call_comes_in_the_next_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the loop's own thread without waking it, from others with."""
    loop = asyncio.get_running_loop()
    called: list[str] = []
    woken: list[None] = []
    wake = loop._write_to_self  # type: ignore[attr-defined]

    def counted() -> None:
        woken.append(None)
        wake()

    monkeypatch.setattr(loop, "_write_to_self", counted)
    assert runs_here(loop)
    call_on(loop, called.append, "here")
    assert called == []
    await asyncio.sleep(0)
    assert called == ["here"]
    assert woken == []

    def elsewhere() -> None:
        assert not runs_here(loop)
        call_on(loop, called.append, "there")

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await eventually(lambda: len(called) == 2)
    assert called == ["here", "there"]
    assert woken
    thread.join()


def test_there_is_no_call_on_a_loop_that_has_ended() -> None:
    """As with asyncio's own."""
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(RuntimeError):
        call_on(loop, print)


async def test_what_is_for_many_takes_several_turns() -> None:
    """Others have theirs in between; whoever cancels it meanwhile changes nothing."""
    done: list[int] = []
    seen: list[int] = []
    work = asyncio.create_task(in_turns(done.append, range(3 * PER_TURN + 1)))
    while not work.done():
        await asyncio.sleep(0)
        seen.append(len(done))
        work.cancel()
    await work
    assert done == [*range(3 * PER_TURN + 1)]
    assert {later - earlier for earlier, later in itertools.pairwise(seen)} <= {0, 1, PER_TURN}


async def test_what_is_for_few_takes_one_turn() -> None:
    """As if it were a loop."""
    done: list[int] = []
    await in_turns(done.append, range(PER_TURN))
    assert len(done) == PER_TURN
