"""On which line a module's variables, its classes and their attributes are assigned.

Python notes no line for an assignment, so the source is read: each file once, and none that is so long that parsing it
would keep the other threads waiting.
"""

import ast
import functools
import os
import tokenize
from collections.abc import Iterable, Mapping

# The parser holds the GIL: 0.16 ms per KB on a laptop of 2024.
_LONGEST_SOURCE = 500_000
_FILES_REMEMBERED = 64


def line_of(file: str | None, name: str) -> int | None:
    """The first line that assigns *name* in that file, `None` where that can't be told.

    Args:
        file: The full path of a source file.
        name: `CACHE`, `Page`, `Page.instances` (an attribute of a class), `Page().items` (one of its instances), with
            `<locals>` for what is made in a function: the qualified name.
    """
    if not file or not file.endswith((".py", ".pyw")):
        return None
    try:
        stat = os.stat(file)  # noqa: PTH116 -- a Path would have to be made for each
        if stat.st_size > _LONGEST_SOURCE:
            return None
        return _lines(file, stat.st_mtime_ns).get(name)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@functools.lru_cache(maxsize=_FILES_REMEMBERED)
def _lines(file: str, _changed: int) -> Mapping[str, int]:
    with tokenize.open(file) as stream:
        tree = ast.parse(stream.read())
    found: dict[str, int] = {}
    late: dict[str, int] = {}
    _read(tree.body, "", found, late)
    return late | found


def _read(body: Iterable[ast.stmt], prefix: str, found: dict[str, int], late: dict[str, int]) -> None:
    """Note what the statements assign; what functions declare global counts only where nothing else assigns it."""
    for statement in body:
        for target in _targets(statement):
            found.setdefault(prefix + target, statement.lineno)
        match statement:
            case ast.ClassDef():
                _read(statement.body, f"{prefix}{statement.name}.", found, late)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                _read_function(statement, prefix, found, late)
            case _:
                for block in _blocks(statement):
                    _read(block, prefix, found, late)


def _read_function(
    function: ast.FunctionDef | ast.AsyncFunctionDef, prefix: str, found: dict[str, int], late: dict[str, int]
) -> None:
    inside: dict[str, int] = {}
    _read(function.body, f"{prefix}{function.name}.<locals>.", inside, late)
    found.update({name: line for name, line in inside.items() if name not in found})
    itself = function.args.args[0].arg if function.args.args and prefix.endswith(".") else None
    everywhere = list(ast.walk(function))
    shared = {name for node in everywhere if isinstance(node, ast.Global) for name in node.names}
    for node in everywhere:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) if name in shared:
                late.setdefault(name, node.lineno)
            case ast.Attribute(attr=name, ctx=ast.Store(), value=ast.Name(id=owner)) if owner == itself:
                found.setdefault(f"{prefix.removesuffix('.')}().{name}", node.lineno)


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    blocks: list[list[ast.stmt]] = []
    for _, value in ast.iter_fields(statement):
        if isinstance(value, list):
            blocks.append([item for item in value if isinstance(item, ast.stmt)])
            blocks += [item.body for item in value if isinstance(item, ast.ExceptHandler | ast.match_case)]
    return blocks


def _targets(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [(alias.asname or alias.name).partition(".")[0] for alias in names]
    parts = [value for _, value in ast.iter_fields(statement)]
    heads = [item for part in parts for item in (part if isinstance(part, list) else [part])]
    nodes = [node for head in heads if isinstance(head, ast.expr | ast.withitem) for node in ast.walk(head)]
    return [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
