"""The names of what can be called: functions and their closures, methods, partials, caches."""

import functools
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType
from typing import cast

from solara_ctx.leaks import peek, wording
from solara_ctx.leaks.chain import Link, Path, Place, Step, attribute, element, link

LRU_CACHE: type = type(functools.lru_cache(int))


def code_of(thing: object) -> CodeType | None:
    """The code that a callable runs, as far as it is Python's."""
    for _ in range(10):
        if peek.is_a(thing, functools.partial):
            thing = peek.read(thing, functools.partial, "func")
        elif type(thing) is MethodType:
            thing = thing.__func__
        elif type(thing) is LRU_CACHE:
            thing = peek.field(thing, "__wrapped__")
        else:
            break
    return thing.__code__ if peek.is_function(thing) else None


def title(thing: object) -> str:
    """`on_click (myapp.py:31)` for what runs code, the type of anything else."""
    code = code_of(thing)
    if code is not None:
        return f"{name_of(code)}{wording.at(code.co_filename, code.co_firstlineno)}"
    if type(thing) is BuiltinFunctionType:
        return thing.__name__
    return peek.class_name(thing) if peek.is_a(thing, type) else peek.type_name(thing)


def place_of(thing: object) -> Place:
    code = code_of(thing)
    return Place() if code is None else Place(code.co_filename, code.co_firstlineno)


def name_of(code: CodeType) -> str:
    return "lambda" if code.co_name == "<lambda>" else code.co_name


def function(path: Path, position: int) -> Step:
    thing = cast("FunctionType", path[position])
    value = path[position + 1]
    shown, where = title(thing), place_of(thing)
    ahead = path[position + 2] if position + 2 < len(path) else None
    if value is thing.__closure__ and type(ahead) is CellType:
        number = peek.index_of(thing.__closure__ or (), ahead)
        names = thing.__code__.co_freevars
        variable = f", variable {wording.name(names[number])}" if number is not None and number < len(names) else ""
        following = min(position + 3, len(path) - 1)
        return Step(link(f"closure of {shown}{variable}", "closure", where), following)
    if value is thing.__defaults__ and ahead is not None:
        number = peek.index_of(thing.__defaults__ or (), ahead)
        code = thing.__code__
        names = code.co_varnames[: code.co_argcount][-len(thing.__defaults__ or ()) :]
        argument = f" {names[number]}" if number is not None and number < len(names) else ""
        return Step(link(f"default argument{argument} of {shown}", "default", where), position + 2)
    if value is thing.__kwdefaults__ and peek.is_a(value, dict) and ahead is not None:
        key = peek.key_of(value, ahead)
        argument = "" if key is None else f" {wording.name(peek.exact_str(key[0]) or '')}"
        return Step(link(f"default argument{argument} of {shown}", "default", where), position + 2)
    if value is thing.__globals__:
        return Step(link(f"the globals of {shown}", "function", where), position + 1)
    found = attribute(path, position)
    name, following = ("", position + 1) if found is None else found
    return Step(link(f"function {shown}{'.' if name else ''}{wording.name(name)}", "function", where), following)


def method(path: Path, position: int) -> Step:
    thing = cast("MethodType", path[position])
    code = code_of(thing)
    name = title(thing.__func__) if code is None else name_of(code)
    owner = peek.class_name(thing.__self__) if peek.is_a(thing.__self__, type) else peek.type_name(thing.__self__)
    where = place_of(thing)
    return Step(link(f"bound method {owner}.{name}{wording.at(where.file, where.line)}", "method", where), position + 1)


def builtin(path: Path, position: int) -> Step:
    thing = cast("BuiltinFunctionType", path[position])
    return Step(Link(text=f"method {thing.__name__} of {peek.type_name(thing.__self__)}", kind="method"), position + 1)


def partial(path: Path, position: int) -> Step:
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
    return Step(link(f"partial of {title(function)}{suffix}", "partial", where), following)


def lru_cache(path: Path, position: int) -> Step:
    thing, value = path[position], path[position + 1]
    wrapped = peek.field(thing, "__wrapped__")
    where = place_of(wrapped)
    found = attribute(path, position)
    if found is not None and found[0] == "__wrapped__":
        return Step(link(f"lru_cache of {title(wrapped)}", "cache", where), found[1])
    info: object = vars(LRU_CACHE)["cache_info"](thing)
    size = tuple.__getitem__(info, 2) if peek.is_a(info, tuple) else None
    text = f"lru_cache of {title(wrapped)}, maxsize={size}"
    following = position + 1
    if type(value) is dict and position + 2 < len(path):
        following += 1
    if type(path[following]) is tuple and following + 1 < len(path):
        text += ", arguments of a call"
        following += 1
    return Step(link(text, "cache", where), following)
