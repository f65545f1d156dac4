"""The names of holders that have code, or that stand for it: functions, frames, tasks, threads, caches, log records."""

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
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    TracebackType,
)

from solara_ctx.leaks import peek, wording
from solara_ctx.leaks.chain import Link, Path, Place, Step, attribute, element, place_of_class
from solara_ctx.leaks.roots import is_pending, is_task

_LRU_CACHE: type = type(functools.lru_cache(int))
_FINALIZER: type = vars(weakref.finalize)["_Info"]
_SUSPENDED = {GeneratorType: "generator", CoroutineType: "coroutine", AsyncGeneratorType: "async generator"}
_PREFIXES = {GeneratorType: "gi", CoroutineType: "cr", AsyncGeneratorType: "ag"}


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
        return _in_context(path, position, "contextvars")
    return None


def alone(thing: object, kind: str) -> Link:
    """The link for a root that is itself what was asked for."""
    if kind == "task":
        return _link(_task_title(thing), kind, _place_of_task(thing))
    if kind == "thread":
        return _link(_thread_title(thing), kind, _place_of_thread(thing))
    return Link(text=f"{kind} {peek.type_name(thing)}" if kind in {"timer", "logger"} else kind, kind=kind)


# Functions


def code_of(thing: object) -> CodeType | None:
    """The code that a callable runs, as far as it is Python's."""
    for _ in range(10):
        if peek.is_a(thing, functools.partial):
            thing = peek.read(thing, functools.partial, "func")
        elif type(thing) is MethodType:
            thing = thing.__func__
        elif type(thing) is _LRU_CACHE:
            thing = peek.field(thing, "__wrapped__")
        else:
            break
    return thing.__code__ if peek.is_function(thing) else None


def title(thing: object) -> str:
    """`on_click (myapp.py:31)` for what runs code, the type of anything else."""
    code = code_of(thing)
    if code is not None:
        return f"{_name_of(code)}{wording.at(code.co_filename, code.co_firstlineno)}"
    if type(thing) is BuiltinFunctionType:
        return thing.__name__
    return peek.class_name(thing) if peek.is_a(thing, type) else peek.type_name(thing)


def place_of(thing: object) -> Place:
    code = code_of(thing)
    return Place() if code is None else Place(code.co_filename, code.co_firstlineno)


def _name_of(code: CodeType) -> str:
    return "lambda" if code.co_name == "<lambda>" else code.co_name


def _function(path: Path, position: int) -> Step | None:
    thing = path[position]
    if not peek.is_function(thing):
        return None
    value = path[position + 1]
    shown, where = title(thing), place_of(thing)
    ahead = path[position + 2] if position + 2 < len(path) else None
    if value is thing.__closure__ and type(ahead) is CellType:
        number = peek.index_of(thing.__closure__ or (), ahead)
        names = thing.__code__.co_freevars
        variable = f", variable {wording.name(names[number])}" if number is not None and number < len(names) else ""
        following = min(position + 3, len(path) - 1)
        return Step(_link(f"closure of {shown}{variable}", "closure", where), following)
    if value is thing.__defaults__ and ahead is not None:
        number = peek.index_of(thing.__defaults__ or (), ahead)
        code = thing.__code__
        names = code.co_varnames[: code.co_argcount][-len(thing.__defaults__ or ()) :]
        argument = f" {names[number]}" if number is not None and number < len(names) else ""
        return Step(_link(f"default argument{argument} of {shown}", "default", where), position + 2)
    if value is thing.__kwdefaults__ and peek.is_a(value, dict) and ahead is not None:
        key = peek.key_of(value, ahead)
        argument = "" if key is None else f" {wording.name(peek.exact_str(key[0]) or '')}"
        return Step(_link(f"default argument{argument} of {shown}", "default", where), position + 2)
    if value is thing.__globals__:
        return Step(_link(f"the globals of {shown}", "function", where), position + 1)
    found = attribute(path, position)
    name, following = ("", position + 1) if found is None else found
    return Step(_link(f"function {shown}{'.' if name else ''}{wording.name(name)}", "function", where), following)


def _method(path: Path, position: int) -> Step | None:
    thing = path[position]
    if type(thing) is not MethodType:
        return None
    code = code_of(thing)
    name = title(thing.__func__) if code is None else _name_of(code)
    owner = peek.class_name(thing.__self__) if peek.is_a(thing.__self__, type) else peek.type_name(thing.__self__)
    where = place_of(thing)
    return Step(
        _link(f"bound method {owner}.{name}{wording.at(where.file, where.line)}", "method", where), position + 1
    )


def _builtin(path: Path, position: int) -> Step | None:
    thing = path[position]
    if type(thing) is not BuiltinFunctionType:
        return None
    return Step(Link(text=f"method {thing.__name__} of {peek.type_name(thing.__self__)}", kind="method"), position + 1)


def _partial(path: Path, position: int) -> Step | None:
    thing, value = path[position], path[position + 1]
    function = peek.read(thing, functools.partial, "func")
    where = place_of(function)
    following = position + 1
    suffix = ""
    if position + 2 < len(path) and value is peek.read(thing, functools.partial, "args"):
        number, following = element(path, position + 1)
        suffix = f", argument {number.strip('[]')}"
    elif position + 2 < len(path) and value is peek.read(thing, functools.partial, "keywords"):
        key = peek.key_of(value, path[position + 2]) if peek.is_a(value, dict) else None
        suffix = "" if key is None else f", argument {wording.name(peek.exact_str(key[0]) or '…')}"
        following = position + 2
    return Step(_link(f"partial of {title(function)}{suffix}", "partial", where), following)


def _lru_cache(path: Path, position: int) -> Step | None:
    thing, value = path[position], path[position + 1]
    wrapped = peek.field(thing, "__wrapped__")
    where = place_of(wrapped)
    found = attribute(path, position)
    if found is not None and found[0] == "__wrapped__":
        return Step(_link(f"lru_cache of {title(wrapped)}", "cache", where), found[1])
    info: object = vars(_LRU_CACHE)["cache_info"](thing)
    size = tuple.__getitem__(info, 2) if peek.is_a(info, tuple) else None
    text = f"lru_cache of {title(wrapped)}, maxsize={size}"
    following = position + 1
    if type(value) is dict and position + 2 < len(path):
        following += 1
    if type(path[following]) is tuple and following + 1 < len(path):
        text += ", arguments of a call"
        following += 1
    return Step(_link(text, "cache", where), following)


# What runs, and what waits


def _suspended(path: Path, position: int) -> Step | None:
    thing = path[position]
    what, prefix = _SUSPENDED[type(thing)], _PREFIXES[type(thing)]
    code = peek.read(thing, type(thing), f"{prefix}_code")
    frame = peek.read(thing, type(thing), f"{prefix}_frame")
    if not peek.is_a(code, CodeType):
        return None
    if not peek.is_a(frame, FrameType):
        where = Place(code.co_filename, code.co_firstlineno)
        return Step(_link(f"finished {what} {_name_of(code)}", what, where), position + 1)
    if path[position + 1] is frame:
        position += 1
    text = f"{what} {_name_of(code)} (waiting at {wording.place(code.co_filename, frame.f_lineno)})"
    variable, following = _variable(path, position, frame)
    return Step(_link(f"{text}{variable}", what, Place(code.co_filename, frame.f_lineno)), following)


def _frame(path: Path, position: int) -> Step | None:
    thing = path[position]
    if not peek.is_a(thing, FrameType):
        return None
    code = thing.f_code
    where = Place(code.co_filename, thing.f_lineno)
    variable, following = _variable(path, position, thing)
    text = f"frame of {_name_of(code)}{wording.at(where.file, where.line)}{variable}"
    return Step(_link(text, "frame", where), following)


def _variable(path: Path, position: int, frame: FrameType) -> tuple[str, int]:
    """Which variable of the frame the next object is, in words, and where the path goes on behind it."""
    value, following = path[position + 1], position + 1
    if type(value) is CellType and position + 2 < len(path):
        value, following = path[position + 2], position + 2
    for name, candidate in peek.locals_of(frame):
        if candidate is value:
            return f", local variable {wording.name(name)}", following
    if value is frame.f_back:
        return ", which was called by", following
    return "", following


def _task(path: Path, position: int) -> Step | None:
    thing, value = path[position], path[position + 1]
    coroutine = _coroutine_of(thing)
    where = _place_of_task(thing)
    if value is coroutine and type(coroutine) in _SUSPENDED and position + 2 < len(path):
        inner = _suspended(path, position + 1)
        if inner is not None:
            variable = inner.link.text.partition("), ")[2]
            text = f"{_task_title(thing)}, {variable}" if variable else _task_title(thing)
            return Step(_link(text, "task", where), inner.following)
    suffix, following = _future_part(path, position)
    return Step(_link(f"{_task_title(thing)}{suffix}", "task", where), following)


def _future(path: Path, position: int) -> Step | None:
    suffix, following = _future_part(path, position)
    return Step(Link(text=f"{peek.type_name(path[position])}{suffix}", kind="future"), following)


def _future_part(path: Path, position: int) -> tuple[str, int]:
    """What of a future the next object is."""
    value = path[position + 1]
    if peek.is_a(value, BaseException):
        return ", its exception", position + 1
    if type(value) is contextvars.Context:
        return ", its context", position + 1
    following = position + 1
    while following + 1 < len(path) and type(path[following]) in {list, tuple}:
        following += 1
    if callable_without_asking(path[following]):
        return ", a callback", following
    return ", its result" if not is_task(path[position]) or not is_pending(path[position]) else "", position + 1


def callable_without_asking(thing: object) -> bool:
    return type(thing) in {FunctionType, MethodType, BuiltinFunctionType} or peek.is_a(thing, functools.partial)


def _coroutine_of(task: object) -> object:
    if peek.is_a(task, asyncio.Task):
        return asyncio.Task.get_coro(task)
    return peek.field(task, "_coro")


def _task_title(task: object) -> str:
    name = asyncio.Task.get_name(task) if peek.is_a(task, asyncio.Task) else peek.field(task, "_name")
    shown = wording.data(peek.exact_str(name) or "")
    state = "pending" if is_pending(task) else "finished"
    coroutine = _coroutine_of(task)
    prefix = _PREFIXES.get(type(coroutine), "cr")
    code = peek.read(coroutine, type(coroutine), f"{prefix}_code")
    running = f" of {_name_of(code)}" if peek.is_a(code, CodeType) else ""
    where = _place_of_task(task)
    waits = f" (waiting at {wording.place(where.file, where.line)})" if where.file and state == "pending" else ""
    return f"{state} task {shown!r}{running}{waits}"


def _place_of_task(task: object) -> Place:
    """Where the innermost coroutine of the user's waits; the task's own if there is none."""
    coroutine = _coroutine_of(task)
    prefix = _PREFIXES.get(type(coroutine))
    if prefix is None:
        return Place()
    code = peek.read(coroutine, type(coroutine), f"{prefix}_code")
    frame = peek.read(coroutine, type(coroutine), f"{prefix}_frame")
    if not peek.is_a(code, CodeType):
        return Place()
    return Place(code.co_filename, frame.f_lineno if peek.is_a(frame, FrameType) else code.co_firstlineno)


def _handle(path: Path, position: int) -> Step | None:
    thing, value = path[position], path[position + 1]
    what = "timer of the event loop" if peek.is_a(thing, asyncio.TimerHandle) else "callback of the event loop"
    callback = peek.read(thing, asyncio.Handle, "_callback")
    where = place_of(callback)
    if value is peek.read(thing, asyncio.Handle, "_args") and position + 2 < len(path):
        number, following = element(path, position + 1)
        text = f"{what}: {title(callback)}, argument {number.strip('[]')}"
        return Step(_link(text, "timer", where), following)
    if value is callback:
        return Step(_link(what, "timer", where), position + 1)
    return Step(_link(f"{what}: {title(callback)}", "timer", where), position + 1)


def _thread(path: Path, position: int) -> Step | None:
    thing = path[position]
    found = attribute(path, position)
    name, following = ("", position + 1) if found is None else found
    text = _thread_title(thing)
    if name in {"_args", "_kwargs"} and following + 1 < len(path):
        arguments = path[following]
        if peek.is_a(arguments, dict):
            key = peek.key_of(arguments, path[following + 1])
            shown = "" if key is None else wording.name(peek.exact_str(key[0]) or "")
        else:
            shown = element(path, following)[0].strip("[]")
        return Step(_link(f"{text}, argument {shown}", "thread", _place_of_thread(thing)), following + 1)
    if name not in {"", "_target"}:
        text += f", attribute {wording.name(name)}"
    return Step(_link(text, "thread", _place_of_thread(thing)), following)


def _thread_title(thread: object) -> str:
    name = wording.data(peek.exact_str(peek.field(thread, "_name")) or "")
    where = _place_of_thread(thread)
    code = code_of(peek.field(thread, "_target"))
    runs = "" if code is None else f"target {_name_of(code)}"
    inside = ", ".join(part for part in (runs, wording.place(where.file, where.line)) if part)
    return f"thread {name!r} ({inside})" if inside else f"thread {name!r}"


def _place_of_thread(thread: object) -> Place:
    code = code_of(peek.field(thread, "_target"))
    return place_of_class(type(thread)) if code is None else Place(code.co_filename, code.co_firstlineno)


def _local(path: Path, position: int) -> Step | None:
    """A thread-local: the values of each thread lie in a dict of their own, in a dict by thread."""
    if position + 3 < len(path) and type(path[position + 1]) is dict and type(path[position + 2]) is dict:
        key = peek.key_of(path[position + 2], path[position + 3])  # type: ignore[arg-type]
        name = "…" if key is None else wording.name(peek.exact_str(key[0]) or "…")
        return Step(Link(text=f"thread-local value {name}", kind="thread-local"), position + 3)
    return None


def _context(path: Path, position: int) -> Step | None:
    return _in_context(path, position, "contextvars")


def _in_context(path: Path, position: int, what: str) -> Step:
    following = position + 1
    while following < len(path) - 1 and peek.type_name(path[following]).startswith("hamt"):
        following += 1
    thing = path[position]
    if type(thing) is contextvars.Context:
        for variable, value in contextvars.Context.items(thing):
            if value is path[following]:
                return Step(Link(text=f"contextvar {wording.name(variable.name)}", kind="contextvar"), following)
    return Step(Link(text=what, kind="contextvar"), following)


def _context_variable(path: Path, position: int) -> Step | None:
    thing = path[position]
    name = thing.name if type(thing) is contextvars.ContextVar else ""
    return Step(Link(text=f"default of contextvar {wording.name(name)}", kind="contextvar"), position + 1)


def _token(path: Path, position: int) -> Step | None:
    thing = path[position]
    name = thing.var.name if type(thing) is contextvars.Token else ""
    return Step(Link(text=f"token of contextvar {wording.name(name)}", kind="contextvar"), position + 1)


# Errors, logs, weak references


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
    return Step(_link(text, "exception", where), following)


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
        return Step(_link(text, "log record", where), position + 1)
    name, following = found
    text += f", {wording.name(name)}"
    if name in {"args", "exc_info"} and following + 1 < len(path) and type(path[following]) is tuple:
        number, following = element(path, following)
        text += number
    return Step(_link(text, "log record", where), following)


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
    where = place_of(function)
    text = f"weakref.finalize of {title(function)}"
    following = position + 1
    if path[following] is peek.read(thing, _FINALIZER, "args") and following + 1 < len(path):
        number, following = element(path, following)
        text += f", argument {number.strip('[]')}"
    elif path[following] is peek.read(thing, _FINALIZER, "kwargs") and following + 1 < len(path):
        following += 1
        text += ", an argument"
    return Step(_link(text, "weakref", where), following)


def _weak_reference(_path: Path, position: int) -> Step | None:
    return Step(Link(text="callback of a weak reference", kind="weakref"), position + 1)


def _cell(_path: Path, position: int) -> Step | None:
    return Step(Link(text="variable of a closure", kind="cell"), position + 1)


def _link(text: str, kind: str, where: Place) -> Link:
    return Link(text=text, kind=kind, file=where.file, line=where.line)


_BY_TYPE = {
    FunctionType: _function,
    MethodType: _method,
    BuiltinFunctionType: _builtin,
    GeneratorType: _suspended,
    CoroutineType: _suspended,
    AsyncGeneratorType: _suspended,
    FrameType: _frame,
    TracebackType: _traceback,
    CellType: _cell,
    contextvars.Context: _context,
    contextvars.ContextVar: _context_variable,
    contextvars.Token: _token,
    _LRU_CACHE: _lru_cache,
    _FINALIZER: _finalizer,
}
_BY_BASE = (
    (functools.partial, _partial),
    (BaseException, _exception),
    (threading.Thread, _thread),
    (threading.local, _local),
    (asyncio.Task, _task),
    (vars(asyncio.tasks)["_PyTask"], _task),
    (asyncio.Future, _future),
    (vars(asyncio.futures)["_PyFuture"], _future),
    (asyncio.Handle, _handle),
    (logging.LogRecord, _log_record),
    (logging.Logger, _logger),
    (weakref.ReferenceType, _weak_reference),
)
