"""Which kernel context is current here."""

import _thread
import asyncio
import contextvars
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest

from solara_ctx import current
from solara_ctx.context import VirtualKernelContext
from solara_ctx.current import (
    get_current_context,
    has_current_context,
    set_current_context,
    without_context,
)
from solara_ctx.errors import ContextClosed, NoCurrentContext
from tests.support.fakes import PATIENCE_S
from tests.support.service import eventually, serving

T = TypeVar("T")


def in_thread(function: Callable[[], T], *, name: str | None = None) -> T:
    """What *function* returns in a thread of its own."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(function()), name=name)
    thread.start()
    thread.join(PATIENCE_S)
    return results[0]


def test_without_any_context_the_message_says_what_to_do() -> None:
    """Outside of every kernel, asking for it raises, and looking for it does not."""
    assert not has_current_context()
    assert current.peek() is None
    with pytest.raises(NoCurrentContext, match="with context:"):
        get_current_context()


async def test_blocks_nest_and_put_back() -> None:
    """Leaving a block, also by an error, brings back what was current before it."""
    async with serving(threads=False) as service:
        a, b = service.connect("a"), service.connect("b")
        with a:
            with pytest.raises(ZeroDivisionError), b:
                _ = 1 / (get_current_context() is not b)
            assert get_current_context() is a
            async with b:
                async with a:
                    assert get_current_context() is a
                assert get_current_context() is b
            with a as entered:
                assert entered is a
            assert get_current_context() is a
        assert not has_current_context()


async def test_set_current_context_holds_until_its_block_ends() -> None:
    """What was set in a block is gone with the block, and the outer block's context is back."""
    async with serving(threads=False) as service:
        a, b = service.connect("a"), service.connect("b")
        with a:
            with b:
                set_current_context(None)
                assert not has_current_context()
                set_current_context(a)
            assert get_current_context() is a
            with b:
                set_current_context(a)
                assert get_current_context() is a
            assert get_current_context() is a
        assert not has_current_context()
        set_current_context(b)
        assert get_current_context() is b
        with a:
            pass
        assert get_current_context() is b
        set_current_context(None)
        assert not has_current_context()


async def test_without_context_hides_and_brings_back() -> None:
    """Work for everybody is not done in the name of a page."""
    async with serving(threads=False) as service:
        with service.connect() as context:
            with without_context():
                assert not has_current_context()
                with pytest.raises(NoCurrentContext):
                    get_current_context()
            assert get_current_context() is context


async def test_a_task_inherits_and_keeps_its_own() -> None:
    """A task begins with its maker's context, and what it makes current stays inside."""
    async with serving(threads=False) as service:
        a, b = service.connect("a"), service.connect("b")

        async def task() -> VirtualKernelContext:
            inherited = get_current_context()
            set_current_context(b)
            await asyncio.sleep(0)
            assert get_current_context() is b
            return inherited

        with a:
            assert await asyncio.create_task(task()) is a
            assert get_current_context() is a


async def test_two_tasks_of_one_name_see_their_own() -> None:
    """Names are for people: equal ones mix up nothing."""
    async with serving(threads=False) as service:
        contexts = [service.connect("a"), service.connect("b")]

        async def task(context: VirtualKernelContext) -> bool:
            async with context:
                seen = []
                for _turn in range(5):
                    await asyncio.sleep(0)
                    seen.append(get_current_context() is context)
                return all(seen)

        tasks = [asyncio.create_task(task(context), name="same") for context in contexts]
        assert await asyncio.gather(*tasks) == [True, True]


async def test_two_threads_of_one_name_see_their_own() -> None:
    """The same for threads that run at the same time."""
    async with serving(threads=False) as service:
        contexts = [service.connect("a"), service.connect("b")]
        together = threading.Barrier(2)

        def look(context: VirtualKernelContext) -> bool:
            with context:
                together.wait(PATIENCE_S)
                seen = get_current_context() is context
                together.wait(PATIENCE_S)
                return seen

        looks = (asyncio.to_thread(in_thread, partial(look, context), name="same") for context in contexts)
        assert await asyncio.gather(*looks) == [True, True]


async def test_a_reused_thread_ident_inherits_nothing() -> None:
    """A thread that forgets to put back leaves nothing to the next one that gets its ident."""
    async with serving(threads=False) as service:
        context = service.connect()
        for _try in range(10):
            in_thread(lambda: set_current_context(context))
            assert in_thread(current.peek_handle) is None


async def test_a_kept_copy_of_the_context_variables_dies_with_the_kernel() -> None:
    """A severed handle is found everywhere at once, tells that its kernel has ended, and holds nothing of it."""
    async with serving(threads=False) as service:
        context = service.connect()
        with context:
            kept = contextvars.copy_context()
        assert kept.run(get_current_context) is context
        await context.aclose()
        assert kept.run(current.peek) is None
        assert not kept.run(has_current_context)
        with pytest.raises(ContextClosed, match="load"):
            kept.run(get_current_context)
        gone = weakref.ref(context)
        del context
        assert gone() is None


async def test_a_closed_context_cannot_be_made_current() -> None:
    """Neither by a block nor by setting it; what was current stays."""
    async with serving(threads=False) as service:
        context, other = service.connect("a"), service.connect("b")
        await context.aclose()
        with other:
            with pytest.raises(ContextClosed, match="be made current"), context:
                pass
            with pytest.raises(ContextClosed, match="be made current"):
                set_current_context(context)
            assert get_current_context() is other


async def test_a_block_survives_the_end_of_its_kernel() -> None:
    """A close inside the block leaves the block as any other end of it would."""
    async with serving(threads=False) as service:
        outer, inner = service.connect("a"), service.connect("b")
        with outer:
            async with inner:
                await inner.aclose()
                with pytest.raises(ContextClosed):
                    get_current_context()
            assert get_current_context() is outer


async def test_bind_starts_anew() -> None:
    """What runs user code first forgets what an earlier job has left behind."""
    async with serving(threads=False) as service:
        a, b = service.connect("a"), service.connect("b")

        def look() -> tuple[object, object]:
            current.push(a.handle())
            current.bind(b.handle())
            bound = current.peek()
            current.pop()
            return bound, current.peek()

        assert contextvars.Context().run(look) == (b, None)


async def test_call_bound_is_current_for_one_call() -> None:
    """A function gets its arguments and the context, and only for as long as it runs."""
    async with serving(threads=False) as service:
        handle = service.connect().handle()

        def function(a: int, *, b: int) -> tuple[bool, int]:
            return current.peek_handle() is handle, a + b

        assert current.call_bound(handle, function, 1, b=2) == (True, 3)
        assert current.peek_handle() is None


async def test_handles_show_little() -> None:
    """A handle's repr names its kernel as little as a log may, and whether it is alive."""
    async with serving(threads=False) as service:
        context = service.connect()
        handle = context.handle()
        assert repr(handle) == "<Handle kernel… alive>"
        await context.aclose()
        assert repr(handle) == "<Handle kernel… severed>"


async def test_foreign_threads_are_noted_and_own_ones_are_not() -> None:
    """Only a thread that `threading` did not start needs scrubbing; noting it makes no _DummyThread of it."""
    async with serving(threads=False) as service:
        handle = service.connect().handle()
        idents: list[int] = []
        done = threading.Event()

        def foreign() -> None:
            with current.bound(handle):
                idents.append(_thread.get_ident())
            idents.append(_thread.get_ident() if _thread.get_ident() in threading._active else 0)  # type: ignore[attr-defined]
            done.set()

        in_thread(lambda: current.call_bound(handle, get_current_context))
        with current.bound(handle):
            pass
        assert handle.foreign_threads == set()
        _thread.start_new_thread(foreign, ())
        assert await asyncio.to_thread(done.wait, PATIENCE_S)
        assert handle.foreign_threads == {idents[0]}
        assert idents[1] == 0


async def test_the_gauge_of_threads_counts_the_running() -> None:
    """A thread counts from its start to its end, and is not kept."""
    async with serving() as service:
        handle = (await service.opened()).handle()
        go_on = threading.Event()
        thread = threading.Thread(target=go_on.wait, args=(PATIENCE_S,))
        handle.threads.add(thread)
        assert handle.living_threads() == 0
        thread.start()
        assert handle.living_threads() == 1
        go_on.set()
        # Not by a thread that joins it: that one has the job, and with it this thread, in hand for a moment longer.
        await eventually(lambda: handle.living_threads() == 0)
        gone = weakref.ref(thread)
        del thread
        assert gone() is None
