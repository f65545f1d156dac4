"""A kept traceback keeps nothing, and what waits goes on waiting."""

import asyncio
import contextlib
import sys
import weakref
from collections.abc import AsyncIterator, Generator, Iterator

from solara_ctx.frames import FrameSweeper, _job, begin_job, end_job, note


class Thing:
    """Something to be kept."""


def failing(thing: Thing) -> None:
    raise LookupError


def caught(thing: Thing) -> LookupError:
    try:
        failing(thing)
    except LookupError as error:
        return error
    raise AssertionError


def test_finished_frames_let_go() -> None:
    """The locals of the functions that an error came through, and of those that called them, are gone."""
    sweeper = FrameSweeper()

    def calling() -> tuple["weakref.ref[Thing]", LookupError]:
        thing = Thing()
        error = caught(thing)
        sweeper.note(error)
        return weakref.ref(thing), error

    reference, error = calling()
    assert reference() is not None
    sweeper.sweep()
    assert reference() is None
    assert error.__traceback__ is not None


def test_a_look_at_the_locals_keeps_nothing() -> None:
    """A snapshot of the locals that a traceback formatter has taken is emptied, too."""
    sweeper = FrameSweeper()

    def calling() -> tuple["weakref.ref[Thing]", LookupError]:
        thing = Thing()
        error = caught(thing)
        trace = error.__traceback__
        while trace is not None:
            assert trace.tb_frame.f_locals
            trace = trace.tb_next
        sweeper.note(error)
        return weakref.ref(thing), error

    reference, _error = calling()
    sweeper.sweep()
    assert reference() is None


def test_what_still_runs_is_left_until_it_has_ended() -> None:
    """A function that goes on after it has caught the error keeps its locals for as long."""
    sweeper = FrameSweeper()

    def calling() -> str:
        thing = "mine"
        sweeper.note(caught(Thing()))
        sweeper.sweep()
        return thing

    assert calling() == "mine"


def test_causes_and_contexts_are_swept_too() -> None:
    """An error that was raised while another one was handled brings that one's frames along, even in a circle."""
    sweeper = FrameSweeper()
    first, second = caught(thing := Thing()), caught(thing)
    reference = weakref.ref(thing)
    del thing
    first.__cause__, second.__context__ = second, first
    sweeper.note(first)
    sweeper.sweep()
    assert reference() is None


def test_only_the_latest_errors_are_kept() -> None:
    """A sweeper does not grow with the number of errors."""
    sweeper = FrameSweeper()
    for _ in range(100):
        sweeper.note(caught(Thing()))  # this very function runs on, so each of them has to wait
    assert len(sweeper._errors) == 8
    sweeper.sever()
    assert not sweeper._errors


def note_in(sweeper: FrameSweeper) -> LookupError:
    error = caught(Thing())
    sweeper.note(error)
    return error


def test_a_waiting_generator_is_not_ended() -> None:
    """A generator that had an error and yields is not closed under its owner."""
    sweeper = FrameSweeper()

    def generator() -> Generator[str, None, None]:
        thing = "mine"
        yield note_in(sweeper).__class__.__name__
        yield thing

    generated = generator()
    assert next(generated) == "LookupError"
    sweeper.sweep()
    assert next(generated) == "mine"
    generated.close()
    sweeper.sever()


def test_a_waiting_context_manager_is_not_ended() -> None:
    """Nor is one made of a generator, which an error was thrown into."""
    sweeper = FrameSweeper()

    @contextlib.contextmanager
    def managed() -> Iterator[str]:
        thing = "mine"
        try:
            yield thing
        except LookupError as error:
            sweeper.note(error)
            sweeper.sweep()
            assert thing == "mine"

    with managed():
        failing(Thing())
    sweeper.sweep()


def test_a_waiting_coroutine_is_not_ended() -> None:
    """A task that had an error and awaits goes on, and so does an async generator."""
    sweeper = FrameSweeper()

    async def inner() -> AsyncIterator[str]:
        thing = "mine"
        note_in(sweeper)
        yield thing
        await asyncio.sleep(0)
        yield thing

    async def outer() -> str:
        thing = "mine"
        note_in(sweeper)
        async for item in inner():
            await asyncio.sleep(0)
            assert item == "mine"
        return thing

    async def main() -> str:
        task = asyncio.create_task(outer())
        while not task.done():
            sweeper.sweep()
            await asyncio.sleep(0)
        return await task

    assert asyncio.run(main()) == "mine"


def test_a_finished_coroutine_lets_go() -> None:
    """The locals of a coroutine that has ended are gone as well."""
    sweeper = FrameSweeper()

    async def failed() -> tuple["weakref.ref[Thing]", LookupError]:
        thing = Thing()
        try:
            failing(thing)
        except LookupError as error:
            sweeper.note(error)
            return weakref.ref(thing), error
        raise AssertionError

    reference, _error = asyncio.run(failed())
    sweeper.sweep()
    assert reference() is None


def test_a_job_clears_at_its_end_what_it_has_noted() -> None:
    """The frames that led to an error and were still running, without anybody's asking for it."""

    def job() -> tuple["weakref.ref[Thing]", LookupError]:
        thing = Thing()
        error = caught(thing)
        assert note(error) == []
        return weakref.ref(thing), error

    begin_job()
    reference, _error = job()
    assert reference() is not None
    end_job()
    assert reference() is None


def test_a_job_does_not_pile_up_frames() -> None:
    """One that notes error after error keeps those frames only that still run."""
    begin_job()
    note(caught(Thing()))
    running = len(_job.running or ())
    for _ in range(100):
        note(caught(Thing()))
    assert len(_job.running or ()) == running
    end_job()
    assert _job.running is None


def test_outside_a_job_the_caller_is_told_what_runs() -> None:
    """And nothing is kept here."""
    running = note(caught(Thing()))
    assert sys._getframe() in running
    assert _job.running is None


def test_errors_in_a_group_let_go() -> None:
    """Each of them has frames of its own."""
    error = caught(thing := Thing())
    reference = weakref.ref(thing)
    del thing
    note(ExceptionGroup("several", [ValueError(), error]))
    assert reference() is None


def test_an_attribute_error_lets_go_of_its_object() -> None:
    """Python keeps what had no such attribute, to suggest another one; the error says the same afterwards."""

    def missing() -> tuple["weakref.ref[Thing]", AttributeError]:
        thing = Thing()
        try:
            thing.missing  # type: ignore[attr-defined]  # noqa: B018
        except AttributeError as error:
            return weakref.ref(thing), error
        raise AssertionError

    reference, error = missing()
    assert reference() is not None
    note(error)
    assert reference() is None
    assert str(error) == "'Thing' object has no attribute 'missing'"


def test_a_severed_sweeper_keeps_nothing() -> None:
    """What comes after the end of its kernel is cleared as far as it has ended, and forgotten."""
    sweeper = FrameSweeper()
    sweeper.sever()
    sweeper.note(caught(Thing()))
    assert not sweeper._errors
