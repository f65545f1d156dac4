"""Looking at objects without running anything that belongs to them.

No `getattr`, `isinstance`, `repr`, `hash` or `==` here: each of them may run code of the object's class, on the wrong
thread and in the wrong kernel.  Descriptors written in C are asked instead, and identity.
"""

import gc
import sys
from collections import deque
from collections.abc import Iterable
from types import (
    FrameType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import TypeGuard, TypeVar

_T = TypeVar("_T")

CO_OPTIMIZED = 0x1
_MANY_TRIES = 4


def is_a(thing: object, kind: type[_T]) -> TypeGuard[_T]:
    """`isinstance` by the real type: a `__class__` property has no say."""
    return issubclass(type(thing), kind)


def mro(kind: type) -> tuple[type, ...]:
    order: tuple[type, ...] | None = type.__dict__["__mro__"].__get__(kind)
    return order or ()


def namespace(kind: type) -> MappingProxyType[str, object]:
    """What the class itself defines."""
    found: MappingProxyType[str, object] = type.__dict__["__dict__"].__get__(kind)
    return found


def type_name(thing: object) -> str:
    return class_name(type(thing))


def class_name(kind: type) -> str:
    return exact_str(type.__dict__["__name__"].__get__(kind)) or "object"


def qualified_name(kind: type) -> str:
    return exact_str(type.__dict__["__qualname__"].__get__(kind)) or "object"


def module_namespace(name: str | None) -> dict[object, object] | None:
    """The variables of an imported module."""
    module = None if name is None else sys.modules.get(name)
    return instance_dict(module) if is_a(module, ModuleType) else None


def is_function(thing: object) -> TypeGuard[FunctionType]:
    return type(thing) is FunctionType


def exact_str(thing: object) -> str | None:
    """The string, if it is one whose methods are Python's own."""
    return thing if type(thing) is str else None


def read(thing: object, owner: type, name: str) -> object:
    """What C code keeps in *thing* under *name*; *owner* is the builtin class that *thing* derives from."""
    try:
        return owner.__dict__[name].__get__(thing)
    except (AttributeError, KeyError):
        return None


def instance_dict(thing: object) -> dict[object, object] | None:
    """The `__dict__` of an instance."""
    for kind in mro(type(thing)):
        descriptor = namespace(kind).get("__dict__")
        if is_a(descriptor, GetSetDescriptorType) or is_a(descriptor, MemberDescriptorType):
            try:
                found = descriptor.__get__(thing)
            except (AttributeError, TypeError):
                continue
            return found if is_a(found, dict) else None
    return None


def field(thing: object, name: str) -> object:
    """An attribute from the instance's `__dict__`, `None` where there is none."""
    attributes = instance_dict(thing)
    return None if attributes is None else dict.get(attributes, name)


def key_of(mapping: dict[object, object], value: object) -> tuple[object] | None:
    """Under which key *value* lies there, in a tuple; `None` if it does not, or the dict never rests."""
    for attempt in range(_MANY_TRIES):
        try:
            # At last from a list.  Not even that is made at one go: up to Python 3.11 the collector may run meanwhile.
            items = dict.items(mapping)
            for key, candidate in items if attempt < _MANY_TRIES - 1 else list(items):
                if candidate is value:
                    return (key,)
        except RuntimeError:  # another thread has changed it meanwhile
            continue
        return None
    return None


def has_key(mapping: dict[object, object], wanted: object) -> bool:
    """Whether *wanted* itself is a key there."""
    return index_of(list(dict.keys(mapping)), wanted) is not None


def index_of(items: Iterable[object], wanted: object) -> int | None:
    """At which place *wanted* itself stands; the items have to be of a builtin container."""
    try:
        for number, item in enumerate(items):
            if item is wanted:
                return number
    except RuntimeError:  # another thread has changed it meanwhile
        return None
    return None


def referents(thing: object) -> list[object]:
    """What the object refers to.

    Of a module only its variables: `_asyncio` of Python 3.12 shows its free list of dead iterators, too, and whoever
    takes a reference to one of them frees it twice.  From then on every collection hangs, holding the GIL.
    """
    if is_a(thing, ModuleType):
        return [instance_dict(thing)]
    return gc.get_referents(thing)


def items_of(thing: object) -> Iterable[object]:
    """What a builtin container, or an object derived from one, has in it."""
    for kind in (tuple, list, deque, set, frozenset):
        if issubclass(type(thing), kind):
            found: Iterable[object] = kind.__iter__(thing)  # type: ignore[arg-type]
            return found
    return ()


def slot_of(thing: object, value: object) -> str | None:
    """The name of the slot, or of the member of a C type, that holds *value*."""
    for kind in mro(type(thing)):
        for name, descriptor in list(namespace(kind).items()):
            if type(descriptor) is not MemberDescriptorType or type(name) is not str:
                continue
            try:
                found = descriptor.__get__(thing)
            except (AttributeError, TypeError, SystemError):
                continue
            if found is value:
                return name.removeprefix(f"_{class_name(kind)}") if name.startswith(f"_{class_name(kind)}__") else name
    return None


def attribute_of(thing: object, value: object) -> str | None:
    """The name of the attribute of *thing* that is *value*, looked up where instances keep theirs."""
    attributes = instance_dict(thing)
    if attributes is not None:
        key = key_of(attributes, value)
        if key is not None:
            return exact_str(key[0])
    return slot_of(thing, value)


def locals_of(frame: FrameType) -> list[tuple[str, object]]:
    """The local variables of a frame of any thread; leaves nothing in the frame.

    Before Python 3.13 `f_locals` puts a copy of them into the frame, where it stays: a variable that the function
    sets to `None` later would live on in there.  So the copy is emptied, unless somebody else uses it (`locals()`),
    or a trace function written in Python runs, after which the copy is written back into the variables.
    """
    if not frame.f_code.co_flags & CO_OPTIMIZED:
        return []  # the body of a module or class: its variables are a namespace, which holds them in sight
    copied = frame.f_locals
    if not is_a(copied, dict):
        return list(copied.items())
    found = list(copied.items())
    # Three: the frame's own, the variable here, and the argument of getrefcount.
    if sys.getrefcount(copied) <= 3 and not _is_traced(frame):  # noqa: PLR2004
        code = frame.f_code
        for name in (*code.co_varnames, *code.co_cellvars, *code.co_freevars):
            copied.pop(name, None)
    return found


def _is_traced(frame: FrameType) -> bool:
    functions = (frame.f_trace, sys.gettrace(), sys.getprofile())
    return any(type(function) in {FunctionType, MethodType} for function in functions)
