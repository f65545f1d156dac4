"""What holds an object is named as people speak of it: one test per kind of holder."""

import asyncio
import collections
import contextlib
import contextvars
import ctypes
import functools
import logging
import threading
import types
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import pytest
from traitlets import HasTraits, Instance, Unicode

from solara_ctx.leaks.explain import Explanation, explain

HERE = "tests/leaks/test_explain.py"
CACHE: dict[object, object] = {}  # line: CACHE
THREAD_LOCAL = threading.local()  # line: THREAD_LOCAL
REQUEST: contextvars.ContextVar[object] = contextvars.ContextVar("request")  # line: REQUEST


class Label:
    """What should be gone."""


class Page:
    instances: ClassVar[list[object]] = []  # line: Page.instances

    def __init__(self, label: object) -> None:
        self.label = label  # line: Page().label

    def on_click(self) -> None:  # line: on_click
        """Do nothing."""


def line(marker: str) -> int:
    """The line of this file that is marked so."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, text in enumerate(lines, 1) if text.endswith(f"# line: {marker}"))


def at(marker: str) -> str:
    return f"{HERE}:{line(marker)}"


def kept(hold: Callable[[Label], object]) -> Explanation:
    """What is said of a label that *hold* has stored somewhere; the label is gone after the holder is."""
    label = Label()
    reference: weakref.ref[object] = weakref.ref(label)
    hold(label)
    del label
    found = explain([reference])
    assert found.found
    assert found.links[-1].text == found.target
    assert found.links[0].text == found.root
    return found


def in_cache(holder: object) -> None:
    CACHE["ab12"] = holder


START = f"{at('CACHE')} module variable CACHE -> dict['ab12']"


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """No test keeps anything for the next one."""
    yield
    CACHE.clear()
    Page.instances.clear()


def test_closure() -> None:
    """The chain of the documentation: a module's dict, a key, a closure with its place and variable."""

    def hold(label: Label) -> None:
        def on_click() -> Label:  # line: closure
            return label

        in_cache(on_click)

    found = kept(hold)
    assert found.text() == f"{START} -> closure of on_click ({at('closure')}), variable label -> Label"
    assert [link.kind for link in found.links] == ["module", "item", "closure", "target"]
    assert found.links[0].file == __file__
    assert found.culprit == found.links[0]


def test_lambda() -> None:
    """A function without a name is told by its place."""
    found = kept(lambda label: in_cache(lambda: label))  # line: lambda
    assert found.text() == f"{START} -> closure of lambda ({at('lambda')}), variable label -> Label"


def test_default_arguments() -> None:
    """Default arguments are named, those that go by keyword only as well."""

    def hold(label: Label) -> None:
        def act(first: object, second: object = label) -> None:  # line: defaults
            """Do nothing."""

        in_cache(act)

    def hold_by_keyword(label: Label) -> None:
        def act(*, second: object = label) -> None:  # line: kwdefaults
            """Do nothing."""

        in_cache(act)

    expected = "default argument second of act"
    assert kept(hold).text() == f"{START} -> {expected} ({at('defaults')}) -> Label"
    assert kept(hold_by_keyword).text() == f"{START} -> {expected} ({at('kwdefaults')}) -> Label"


def test_attribute_of_a_function() -> None:
    """What was set on a function is an attribute of it."""

    def hold(label: Label) -> None:
        def act() -> None:  # line: attribute
            """Do nothing."""

        act.label = label  # type: ignore[attr-defined]
        in_cache(act)

    assert kept(hold).text() == f"{START} -> function act ({at('attribute')}).label -> Label"


def test_instance_and_bound_method() -> None:
    """A bound method has its class, function and line, an attribute the line where it is assigned."""
    found = kept(lambda label: in_cache(Page(label).on_click))
    assert found.text() == (
        f"{START} -> bound method Page.on_click ({at('on_click')}) -> Page.label ({at('Page().label')}) -> Label"
    )


def test_materialized_dict_of_an_instance() -> None:
    """An instance whose `__dict__` somebody has asked for is named just the same."""

    def hold(label: Label) -> None:
        page = Page(label)
        assert vars(page)
        in_cache(page)

    assert kept(hold).text() == f"{START} -> Page.label ({at('Page().label')}) -> Label"


def test_slots() -> None:
    """A slot is an attribute."""

    class Slotted:
        __slots__ = ("label",)

    def hold(label: Label) -> None:
        slotted = Slotted()
        slotted.label = label  # type: ignore[attr-defined]
        in_cache(slotted)

    assert " -> Slotted.label (" in kept(hold).text()


def test_class_attribute() -> None:
    """A class is a root where its module has it, with the line of the attribute."""
    found = kept(lambda label: Page.instances.append(label))  # noqa: PLW0108 -- the method would be a holder itself
    assert found.text() == f"{at('Page.instances')} class attribute Page.instances -> list[0] -> Label"
    assert found.culprit == found.links[0]


def test_class_made_in_a_function() -> None:
    """A class that only an instance holds is no root."""

    def hold(label: Label) -> None:
        class Local:
            held = label  # line: Local.held

        in_cache(Local())

    text = kept(hold).text()
    assert text.startswith(f"{START} -> Local, by its class")
    assert text.endswith(f" -> {at('Local.held')} class attribute Local.held -> Label")


def test_metaclass() -> None:
    """What a metaclass keeps is an attribute of a class as well."""

    class Meta(type):
        pass

    def hold(label: Label) -> None:
        Meta.held = label  # type: ignore[attr-defined]
        in_cache(Meta("Made", (), {}))

    assert "class attribute Meta.held -> Label" in kept(hold).text()


def test_property_and_mappingproxy() -> None:
    """Descriptors and proxies don't end the chain."""
    assert " -> property.fget -> closure of lambda" in kept(lambda label: in_cache(property(lambda _: label))).text()
    found = kept(lambda label: in_cache(types.MappingProxyType({"x": label})))
    assert found.text() == f"{START} -> mappingproxy -> dict['x'] -> Label"


def test_partial() -> None:
    """Arguments of a `functools.partial`, by number and by name; functions in it keep their place."""
    found = kept(lambda label: in_cache(functools.partial(cast("Any", line), "CACHE", label)))
    assert " -> partial of line (" in found.text()
    assert found.text().endswith("), argument 1 -> Label")
    assert kept(lambda label: in_cache(functools.partial(print, sep=label))).text() == (
        f"{START} -> partial of print, argument sep -> Label"
    )


class Point(NamedTuple):
    x: object
    y: object


@pytest.mark.parametrize(
    ("hold", "shown"),
    [
        (lambda label: [0, label], "list[1]"),
        (lambda label: (0, label), "tuple[1]"),
        (lambda label: {label}, "set"),
        (lambda label: frozenset([label]), "frozenset"),
        (lambda label: collections.deque([0, label]), "deque[1]"),
        (lambda label: {label: 1}, "dict, as a key"),
        (lambda label: collections.OrderedDict(x=label), "OrderedDict['x']"),
        (lambda label: collections.defaultdict(list, x=label), "defaultdict['x']"),
        (lambda label: {7: label}, "dict[7]"),
        (lambda label: {b"k": label}, "dict[b'k']"),
        (lambda label: {("a", 1): label}, "dict[('a', 1)]"),
        (lambda label: {object(): label}, "dict[…]"),
        (lambda label: {"x" * 200: label}, "dict['xxxxxx…']"),
        (lambda label: {"a b" * 200: label}, "dict['a ba ba ba ba ba ba ba ba ba ba ba ba b…']"),
        (lambda label: iter([label]), "list_iterator -> list[0]"),
        (types.CellType, "variable of a closure"),
    ],
)
def test_containers(hold: Callable[[object], object], shown: str) -> None:
    """Items by index or key, as far as the key can be shown without asking it."""
    assert kept(lambda label: in_cache(hold(label))).text() == f"{START} -> {shown} -> Label"


def test_named_tuple() -> None:
    """A field of a named tuple, by its name."""
    assert " -> Point.y (" in kept(lambda label: in_cache(Point(1, label))).text()


def test_generator() -> None:
    """A suspended generator: its function, the line where it waits, the variable."""

    def numbers(label: Label) -> Generator[int, None, None]:
        yield 1  # line: generator
        assert label is not None

    def hold(label: Label) -> None:
        generator = numbers(label)
        next(generator)
        in_cache(generator)

    assert kept(hold).text() == (
        f"{START} -> generator numbers (waiting at {at('generator')}), local variable label -> Label"
    )


def test_coroutine_and_async_generator() -> None:
    """Suspended coroutines, and what they await."""

    async def inner(label: Label) -> None:
        await asyncio.sleep(0)  # line: inner
        assert label is not None

    async def outer(label: Label) -> None:
        await inner(label)  # line: outer

    async def stream(label: Label) -> AsyncGenerator[Label, None]:
        yield label  # line: stream

    def hold(label: Label) -> None:
        coroutine = inner(label)
        coroutine.send(None)
        in_cache(coroutine)

    def hold_stream(label: Label) -> None:
        generator = stream(label)
        with contextlib.suppress(StopIteration):
            generator.asend(None).send(None)
        in_cache(generator)

    assert kept(hold).text() == f"{START} -> coroutine inner (waiting at {at('inner')}), local variable label -> Label"
    CACHE.clear()
    assert kept(hold_stream).text() == (
        f"{START} -> async generator stream (waiting at {at('stream')}), local variable label -> Label"
    )


def test_exception_with_its_traceback() -> None:
    """A kept exception: its type, where it was raised, and the frame that it keeps."""

    def fail(label: Label) -> None:
        raise ValueError  # line: raised

    def hold(label: Label) -> None:
        try:
            fail(label)
        except ValueError as error:
            in_cache(error.with_traceback(error.__traceback__.tb_next if error.__traceback__ else None))

    assert kept(hold).text() == (
        f"{START} -> ValueError raised at {at('raised')} -> frame of fail ({at('raised')}), "
        "local variable label -> Label"
    )


def test_parts_of_an_exception() -> None:
    """Arguments, attributes and the error before it."""

    def chained(label: Label) -> BaseException:
        error = KeyError()
        error.__cause__ = ValueError(label)
        return error

    assert kept(lambda label: in_cache(ValueError("a", label))).text() == f"{START} -> ValueError, args[1] -> Label"
    assert kept(lambda label: in_cache(chained(label))).text() == (
        f"{START} -> KeyError, its cause -> ValueError, args[0] -> Label"
    )

    def with_attribute(label: Label) -> None:
        error = ValueError()
        error.label = label  # type: ignore[attr-defined]
        in_cache(error)

    assert kept(with_attribute).text() == f"{START} -> ValueError, attribute label -> Label"


def test_log_record() -> None:
    """A log record: the logger's name, the line that logged, which argument."""

    def hold(label: Label) -> None:
        in_cache(logging.LogRecord("my.app", logging.INFO, __file__, 12, "%s %s", (1, label), None))

    assert kept(hold).text() == f"{START} -> log record of 'my.app' ({HERE}:12), args[1] -> Label"


def test_logging_handler() -> None:
    """A handler on a logger: the logger's name, and the handler's class in the user's code."""

    class Handler(logging.Handler):
        def __init__(self, label: Label) -> None:
            super().__init__()
            self.label = label  # line: Handler().label

    logger = logging.getLogger("tests.explain")
    try:
        found = kept(lambda label: logger.addHandler(Handler(label)))
    finally:
        logger.handlers.clear()
    assert found.text() == f"logger 'tests.explain', handlers[0] -> Handler.label ({at('Handler().label')}) -> Label"
    assert found.culprit == found.links[1]


log = logging.getLogger("tests.explain.shop")  # line: log


def test_logger_of_a_module() -> None:
    """A logger that a user's module has as a variable comes with the line of that."""

    class Handler(logging.Handler):
        label: object = None

    def hold(label: Label) -> None:
        handler = Handler()
        handler.label = label
        log.addHandler(handler)

    try:
        found = kept(hold)
    finally:
        log.handlers.clear()
    assert found.text().startswith(f"{at('log')} logger 'tests.explain.shop', handlers[0] -> Handler.label (")
    assert found.culprit == found.links[0]


def identity(value: object) -> object:
    return value


@pytest.mark.parametrize("maxsize", [None, 3])
def test_lru_cache(maxsize: int | None) -> None:
    """A cached result and a cached argument: the function with its place, and how much it keeps."""
    start = f"lru_cache of identity ({HERE}:{identity.__code__.co_firstlineno}), maxsize={maxsize}"
    CACHE["cache"] = functools.lru_cache(maxsize)(identity)

    def hold(label: Label) -> None:
        cached = CACHE["cache"]
        assert callable(cached)
        cached(label)

    assert kept(hold).text() == f"{at('CACHE')} module variable CACHE -> dict['cache'] -> {start} -> Label"


def test_lru_cache_of_results() -> None:
    """A cached result that is no argument."""
    fresh: list[object] = []

    @functools.lru_cache  # line: load
    def load(number: int) -> object:
        return fresh.pop()

    CACHE["load"] = load

    def hold(label: Label) -> None:
        fresh.append(label)
        load(1)

    assert kept(hold).text().endswith(f" lru_cache of load ({at('load')}), maxsize=128 -> Label")


def test_thread_local() -> None:
    """The value of another thread in a thread-local: found although this thread can't see it."""
    ready, end = threading.Event(), threading.Event()

    def work() -> None:
        ready.set()
        end.wait()

    def hold(label: Label) -> None:
        def start(labels: list[Label]) -> None:
            THREAD_LOCAL.user = labels.pop()
            work()

        thread = threading.Thread(target=start, args=([label],))
        CACHE["thread"] = thread
        thread.start()
        ready.wait()

    try:
        found = kept(hold)
        assert found.text() == f"{at('THREAD_LOCAL')} module variable THREAD_LOCAL -> thread-local value user -> Label"
    finally:
        end.set()
        thread = CACHE["thread"]
        assert isinstance(thread, threading.Thread)
        thread.join()


def test_weak_reference_with_a_callback() -> None:
    """The callback of a weak reference that somebody keeps."""

    def hold(label: Label) -> None:
        in_cache(weakref.ref(Page, lambda _: label))

    assert " -> callback of a weak reference -> closure of lambda (" in kept(hold).text()


def test_finalizer() -> None:
    """An entry in the registry of `weakref.finalize`, with its function."""

    def hold(label: Label) -> None:
        CACHE["finalizer"] = weakref.finalize(Page, identity, label)

    try:
        found = kept(hold)
    finally:
        finalizer = CACHE["finalizer"]
        assert isinstance(finalizer, weakref.finalize)
        finalizer.detach()
    assert f"weakref.finalize of identity ({HERE}:{identity.__code__.co_firstlineno}), argument 0" in found.text()


def test_context_of_contextvars() -> None:
    """A kept context, by the name of the variable in it."""

    def hold(label: Label) -> None:
        context = contextvars.Context()
        context.run(REQUEST.set, label)
        in_cache(context)

    assert kept(hold).text() == f"{START} -> contextvar request -> Label"


def test_token_of_contextvars() -> None:
    """A kept token keeps the value from before."""

    def hold(label: Label) -> None:
        def change() -> None:
            REQUEST.set(label)
            in_cache(REQUEST.set(None))
            REQUEST.set(None)

        contextvars.Context().run(change)

    assert " -> token of contextvar request -> " in kept(hold).text()


class Traits(HasTraits):
    name = Unicode()
    label = Instance(Label, allow_none=True)


def test_traits() -> None:
    """The value of a trait looks like the attribute that it is; observers are called so."""

    def observe(label: Label) -> None:
        traits = Traits()
        traits.observe(lambda _: label, "name")  # line: observer
        in_cache(traits)

    assert " -> Traits.label (" in kept(lambda label: in_cache(Traits(label=label))).text()
    found = kept(observe)
    assert " -> Traits, an observer of name (" in found.text()
    assert f" -> closure of lambda ({at('observer')}), variable label -> Label" in found.text()


def test_future_with_a_callback() -> None:
    """A kept future that is to call back."""

    async def run() -> Explanation:
        loop = asyncio.get_running_loop()

        def hold(label: Label) -> None:
            future: asyncio.Future[None] = loop.create_future()
            future.add_done_callback(lambda _: print(label))
            in_cache(future)

        return await asyncio.to_thread(kept, hold)

    assert " -> Future, a callback -> closure of lambda (" in asyncio.run(run()).text()


def test_ctypes_and_memoryview() -> None:
    """What C types show of what they keep is seen through."""

    class Array(bytearray):
        pass

    def hold(label: Label) -> None:
        array = Array(8)
        array.label = label  # type: ignore[attr-defined]
        in_cache(memoryview(array))

    def hold_object(label: Label) -> None:
        in_cache(ctypes.py_object(label))

    assert " -> memoryview -> managedbuffer -> Array.label" in kept(hold).text()
    assert kept(hold_object).text() == f"{START} -> py_object._objects -> Label"
