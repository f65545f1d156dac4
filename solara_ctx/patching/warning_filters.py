"""`warnings`: filters, what shows a warning, and which were shown, per kernel.

Before Python 3.14 they belong to the process, so that two `warnings.catch_warnings()` that overlap in two threads leave
the wrong filters behind, for good.
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from types import FrameType, ModuleType
from typing import Any

from solara_ctx.patching.per_kernel import belonging
from solara_ctx.patching.stack import Patch

_CPYTHON = "CPython 3.11 to 3.13"


class Filters(list[Any]):
    """One kernel's filters.  Never changed but at its end: catch_warnings() keeps those that it found."""


class KernelWarnings:
    """What one kernel has set.  What it has not set is the process's, as that is at the time."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {"onceregistry": {}}
        self.registries: dict[str, dict[Any, Any]] = {}
        """Which warnings were shown, by the module that they are about."""

    def sever(self) -> None:
        """Hold nothing of what was set."""
        attributes, self.attributes, self.registries = self.attributes, {}, {}
        # The interpreter keeps the list that it has looked at last, until the next warning of the process.
        attributes.get("filters", []).clear()


def _per_kernel(name: str) -> property:
    def get(module: ModuleType) -> Any:
        own = belonging(KernelWarnings)
        if own is not None and name in own.attributes:
            return own.attributes[name]
        try:
            return vars(module)[name]
        except KeyError:
            raise AttributeError(f"module 'warnings' has no attribute {name!r}") from None

    def put(module: ModuleType, value: Any) -> None:
        own = belonging(KernelWarnings)
        if own is None:
            vars(module)[name] = value
        elif value is vars(module).get(name):
            # As the outermost catch_warnings() does at its end.
            own.attributes.pop(name, None)
        else:
            own.attributes[name] = Filters(value) if name == "filters" else value

    return property(get, put)


class WarningsModule(ModuleType):
    """The class of the module `warnings`.  The interpreter's own code, too, asks the module for these attributes."""

    filters = _per_kernel("filters")
    showwarning = _per_kernel("showwarning")
    _showwarnmsg_impl = _per_kernel("_showwarnmsg_impl")
    onceregistry = _per_kernel("onceregistry")


def patches() -> Sequence[Patch]:
    """The patches of `warnings`, in the order in which they are applied."""
    return (
        Patch(
            target=warnings,
            attribute="__class__",
            make=lambda _: WarningsModule,
            why="filters are an attribute of the module, which catch_warnings() saves and puts back",
            upstream=_CPYTHON,
        ),
        Patch(
            target=warnings,
            attribute="_add_filter",
            make=_add_filter,
            why="it changes the process's list in place",
            upstream=_CPYTHON,
        ),
        Patch(
            target=warnings,
            attribute="resetwarnings",
            make=_resetwarnings,
            why="it empties the process's list in place",
            upstream=_CPYTHON,
        ),
        Patch(
            target=warnings,
            attribute="_showwarnmsg",
            make=_showwarnmsg,
            why="it looks for showwarning among the globals of its module, not at its attributes",
            upstream=_CPYTHON,
        ),
        Patch(
            target=warnings,
            attribute="warn",
            make=_warn,
            why="which warnings were shown is noted in the module that they are about, for all kernels",
            upstream=_CPYTHON,
        ),
    )


def _filters_mutated() -> None:
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _add_filter(original: Callable[..., None]) -> Callable[..., None]:
    def _add_filter(*item: Any, append: bool) -> None:
        own = belonging(KernelWarnings)
        if own is None:
            original(*item, append=append)
            return
        others = [other for other in warnings.filters if other != item]
        if not append:
            own.attributes["filters"] = Filters([item, *others])
        elif len(others) == len(warnings.filters):
            own.attributes["filters"] = Filters([*others, item])
        _filters_mutated()

    return _add_filter


def _resetwarnings(original: Callable[[], None]) -> Callable[[], None]:
    @wraps(original)
    def resetwarnings() -> None:
        own = belonging(KernelWarnings)
        if own is None:
            original()
        else:
            own.attributes["filters"] = Filters()
            _filters_mutated()

    return resetwarnings


def _showwarnmsg(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def _showwarnmsg(message: Any) -> None:
        if belonging(KernelWarnings) is None:
            original(message)
        elif warnings.showwarning is warnings._showwarning_orig:  # type: ignore[attr-defined]
            warnings._showwarnmsg_impl(message)  # type: ignore[attr-defined]
        else:
            warnings.showwarning(
                message.message, message.category, message.filename, message.lineno, message.file, message.line
            )

    return _showwarnmsg


def _warn(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def warn(message: Any, category: Any = None, stacklevel: int = 1, source: Any = None, **options: Any) -> None:
        own = belonging(KernelWarnings)
        place = None if own is None or options.get("skip_file_prefixes") else _place(sys._getframe(1), stacklevel)
        if own is None or place is None:
            # There is one frame more, ours. Upstream counts from the second one on where prefixes are given.
            original(message, category, max(stacklevel, 2 if options else 1) + 1, source, **options)
            return
        if isinstance(message, Warning):
            category = type(message)
        elif category is None:
            category = UserWarning
        elif not (isinstance(category, type) and issubclass(category, Warning)):
            raise TypeError(f"category must be a Warning subclass, not '{type(category).__name__}'")
        *_, module = place
        warnings.warn_explicit(message, category, *place, own.registries.setdefault(module, {}), source=source)

    return warn


def _place(frame: FrameType | None, stacklevel: int) -> tuple[str, int, str] | None:
    """The file, line and module that a warning is about; `None` where there are not so many frames."""
    internal = frame is not None and _is_of_the_import_system(frame)
    while stacklevel > 1 and frame is not None:
        frame = frame.f_back
        while frame is not None and not internal and _is_of_the_import_system(frame):
            frame = frame.f_back
        stacklevel -= 1
    if frame is None:
        return None
    return frame.f_code.co_filename, frame.f_lineno, str(frame.f_globals.get("__name__", "<string>"))


def _is_of_the_import_system(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return "importlib" in name and "_bootstrap" in name
