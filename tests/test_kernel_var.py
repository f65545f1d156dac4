"""Variables with one value per kernel."""

import asyncio
import threading
import weakref

import pytest

from solara_ctx.current import without_context
from solara_ctx.errors import ContextClosed, NoCurrentContext
from solara_ctx.kernel_var import KernelValues, KernelVar
from tests.support.fakes import PATIENCE_S
from tests.support.service import serving


class Value:
    """Something that can be held weakly."""


async def test_each_kernel_has_its_own_value() -> None:
    """What one page sets no other page sees, and resetting brings the default back."""
    variable = KernelVar("variable", 0)
    async with serving(threads=False) as service:
        a, b = service.connect("a"), service.connect("b")
        with a:
            variable.set(1)
        with b:
            assert variable.get() == 0
            variable.set(2)
        with a:
            assert variable.get() == 1
            variable.reset()
            variable.reset()
            assert variable.get() == 0
        with b:
            assert variable.get() == 2


async def test_two_variables_of_one_name_are_two() -> None:
    """The name is for people."""
    one, other = KernelVar("same", 1), KernelVar("same", 2)
    async with serving(threads=False) as service:
        with service.connect():
            one.set(10)
            assert (one.get(), other.get()) == (10, 2)


async def test_without_value_and_default_get_says_what_to_do() -> None:
    """The error names the variable; `None` is a default like any other."""
    variable: KernelVar[int] = KernelVar("user")
    async with serving(threads=False) as service:
        with service.connect():
            with pytest.raises(LookupError, match=r"<KernelVar 'user'> has no value .* set\(\) it first"):
                variable.get()
            assert KernelVar[None]("nothing", None).get() is None


async def test_outside_of_a_kernel_there_is_no_value() -> None:
    """Neither where no kernel is current nor where it has ended."""
    variable = KernelVar("variable", 0)
    async with serving(threads=False) as service:
        context = service.connect()
        with context, without_context():
            for use in (variable.get, variable.reset, lambda: variable.set(1)):
                with pytest.raises(NoCurrentContext):
                    use()
        with context:
            await context.aclose()
            for use in (variable.get, variable.reset, lambda: variable.set(1)):
                with pytest.raises(ContextClosed):
                    use()


async def test_values_go_with_the_kernel() -> None:
    """After a close nothing keeps the value, also where somebody keeps the context."""
    variable: KernelVar[Value] = KernelVar("variable")
    async with serving(threads=False) as service:
        context = service.connect()
        value = Value()
        gone = weakref.ref(value)
        with context:
            variable.set(value)
        del value
        assert gone() is not None
        await context.aclose()
        assert gone() is None


async def test_a_restart_begins_without_values() -> None:
    """The fresh page function finds the defaults."""
    variable = KernelVar("variable", "default")
    async with serving(threads=False) as service:
        context = service.connect(function=variable.get)
        with context:
            variable.set("old")
        await asyncio.wrap_future(context.restart())
        await service.hosts[1].called("show")
        assert service.hosts[1].shown == ["default"]


async def test_a_variable_that_is_dropped_stays_until_the_kernel_ends() -> None:
    """A KernelVar made inside a page function belongs to that kernel alone and goes with it."""
    async with serving(threads=False) as service:
        context = service.connect()
        with context:
            variable = KernelVar("inner", 0)
            variable.set(1)
        gone = weakref.ref(variable)
        del variable
        await context.aclose()
        assert gone() is None


def test_a_value_may_come_back_from_its_own_end() -> None:
    """A `__del__` that uses the variable while its value is replaced meets no lock."""
    values, key = KernelValues(), object()

    class Stubborn:
        def __del__(self) -> None:
            values.set("last words", values.get(key, None))

    def use() -> None:
        values.set(key, Stubborn())
        values.set(key, 2)
        values.set(key, Stubborn())
        values.reset(key)
        values.set(key, Stubborn())
        values.clear()

    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert values.get("last words", "none") is None


def test_a_value_s_end_in_a_collection_meets_no_lock() -> None:
    """A collection may begin while the lock is held: the same thread gets in once more."""
    values = KernelValues()
    with values._lock:
        values.set("key", "value")
        assert values.get("key", None) == "value"
        values.reset("key")


class Dying:
    """Notes on which thread it goes."""

    def __init__(self, log: list[int]) -> None:
        self._log = log

    def __del__(self) -> None:
        self._log.append(threading.get_ident())


async def test_values_go_on_a_worker() -> None:
    """The end of a database connection may take its time, and the event loop is everybody's."""
    variable = KernelVar[Dying]("variable")
    died_on: list[int] = []
    async with serving() as service:
        context = await service.opened()
        with context:
            variable.set(Dying(died_on))
        await context.aclose()
        assert len(died_on) == 1
        assert died_on != [threading.get_ident()]
