"""The names of what runs or waits, link by link."""

import asyncio
import contextvars
import functools
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from types import CellType, GeneratorType
from typing import Any, cast

import pytest

from solara_ctx.leaks import holders, running
from solara_ctx.leaks.chain import Place
from tests.support.chains import Label, line_of, told

HERE = "tests/leaks/test_running.py"
PYTHONS_TASK: Any = vars(asyncio.tasks)["_PyTask"]
PYTHONS_FUTURE: Any = vars(asyncio.futures)["_PyFuture"]


def line(marker: str) -> int:
    return line_of(__file__, marker)


def at(marker: str) -> str:
    return f"{HERE}:{line(marker)}"


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that does not run: what waits on it stays as it is."""
    loop = asyncio.new_event_loop()
    yield loop
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))
    loop.close()


def numbers(label: Label) -> Generator[object, None, None]:  # line: numbers
    yield 1  # line: waits
    assert label is not None


def of_a_closure(label: Label) -> Generator[object, None, None]:
    yield lambda: label  # line: shares


def begun(make: Callable[[Label], Generator[object, None, None]], label: Label) -> "GeneratorType[object, None, None]":
    generator = make(label)
    next(generator)
    assert isinstance(generator, GeneratorType)
    return generator


async def poll(label: Label) -> None:  # line: poll
    await asyncio.sleep(0)  # line: polls
    assert label is not None


def test_a_suspended_generator_is_named_by_where_it_waits() -> None:
    """And by the variable that holds the object, one that an inner function shares included."""
    label = Label()
    generator = begun(numbers, label)
    waiting = f"generator numbers (waiting at {at('waits')})"
    assert told(generator, label) == (f"{waiting}, local variable label", label)
    assert told(generator, generator.gi_frame, label) == (f"{waiting}, local variable label", label)
    assert told(generator, Label(), label)[0] == waiting
    sharing, cell = begun(of_a_closure, label), CellType(label)
    text = f"generator of_a_closure (waiting at {at('shares')}), local variable label"
    assert told(sharing, cell, label) == (text, label)


def test_a_finished_generator_is_named_by_its_function() -> None:
    """It waits nowhere any more."""
    label = Label()
    generator = begun(numbers, label)
    assert list(generator) == []
    assert told(generator, label) == ("finished generator numbers", label)
    step = holders.step((generator, label), 0)
    assert step is not None
    assert (step.link.file, step.link.line) == (__file__, line("numbers"))


def test_a_frame_holds_its_variables_and_who_called_it() -> None:
    """Nothing is said of what it holds otherwise."""
    label = Label()
    generator = begun(numbers, label)
    frame = generator.gi_frame
    text = f"frame of numbers ({at('waits')})"
    assert told(frame, label) == (f"{text}, local variable label", label)
    assert told(frame, globals()) == (text, globals())

    def called() -> tuple[str, object]:
        own = sys._getframe()
        return told(own, own.f_back)

    assert called()[0].endswith(", which was called by")


def test_a_task_is_named_by_state_name_and_line(loop: asyncio.AbstractEventLoop) -> None:
    """A variable of its coroutine is said to be the task's, and so is a context or a callback that it has."""
    label = Label()
    task = loop.create_task(poll(label), name="poller")
    coroutine = task.get_coro()
    context = contextvars.copy_context()
    start = f"pending task 'poller' of poll (waiting at {at('poll')})"
    assert told(task, coroutine, label) == (f"{start}, local variable label", label)
    assert told(task, coroutine, Label())[0] == start
    assert told(task, context, label) == (f"{start}, its context", context)
    assert told(task, coroutine) == (start, coroutine)
    callback = functools.partial(print, label)
    assert told(task, [(callback, context)], (callback, context), callback) == (f"{start}, a callback", callback)
    loop.run_until_complete(task)
    assert told(task, label) == ("finished task 'poller' of poll, its result", label)


def test_a_task_written_in_python_is_named_alike(loop: asyncio.AbstractEventLoop) -> None:
    """As the debug tools of asyncio make them."""
    label = Label()
    task = PYTHONS_TASK(poll(label), loop=loop, name="poller")
    start = f"pending task 'poller' of poll (waiting at {at('poll')})"
    assert told(task, task.get_coro(), label) == (f"{start}, local variable label", label)
    assert running.alone(task, "task").text == start
    assert running.alone(task, "task").line == line("poll")


def test_a_task_of_a_foreign_coroutine_has_no_place(loop: asyncio.AbstractEventLoop) -> None:
    """Compiled code makes coroutines of its own, of which no line is known."""

    class Compiled:
        """A coroutine that is none of Python's."""

        def send(self, _value: object) -> None:
            raise StopIteration

        def throw(self, *error: object) -> None:
            raise StopIteration

        def close(self) -> None:
            """Do nothing."""

        def __await__(self) -> Iterator[None]:
            return iter([])

    task = loop.create_task(cast("Any", Compiled()), name="compiled")
    link = running.alone(task, "task")
    assert (link.text, link.file, link.line) == ("pending task 'compiled'", None, None)
    coroutine = task.get_coro()
    assert told(task, coroutine, link) == ("pending task 'compiled'", coroutine)


def test_a_root_that_is_the_target_itself_is_named_once() -> None:
    """By thread, timer, logger or whatever else it is."""
    thread = threading.Thread(target=numbers, name="reader")
    link = running.alone(thread, "thread")
    assert (link.text, link.line) == (f"thread 'reader' (target numbers, {at('numbers')})", line("numbers"))
    assert running.alone(Label(), "timer").text == "timer Label"
    assert running.alone(Label(), "class").text == "class"


@pytest.mark.parametrize("native", [True, False], ids=["C", "Python"])
def test_a_future_has_a_result_an_error_or_callbacks(loop: asyncio.AbstractEventLoop, native: bool) -> None:
    """Written in C or in Python."""
    future = loop.create_future() if native else PYTHONS_FUTURE(loop=loop)
    name = type(future).__name__
    label, error, context = Label(), ValueError(), contextvars.copy_context()
    assert told(future, error) == (f"{name}, its exception", error)
    assert told(future, context) == (f"{name}, its context", context)
    assert told(future, [(told, context)], (told, context), told) == (f"{name}, a callback", told)
    assert told(future, [label], label)[0] == f"{name}, its result"


def test_a_timer_is_named_by_what_it_calls(loop: asyncio.AbstractEventLoop) -> None:
    """With the argument that it keeps; a callback of the loop is no timer."""
    label = Label()
    timer, callback = loop.call_later(1000, told, 1, label), loop.call_soon(told, label)
    calls = f"told (tests/support/chains.py:{told.__code__.co_firstlineno})"
    assert told(timer, timer._args, label) == (f"timer of the event loop: {calls}, argument 1", label)
    assert told(timer, told, label) == ("timer of the event loop", told)
    assert told(callback, callback._args, label) == (f"callback of the event loop: {calls}, argument 0", label)
    context = contextvars.copy_context()
    assert told(callback, context, label) == (f"callback of the event loop: {calls}", context)
    for handle in (timer, callback):
        handle.cancel()


def test_a_thread_is_named_by_its_target_and_the_argument_that_it_keeps() -> None:
    """By position or by name; or by the attribute, and the `run` that its class overrides."""

    class Reader(threading.Thread):
        """A thread with a run of its own."""

        def run(self) -> None:  # line: Reader.run
            """Do nothing."""

    label = Label()
    thread = threading.Thread(target=numbers, name="reader", args=(1, label), kwargs={"page": label})
    fields = vars(thread)
    start = f"thread 'reader' (target numbers, {at('numbers')})"
    assert told(thread, fields, fields["_args"], label) == (f"{start}, argument 1", label)
    assert told(thread, fields, fields["_kwargs"], label) == (f"{start}, argument page", label)
    assert told(thread, fields, fields["_kwargs"], Label())[0] == f"{start}, argument "
    assert told(thread, fields, numbers) == (start, numbers)
    assert told(thread, label) == (start, label)
    reader = Reader(name="reader")
    reader.label = label  # type: ignore[attr-defined]
    assert told(reader, vars(reader), label)[0].endswith(f"(method Reader.run, {at('Reader.run')}), attribute label")
    kept = reader.kept = (label,)  # type: ignore[attr-defined]
    text, following = told(reader, vars(reader), kept, label)
    assert text.endswith(", attribute kept")
    assert following is kept


def test_a_value_of_a_thread_local_is_named_by_its_attribute() -> None:
    """A path that does not lead over the values of a thread is no business of these names."""
    local, label, values = threading.local(), Label(), {"user": 1}
    values["page"] = cast("Any", label)
    assert told(local, {1: values}, values, label) == ("thread-local value page", label)
    assert told(local, {1: values}, values, Label())[0] == "thread-local value …"
    assert holders.step((local, label), 0) is None
    assert holders.step((local, {1: values}, values), 0) is None
    assert holders.step((local, [values], values, label), 0) is None
    assert holders.step((local, {1: [label]}, [label], label), 0) is None


def test_a_chain_may_end_anywhere(loop: asyncio.AbstractEventLoop) -> None:
    """What should be gone may be a cell, the arguments of a thread or a list of callbacks itself."""
    label, context = Label(), contextvars.copy_context()
    generator, thread = begun(numbers, label), threading.Thread(target=numbers, args=(label,), kwargs={"page": label})
    timer = loop.call_later(1000, told, label)
    callbacks = [(told, context)]
    for path in (
        (generator, CellType(label), label),
        (thread, vars(thread), vars(thread)["_args"], label),
        (thread, vars(thread), vars(thread)["_kwargs"], label),
        (timer, timer._args, label),
        (loop.create_future(), callbacks, callbacks[0], told),
    ):
        for length in range(2, len(path) + 1):
            text, following = told(*path[:length])
            assert text
            assert any(following is each for each in path[1:length])
    timer.cancel()


def test_context_variables_are_named() -> None:
    """The value in a context, a default, and what a token keeps; of two variables the one that it is."""
    first: contextvars.ContextVar[object] = contextvars.ContextVar("first")
    second: contextvars.ContextVar[object] = contextvars.ContextVar("second")
    label, context = Label(), contextvars.Context()
    context.run(first.set, 1)
    token = context.run(second.set, label)
    assert told(context, label) == ("contextvar second", label)
    assert told(context, Label())[0] == "contextvars"
    assert told(first, label) == ("default of contextvar first", label)
    assert told(token, label) == ("token of contextvar second", label)


def test_what_is_never_started_has_no_line() -> None:
    """A thread without a target, of a class of Python's own."""
    link = running.alone(threading.Thread(name="idle"), "thread")
    assert link.text.startswith("thread 'idle' (")
    assert Place(link.file, link.line) == Place(threading.__file__, None)
