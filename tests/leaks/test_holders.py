"""The names of errors, log records, loggers and finalizers, link by link."""

import contextvars
import functools
import gc
import logging
import weakref
from collections.abc import Callable
from types import CellType, TracebackType
from typing import Any, cast

import pytest

from solara_ctx.leaks import holders
from tests.support.chains import Label, line_of, told

HERE = "tests/leaks/test_holders.py"


def line(marker: str) -> int:
    return line_of(__file__, marker)


def raised(act: Callable[[], object]) -> tuple[Exception, TracebackType]:
    """What *act* raises, with its traceback from this function on."""
    with pytest.raises((ValueError, KeyError)) as caught:
        act()
    trace = caught.value.__traceback__
    assert trace is not None
    return caught.value, trace


def act() -> None:
    raise ValueError  # line: raised


def handle() -> None:
    try:
        act()
    except ValueError as error:
        raise KeyError from error


def fail_while_handling() -> None:
    try:
        act()
    except ValueError:
        raise KeyError  # noqa: B904 - which is what is to be seen


def test_what_is_no_holder_of_these_kinds_is_left_to_others() -> None:
    """Containers and instances are named elsewhere."""
    assert holders.step(([1], 1), 0) is None
    assert holders.step((Label(), 1), 0) is None


def test_an_error_is_named_by_where_it_was_raised() -> None:
    """At the innermost line; its traceback is no link of its own."""
    error, trace = raised(act)
    assert trace.tb_next is not None
    frame = trace.tb_next.tb_frame
    text = f"ValueError raised at {HERE}:{line('raised')}"
    assert told(error, trace, trace.tb_next, frame, frame.f_globals) == (text, frame)
    assert told(error, trace, trace.tb_frame) == (text, trace.tb_frame)


def test_the_error_before_is_told_as_a_cause_or_as_what_was_handled() -> None:
    """`raise ... from` is a cause; any other error that was raised meanwhile is not."""
    error, _ = raised(handle)
    assert told(error, error.__cause__)[0].endswith(", its cause")
    error, _ = raised(fail_while_handling)
    assert told(error, error.__context__)[0].endswith(", raised while handling")


def test_an_error_keeps_arguments_and_attributes() -> None:
    """What is neither, is kept by the error somehow."""
    label = Label()
    error = ValueError(1, label)
    error.label = label  # type: ignore[attr-defined]
    assert told(error, error.args, label) == ("ValueError, args[1]", label)
    assert told(error, vars(error), label) == ("ValueError, attribute label", label)
    other = Label()
    assert told(error, other) == ("ValueError", other)


def test_a_traceback_is_one_link() -> None:
    """However many functions it goes through."""
    _, trace = raised(act)
    assert trace.tb_next is not None
    frame = trace.tb_next.tb_frame
    assert told(trace, trace.tb_next, frame, frame.f_globals) == ("traceback", frame)
    assert told(trace, trace.tb_frame) == ("traceback", trace.tb_frame)


def test_a_log_record_is_named_by_logger_and_line() -> None:
    """With the argument that it keeps, the error that it tells of, or what a filter has set on it."""
    label = Label()
    error = ValueError(label)
    record = logging.LogRecord(
        "app", logging.INFO, __file__, 12, "%s %s", (1, label), (ValueError, error, error.__traceback__)
    )
    record.user = label
    start = f"log record of 'app' ({HERE}:12)"
    assert told(record, vars(record), record.args, label) == (f"{start}, args[1]", label)
    assert told(record, vars(record), record.exc_info, error) == (f"{start}, exc_info[1]", error)
    assert told(record, vars(record), label) == (f"{start}, user", label)
    users = (label,)
    record.users = users
    assert told(record, vars(record), users, label) == (f"{start}, users", users)
    other = Label()
    assert told(record, other) == (start, other)


def test_a_logger_is_named_with_what_it_has() -> None:
    """A handler or a filter by number, anything else by the attribute."""
    logger, handler = logging.getLogger("tests.holders.shop"), logging.NullHandler()
    logger.addHandler(handler)
    logger.addFilter(handler)
    handlers, filters, name = logger.handlers, logger.filters, "logger 'tests.holders.shop'"
    try:
        assert told(logger, vars(logger), handlers, handler) == (f"{name}, handlers[0]", handler)
        assert told(logger, vars(logger), filters, handler) == (f"{name}, filters[0]", handler)
        assert told(logger, vars(logger), logger.parent) == (f"{name}, parent", logger.parent)
        assert told(logger, vars(logger), logger.parent, handler) == (f"{name}, parent", logger.parent)
        assert told(logger, handler) == (name, handler)
    finally:
        logger.removeHandler(handler)
        logger.removeFilter(handler)


def test_a_finalizer_is_named_by_its_function() -> None:
    """With which argument keeps the object, where that has a number."""
    owner, label = Label(), Label()
    finalizer = weakref.finalize(owner, cast("Any", act), label, key=label)
    try:
        entry = vars(weakref.finalize)["_registry"][finalizer]
        start = f"weakref.finalize of act ({HERE}:{act.__code__.co_firstlineno})"
        assert told(entry, entry.args, label) == (f"{start}, argument 0", label)
        assert told(entry, entry.kwargs, label) == (f"{start}, an argument", label)
        assert told(entry, act, label) == (start, act)
    finally:
        finalizer.detach()


def test_the_inside_of_a_context_is_one_link() -> None:
    """The tree in which a context keeps its variables is nobody's business."""
    variable: contextvars.ContextVar[object] = contextvars.ContextVar("page")
    context, label = contextvars.Context(), Label()
    context.run(variable.set, label)
    (tree,) = (part for part in gc.get_referents(context) if type(part).__name__ == "hamt")
    assert told(context, tree, label) == ("contextvar page", label)
    assert told(tree, label) == ("contextvars", label)


def test_a_chain_may_end_anywhere() -> None:
    """What should be gone may be a traceback, the arguments of an error, or a list of handlers itself."""
    label = Label()
    error, trace = raised(act)
    error.args = (label,)
    record = logging.LogRecord("app", logging.INFO, __file__, 12, "%s", (label,), None)
    logger = logging.getLogger("tests.holders.shop")
    finalizer = weakref.finalize(label, cast("Any", act), 1, key=2)
    entry = vars(weakref.finalize)["_registry"][finalizer]
    finalizer.detach()
    for path in (
        (error, trace, trace.tb_next),
        (trace, trace.tb_next),
        (error, error.args, label),
        (record, vars(record), record.args, label),
        (logger, vars(logger), logger.handlers),
        (entry, entry.args, 1),
        (entry, entry.kwargs, 2),
    ):
        for length in range(2, len(path) + 1):
            text, following = told(*path[:length])
            assert text
            assert any(following is each for each in path[1:length])


def test_small_holders_are_named_by_what_they_are() -> None:
    """The callback of a weak reference, and the variable of a closure."""
    label = Label()
    callback = functools.partial(print, label)
    assert told(weakref.ref(label, callback), callback) == ("callback of a weak reference", callback)
    assert told(CellType(label), label) == ("variable of a closure", label)
