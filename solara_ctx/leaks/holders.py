"""Who names which holder; and the names of errors, log records and what belongs to weak references."""

import asyncio
import contextvars
import functools
import logging
import threading
import weakref
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    TracebackType,
)

from solara_ctx.leaks import callables, peek, running, wording
from solara_ctx.leaks.chain import Link, Path, Place, Step, attribute, element, link

_FINALIZER: type = vars(weakref.finalize)["_Info"]


def step(path: Path, position: int) -> Step | None:
    """The link for an object of one of these kinds; `None` for any other."""
    thing = path[position]
    exact = _BY_TYPE.get(type(thing))
    if exact is not None:
        return exact(path, position)
    for kind, name in _BY_BASE:
        if issubclass(type(thing), kind):
            return name(path, position)
    if peek.type_name(thing) == "hamt":
        return running.context(path, position)
    return None


def _exception(path: Path, position: int) -> Step | None:
    thing, value = path[position], path[position + 1]
    trace = peek.read(thing, BaseException, "__traceback__")
    where = Place()
    last = trace
    while peek.is_a(last, TracebackType):
        where = Place(last.tb_frame.f_code.co_filename, last.tb_lineno)
        last = last.tb_next
    text = peek.type_name(thing) + (f" raised at {wording.place(where.file, where.line)}" if where.file else "")
    following = position + 1
    if value is trace:
        while following < len(path) - 1 and type(path[following]) is TracebackType:
            following += 1
    elif value is peek.read(thing, BaseException, "args") and position + 2 < len(path):
        number, following = element(path, position + 1)
        text += f", args{number}"
    elif value is peek.read(thing, BaseException, "__cause__"):
        text += ", its cause"
    elif value is peek.read(thing, BaseException, "__context__"):
        text += ", raised while handling"
    else:
        found = attribute(path, position)
        if found is not None:
            text, following = f"{text}, attribute {wording.name(found[0])}", found[1]
    return Step(link(text, "exception", where), following)


def _traceback(path: Path, position: int) -> Step | None:
    following = position
    while following < len(path) - 1 and type(path[following]) is TracebackType:
        following += 1
    return Step(Link(text="traceback", kind="traceback"), following)


def _log_record(path: Path, position: int) -> Step | None:
    thing = path[position]
    logger = wording.data(peek.exact_str(peek.field(thing, "name")) or "")
    line = peek.field(thing, "lineno")
    where = Place(peek.exact_str(peek.field(thing, "pathname")), line if type(line) is int else None)
    text = f"log record of {logger!r}{wording.at(where.file, where.line)}"
    found = attribute(path, position)
    if found is None:
        return Step(link(text, "log record", where), position + 1)
    name, following = found
    text += f", {wording.name(name)}"
    if name in {"args", "exc_info"} and following + 1 < len(path) and type(path[following]) is tuple:
        number, following = element(path, following)
        text += number
    return Step(link(text, "log record", where), following)


def _logger(path: Path, position: int) -> Step | None:
    thing = path[position]
    text = f"logger {wording.data(peek.exact_str(peek.field(thing, 'name')) or '')!r}"
    found = attribute(path, position)
    if found is None:
        return Step(Link(text=text, kind="logger"), position + 1)
    name, following = found
    text += f", {wording.name(name)}"
    if name in {"handlers", "filters"} and following + 1 < len(path):
        number, following = element(path, following)
        text += number
    return Step(Link(text=text, kind="logger"), following)


def _finalizer(path: Path, position: int) -> Step | None:
    """An entry of `weakref.finalize`: function and arguments are kept until its object is gone."""
    thing = path[position]
    function = peek.read(thing, _FINALIZER, "func")
    where = callables.place_of(function)
    text = f"weakref.finalize of {callables.title(function)}"
    following = position + 1
    if path[following] is peek.read(thing, _FINALIZER, "args") and following + 1 < len(path):
        number, following = element(path, following)
        text += f", argument {number.strip('[]')}"
    elif path[following] is peek.read(thing, _FINALIZER, "kwargs") and following + 1 < len(path):
        following += 1
        text += ", an argument"
    return Step(link(text, "weakref", where), following)


def _weak_reference(_path: Path, position: int) -> Step | None:
    return Step(Link(text="callback of a weak reference", kind="weakref"), position + 1)


def _cell(_path: Path, position: int) -> Step | None:
    return Step(Link(text="variable of a closure", kind="cell"), position + 1)


_BY_TYPE = {
    FunctionType: callables.function,
    MethodType: callables.method,
    BuiltinFunctionType: callables.builtin,
    GeneratorType: running.suspended,
    CoroutineType: running.suspended,
    AsyncGeneratorType: running.suspended,
    FrameType: running.frame,
    TracebackType: _traceback,
    CellType: _cell,
    contextvars.Context: running.context,
    contextvars.ContextVar: running.context_variable,
    contextvars.Token: running.token,
    callables.LRU_CACHE: callables.lru_cache,
    _FINALIZER: _finalizer,
}
_BY_BASE = (
    (functools.partial, callables.partial),
    (BaseException, _exception),
    (threading.Thread, running.thread),
    (threading.local, running.local),
    (asyncio.Task, running.task),
    (vars(asyncio.tasks)["_PyTask"], running.task),
    (asyncio.Future, running.future),
    (vars(asyncio.futures)["_PyFuture"], running.future),
    (asyncio.Handle, running.handle),
    (logging.LogRecord, _log_record),
    (logging.Logger, _logger),
    (weakref.ReferenceType, _weak_reference),
)
