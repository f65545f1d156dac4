"""What has come into a container last, in words.  Runs no user code: of objects of users it names the type."""

import functools
from collections import OrderedDict, deque
from pathlib import Path
from types import AsyncGeneratorType, CodeType, CoroutineType, FunctionType, GeneratorType, MethodType
from typing import cast

from solara_ctx.leaks.census import kind_of, name_of

_SHOWN_CHARACTERS = 12
_UNITS = ("bytes", "KB", "MB", "GB")
_STEP = 1000


def size(count: float) -> str:
    """A number of bytes for people."""
    number = 0
    while abs(count) >= _STEP and number < len(_UNITS) - 1:
        count /= _STEP
        number += 1
    return f"{count:.{1 if number else 0}f} {_UNITS[number]}"


def shown(value: object) -> str:
    """A value in a few words: its type, and how large it is where that is known without asking it."""
    # By identity: a set would ask the metaclass of the value's type for a hash.
    if type(value) is bytes or type(value) is bytearray:
        return f"{type(value).__name__} of {size(len(value))}"
    if type(value) is str:
        text = str.__repr__(value) if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]!r}…"
        return text if len(value) <= _STEP else f"str of {size(len(value))}"
    if value is None or type(value) is int or type(value) is float or type(value) is bool:
        return repr(value)
    name = name_of(type(value)).rpartition(".")[2]
    code = _code_of(value)
    if code is not None:
        return f"{name} {code.co_qualname} ({Path(code.co_filename).name}:{code.co_firstlineno})"
    kind = kind_of(value)
    return name if kind is None or type(value) is not kind.base else f"{name} of {kind.size(value)}"


def _code_of(value: object) -> CodeType | None:
    """The code of a function, a bound method, a partial, a generator or a coroutine."""
    if type(value) is functools.partial:
        value = value.func
    if type(value) is MethodType:
        value = value.__func__
    if type(value) is FunctionType:
        return value.__code__
    if type(value) is GeneratorType:
        return value.gi_code
    if type(value) is AsyncGeneratorType:
        return value.ag_code
    return value.cr_code if type(value) is CoroutineType else None


def in_container(container: object) -> str:
    """What was added last to a container, as far as its order tells; empty for one without an order."""
    try:
        # The methods of the bases: those of a subclass are user code.
        if issubclass(type(container), OrderedDict):
            key = next(OrderedDict.__reversed__(cast("OrderedDict[object, object]", container)))
            return f"[{shown(key)}]"
        if issubclass(type(container), dict):
            known = cast("dict[object, object]", container)
            key, value = next(reversed(dict.items(known)))
            return f"[{shown(key)}] -> {shown(value)}"
        if issubclass(type(container), list):
            known_list = cast("list[object]", container)
            return shown(list.__getitem__(known_list, -1))
        if issubclass(type(container), deque):
            return shown(deque.__getitem__(cast("deque[object]", container), -1))
    except (RuntimeError, IndexError, StopIteration):
        pass  # another thread changes it just now
    return ""
