"""The parts of an explanation: links in words, made from a path of objects step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

from solara_ctx.leaks import peek, source, wording

Path = Sequence[object]
"""Objects, each of which refers to the next; the last one is the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One holder on the way, and where in it the next one is."""

    text: str
    """In words, with the place in short."""
    kind: str
    """What it is, in one word: `module`, `closure`, `frame`, ... and `target` for the last one."""
    file: str | None = None
    """The full path of the source file that tells most about it."""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A link, and at which object of the path the next one begins."""

    link: Link
    following: int


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere in a source file, as far as it is known."""

    file: str | None = None
    line: int | None = None


def link(text: str, kind: str, where: Place) -> Link:
    return Link(text=text, kind=kind, file=where.file, line=where.line)


def place_of_class(kind: type, attribute: str | None = None) -> Place:
    """Where a class is defined, or where its instances get that attribute; of a library's class the file only."""
    for owner in peek.mro(kind) if attribute is not None else ():
        file = _file_of_class(owner)
        if wording.is_users(file):
            line = source.line_of(file, f"{peek.qualified_name(owner)}().{attribute}")
            if line is not None:
                return Place(file, line)
    file = _file_of_class(kind)
    if not wording.is_users(file):
        return Place(file)
    return Place(file, source.line_of(file, peek.qualified_name(kind)))


def place_of_attribute(kind: type, attribute: str) -> Place:
    """Where a class gets an attribute of its own; if that can't be told, where it is defined."""
    file = _file_of_class(kind)
    name = peek.qualified_name(kind)
    return Place(file, source.line_of(file, f"{name}.{attribute}") or source.line_of(file, name))


def _file_of_class(kind: type) -> str | None:
    own = peek.namespace(kind)
    variables = peek.module_namespace(peek.exact_str(own.get("__module__")))
    if variables is not None:
        return peek.exact_str(dict.get(variables, "__file__"))
    # The module was run without being imported: its functions know where they come from.
    return next((member.__code__.co_filename for member in own.values() if peek.is_function(member)), None)


def attribute(path: Path, position: int) -> tuple[str, int] | None:
    """By which attribute the object at *position* refers to the next one, and where the path goes on after it."""
    thing, value = path[position], path[position + 1]
    attributes = peek.instance_dict(thing)
    if attributes is not None and value is attributes and position + 2 < len(path):
        key = peek.key_of(attributes, path[position + 2])
        if key is not None and type(key[0]) is str:
            return key[0], position + 2
    name = peek.attribute_of(thing, value)
    return None if name is None else (name, position + 1)


def element(path: Path, position: int) -> tuple[str, int]:
    """Where in a tuple, list or deque the next object is: `[3]`, or nothing if it has moved."""
    items = path[position]
    number = peek.index_of(peek.items_of(items), path[position + 1])
    return ("" if number is None else f"[{number}]"), position + 1
