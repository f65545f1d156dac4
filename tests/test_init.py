"""The public names."""

import inspect
from types import ModuleType

import solara_ctx


def test_all_is_exact() -> None:
    """What can be imported is what is promised."""
    public = {
        name
        for name, value in vars(solara_ctx).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(solara_ctx.__all__)


def test_all_is_sorted() -> None:
    """A name is found where the reader looks for it."""
    assert sorted(solara_ctx.__all__) == solara_ctx.__all__


def test_every_public_name_says_what_it_is() -> None:
    """Classes, functions, and the public methods and properties of classes have docstrings."""
    silent = []
    for name in solara_ctx.__all__:
        value = getattr(solara_ctx, name)
        members = inspect.getmembers(value) if inspect.isclass(value) else []
        named = [(name, value)] + [
            (f"{name}.{member}", thing)
            for member, thing in members
            if not member.startswith("_")
            and (inspect.isfunction(thing) or isinstance(thing, property))
            and getattr(thing, "__module__", getattr(getattr(thing, "fget", None), "__module__", "")).startswith(
                "solara_ctx"
            )
        ]
        silent += [where for where, thing in named if not inspect.getdoc(thing)]
    assert silent == []
