"""anywidget: what it keeps of widgets for ever, and makes anew for each."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from traitlets import TraitType

from solara_ctx.patching.stack import Patch

_UPSTREAM = "anywidget 0.11"
_PROGRAM = ("_esm", "_css")
_ADDED = frozenset({*_PROGRAM, "_anywidget_id"})
_MADE = "_solara_ctx_with_program"


def patches(module: ModuleType) -> Sequence[Patch]:
    """The patches of anywidget's base class."""
    return (
        Patch(
            target=module.AnyWidget,
            attribute="__init__",
            make=_init,
            why="the file that a class has its program from keeps each widget, to tell it of changes, for ever",
            upstream=_UPSTREAM,
        ),
        Patch(
            target=module.AnyWidget,
            attribute="add_traits",
            make=_add_traits,
            why="each widget gets a class of its own, which only a garbage collection frees",
            upstream=_UPSTREAM,
        ),
    )


def _init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, *args: object, **options: object) -> None:  # noqa: N807 - replaces it
        program: dict[str, Any] = {name: getattr(self, name, None) for name in _PROGRAM}
        files = {name: value for name, value in program.items() if hasattr(value, "changed")}
        # Upstream connects with a file that it finds, by a function that holds the widget. Of a text it asks nothing.
        vars(self).update({name: str(file) for name, file in files.items()})
        original(self, *args, **options)
        for name, file in files.items():
            del vars(self)[name]
            file.changed.connect_setattr(self, name, maxargs=1)  # weakly

    return __init__


def _add_traits(original: Callable[..., None]) -> Callable[..., None]:
    def add_traits(self: Any, **traits: TraitType[Any, Any]) -> None:
        """Dynamically add trait attributes to the HasTraits instance; those of all widgets of a class, once."""
        its_class = type(self)
        if not traits.keys() <= _ADDED:
            original(self, **traits)
            return
        # With what it was made for: the file may have changed since.
        defaults = {name: trait.default_value for name, trait in traits.items()}
        made = vars(its_class).get(_MADE)
        if made is None or made[0] != defaults:
            original(self, **traits)
            setattr(its_class, _MADE, (defaults, type(self)))
            return
        self.__class__ = made[1]
        for name in traits:
            getattr(made[1], name).instance_init(self)

    return add_traits
