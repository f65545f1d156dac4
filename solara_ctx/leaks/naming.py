"""From a path of objects to links in words: roots, containers, instances and classes.

What has code of its own, or belongs to asyncio, logging and their like, is named in `holders`.
"""

from collections import deque
from types import ModuleType
from typing import cast

from solara_ctx.leaks import holders, peek, running, source, wording
from solara_ctx.leaks.chain import Link, Path, Place, Step, attribute, element, link, place_of_attribute, place_of_class
from solara_ctx.leaks.roots import Roots

_TRAIT_VALUES = "_trait_values"
_TRAIT_NOTIFIERS = "_trait_notifiers"
# The values of a trait's observers: by name, by type of change, and then a list.
_NOTIFIER_DEPTH = 3


def links_of(path: Path, roots: Roots) -> list[Link]:
    """The links of a path, whose first object is a root where there is one."""
    links: list[Link] = []
    position = 0
    step = _root(path, roots)
    if step is not None:
        links.append(step.link)
        position = step.following
    while position < len(path) - 1:
        step = _step(path, position)
        links.append(step.link)
        position = step.following
    if position == len(path) - 1:
        links.append(target(path[-1]))
    return links


def target(thing: object) -> Link:
    where = place_of_class(type(thing))
    if peek.is_function(thing):
        where = Place(thing.__code__.co_filename, thing.__code__.co_firstlineno)
        return link(f"function {thing.__code__.co_name}{wording.at(where.file, where.line)}", "target", where)
    return link(peek.type_name(thing), "target", where)


def _root(path: Path, roots: Roots) -> Step | None:
    kind = roots.kind(path[0])
    if kind == "frame":
        return _running(path[0], roots)
    if kind == "signal":
        return Step(Link(text=f"handler of {roots.signal_name(path[0])}", kind="signal"), 0)
    if kind == "logger" and len(path) > 1:
        return _logger(path, roots)
    if len(path) == 1 and kind not in {"", "module"}:
        return Step(running.alone(path[0], kind), 1)
    return None


def _logger(path: Path, roots: Roots) -> Step | None:
    """A logger: one that a user's module has as a variable, with the line of that."""
    step = holders.step(path, 0)
    found = roots.variable_of(path[0])
    if step is None or found is None:
        return step
    where = Place(found[0], source.line_of(*found))
    text = f"{wording.place(where.file, where.line)} {step.link.text}"
    return Step(link(text, "logger", where), step.following)


def _running(thing: object, roots: Roots) -> Step | None:
    found = roots.running_with(thing)
    if found is None:
        return None
    text = f"thread {wording.data(found.thread)!r} running {found.function}{wording.at(found.file, found.line)}"
    if found.variable is not None:
        text += f", local variable {wording.name(found.variable)}"
    return Step(link(text, "frame", Place(found.file, found.line)), 0)


def _step(path: Path, position: int) -> Step:
    for name in (_module, _class, holders.step, _mapping, _items):
        step = name(path, position)
        if step is not None:
            return step
    return _instance(path, position)


def _module(path: Path, position: int) -> Step | None:
    thing = path[position]
    if peek.is_a(thing, ModuleType):
        variables = peek.instance_dict(thing)
        if path[position + 1] is variables and position + 2 < len(path):
            return _module(path, position + 1)
        name = "" if variables is None else peek.exact_str(dict.get(variables, "__name__")) or ""
        return Step(Link(text=f"module {name}", kind="module"), position + 1)
    if type(thing) is not dict or "__name__" not in thing or not ("__builtins__" in thing or "__spec__" in thing):
        return None
    key = peek.key_of(thing, path[position + 1])
    variable = None if key is None else peek.exact_str(key[0])
    if variable is None:
        return None
    file = peek.exact_str(dict.get(thing, "__file__"))
    line = source.line_of(file, variable)
    where = wording.place(file, line)
    module = peek.exact_str(dict.get(thing, "__name__")) or ""
    shown = wording.name(variable)
    text = f"{where} module variable {shown}" if where else f"module variable {module}.{shown}"
    return Step(link(text, "module", Place(file, line)), position + 1)


def _class(path: Path, position: int) -> Step | None:
    thing = path[position]
    if not peek.is_a(thing, type):
        return None
    name = wording.name(peek.class_name(thing))
    if position + 2 < len(path) and type(path[position + 1]) is dict:
        key = peek.key_of(cast("dict[object, object]", path[position + 1]), path[position + 2])
        found = None if key is None else peek.exact_str(key[0])
        if found is not None and found in peek.namespace(thing):
            where = place_of_attribute(thing, found)
            shown = wording.place(where.file, where.line)
            text = f"{shown} class attribute {name}.{wording.name(found)}".lstrip()
            return Step(link(text, "class", where), position + 2)
    where = place_of_class(thing)
    return Step(link(f"class {name}{wording.at(where.file, where.line)}", "class", where), position + 1)


def _mapping(path: Path, position: int) -> Step | None:
    thing = path[position]
    if not peek.is_a(thing, dict):
        return None
    value = path[position + 1]
    key = peek.key_of(thing, value)
    if key is not None:
        return Step(_of_users_class(thing, f"[{wording.key(key[0])}]", "item"), position + 1)
    if peek.has_key(thing, value):
        return Step(_of_users_class(thing, ", as a key", "item"), position + 1)
    return None


def _items(path: Path, position: int) -> Step | None:
    thing, value = path[position], path[position + 1]
    kind = type(thing)
    if not issubclass(kind, (tuple, list, deque, set, frozenset)):
        return None
    if peek.index_of(peek.items_of(thing), value) is None:
        return None
    if issubclass(kind, (set, frozenset)):
        return Step(_of_users_class(thing, "", "item"), position + 1)
    where, following = element(path, position)
    fields = peek.namespace(kind).get("_fields")
    if issubclass(kind, tuple) and type(fields) is tuple:
        number = peek.index_of(peek.items_of(thing), value)
        names = [peek.exact_str(name) for name in fields]
        if number is not None and number < len(names) and names[number] is not None:
            where = f".{names[number]}"
    return Step(_of_users_class(thing, where, "item"), following)


def _instance(path: Path, position: int) -> Step:
    thing = path[position]
    if path[position + 1] is type(thing):
        return Step(_of_users_class(thing, ", by its class", "object"), position + 1)
    found = attribute(path, position)
    if found is None:
        return Step(_of_users_class(thing, "", "object"), position + 1)
    name, following = found
    if name == _TRAIT_VALUES and following + 1 < len(path):
        return _trait(path, following, thing)
    if name == _TRAIT_NOTIFIERS and following + _NOTIFIER_DEPTH < len(path):
        return _observer(path, following, thing)
    return Step(_of_users_class(thing, f".{wording.name(name)}", "attribute", name), following)


def _trait(path: Path, position: int, owner: object) -> Step:
    """The value of a trait, as the attribute that it looks like."""
    values = path[position]
    key = peek.key_of(values, path[position + 1]) if peek.is_a(values, dict) else None
    name = "…" if key is None else peek.exact_str(key[0]) or "…"
    return Step(_of_users_class(owner, f".{wording.name(name)}", "attribute", name), position + 1)


def _observer(path: Path, position: int, owner: object) -> Step:
    names, kinds = path[position], path[position + 1]
    key = peek.key_of(names, kinds) if peek.is_a(names, dict) else None
    name = None if key is None else peek.exact_str(key[0])
    shown = ", an observer of everything" if name is None else f", an observer of {wording.name(name)}"
    return Step(_of_users_class(owner, shown, "observer"), position + _NOTIFIER_DEPTH)


def _of_users_class(thing: object, suffix: str, kind: str, name: str | None = None) -> Link:
    """A link of an object; where users have written its class, with the place."""
    where = place_of_class(type(thing), name)
    text = f"{wording.name(peek.type_name(thing))}{suffix}"
    if not wording.is_users(where.file):
        return Link(text=text, kind=kind)
    return link(f"{text}{wording.at(where.file, where.line)}", kind, where)
