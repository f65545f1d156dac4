"""The names of what runs or waits: frames, generators, coroutines, tasks, timers, threads, and their variables."""

import asyncio
import contextvars
import functools
import threading
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
)
from typing import cast

from solara_ctx.leaks import peek, wording
from solara_ctx.leaks.callables import code_of, name_of, place_of, title
from solara_ctx.leaks.chain import Link, Path, Place, Step, attribute, element, link, place_of_class
from solara_ctx.leaks.roots import is_pending, is_task

_SUSPENDED = {GeneratorType: "generator", CoroutineType: "coroutine", AsyncGeneratorType: "async generator"}
_PREFIXES = {GeneratorType: "gi", CoroutineType: "cr", AsyncGeneratorType: "ag"}


def alone(thing: object, kind: str) -> Link:
    """The link for a root that is itself what was asked for."""
    if kind == "task":
        return link(_task_title(thing), kind, _place_of_task(thing))
    if kind == "thread":
        return link(_thread_title(thing), kind, _place_of_thread(thing))
    return Link(text=f"{kind} {peek.type_name(thing)}" if kind in {"timer", "logger"} else kind, kind=kind)


def suspended(path: Path, position: int) -> Step:
    thing = path[position]
    what, prefix = _SUSPENDED[type(thing)], _PREFIXES[type(thing)]
    code = cast("CodeType", peek.read(thing, type(thing), f"{prefix}_code"))
    frame = peek.read(thing, type(thing), f"{prefix}_frame")
    if not peek.is_a(frame, FrameType):
        where = Place(code.co_filename, code.co_firstlineno)
        return Step(link(f"finished {what} {name_of(code)}", what, where), position + 1)
    if path[position + 1] is frame:
        position += 1
    text = f"{what} {name_of(code)} (waiting at {wording.place(code.co_filename, frame.f_lineno)})"
    variable, following = _variable(path, position, frame)
    return Step(link(f"{text}{variable}", what, Place(code.co_filename, frame.f_lineno)), following)


def frame(path: Path, position: int) -> Step:
    thing = cast("FrameType", path[position])
    code = thing.f_code
    where = Place(code.co_filename, thing.f_lineno)
    variable, following = _variable(path, position, thing)
    text = f"frame of {name_of(code)}{wording.at(where.file, where.line)}{variable}"
    return Step(link(text, "frame", where), following)


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


def task(path: Path, position: int) -> Step:
    thing, value = path[position], path[position + 1]
    coroutine = _coroutine_of(thing)
    where = _place_of_task(thing)
    if value is coroutine and type(coroutine) in _SUSPENDED and position + 2 < len(path):
        inner = suspended(path, position + 1)
        variable = inner.link.text.partition("), ")[2]
        text = f"{_task_title(thing)}, {variable}" if variable else _task_title(thing)
        return Step(link(text, "task", where), inner.following)
    suffix, following = _future_part(path, position)
    return Step(link(f"{_task_title(thing)}{suffix}", "task", where), following)


def future(path: Path, position: int) -> Step:
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
    running = f" of {name_of(code)}" if peek.is_a(code, CodeType) else ""
    where = _place_of_task(task)
    waits = f" (waiting at {wording.place(where.file, where.line)})" if where.file and state == "pending" else ""
    return f"{state} task {shown!r}{running}{waits}"


def _place_of_task(task: object) -> Place:
    """Where the innermost coroutine of the user's waits; the task's own if there is none."""
    coroutine = _coroutine_of(task)
    prefix = _PREFIXES.get(type(coroutine))
    if prefix is None:
        return Place()
    code = cast("CodeType", peek.read(coroutine, type(coroutine), f"{prefix}_code"))
    frame = peek.read(coroutine, type(coroutine), f"{prefix}_frame")
    return Place(code.co_filename, frame.f_lineno if peek.is_a(frame, FrameType) else code.co_firstlineno)


def handle(path: Path, position: int) -> Step:
    thing, value = path[position], path[position + 1]
    what = "timer of the event loop" if peek.is_a(thing, asyncio.TimerHandle) else "callback of the event loop"
    callback = peek.read(thing, asyncio.Handle, "_callback")
    where = place_of(callback)
    if value is peek.read(thing, asyncio.Handle, "_args") and position + 2 < len(path):
        number, following = element(path, position + 1)
        text = f"{what}: {title(callback)}, argument {number.strip('[]')}"
        return Step(link(text, "timer", where), following)
    if value is callback:
        return Step(link(what, "timer", where), position + 1)
    return Step(link(f"{what}: {title(callback)}", "timer", where), position + 1)


def thread(path: Path, position: int) -> Step:
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
        return Step(link(f"{text}, argument {shown}", "thread", _place_of_thread(thing)), following + 1)
    if name not in {"", "_target"}:
        text += f", attribute {wording.name(name)}"
    return Step(link(text, "thread", _place_of_thread(thing)), following)


def _thread_title(thread: object) -> str:
    name = wording.data(peek.exact_str(peek.field(thread, "_name")) or "")
    where = _place_of_thread(thread)
    code, method = code_of(peek.field(thread, "_target")), _own_run(thread)
    if code is not None:
        runs = f"target {name_of(code)}"
    else:
        runs = "" if method is None else f"method {peek.type_name(thread)}.run"
    inside = ", ".join(part for part in (runs, wording.place(where.file, where.line)) if part)
    return f"thread {name!r} ({inside})" if inside else f"thread {name!r}"


def _place_of_thread(thread: object) -> Place:
    code = code_of(peek.field(thread, "_target")) or _own_run(thread)
    return place_of_class(type(thread)) if code is None else Place(code.co_filename, code.co_firstlineno)


def _own_run(thread: object) -> CodeType | None:
    """The code of its `run`, if its class, or a class between that and `Thread`, has one of its own."""
    for kind in peek.mro(type(thread)):
        if kind is threading.Thread:
            break
        if (code := code_of(peek.namespace(kind).get("run"))) is not None:
            return code
    return None


def local(path: Path, position: int) -> Step | None:
    """A thread-local: the values of each thread lie in a dict of their own, in a dict by thread."""
    if position + 3 < len(path) and type(path[position + 1]) is dict and type(path[position + 2]) is dict:
        key = peek.key_of(path[position + 2], path[position + 3])  # type: ignore[arg-type]
        name = "…" if key is None else wording.name(peek.exact_str(key[0]) or "…")
        return Step(Link(text=f"thread-local value {name}", kind="thread-local"), position + 3)
    return None


def context(path: Path, position: int) -> Step:
    following = position + 1
    while following < len(path) - 1 and peek.type_name(path[following]).startswith("hamt"):
        following += 1
    thing = path[position]
    if type(thing) is contextvars.Context:
        for variable, value in contextvars.Context.items(thing):
            if value is path[following]:
                return Step(Link(text=f"contextvar {wording.name(variable.name)}", kind="contextvar"), following)
    return Step(Link(text="contextvars", kind="contextvar"), following)


def context_variable(path: Path, position: int) -> Step:
    thing = cast("contextvars.ContextVar[object]", path[position])
    return Step(Link(text=f"default of contextvar {wording.name(thing.name)}", kind="contextvar"), position + 1)


def token(path: Path, position: int) -> Step:
    thing = cast("contextvars.Token[object]", path[position])
    return Step(Link(text=f"token of contextvar {wording.name(thing.var.name)}", kind="contextvar"), position + 1)
