"""The comm target on which a page asks which package a widget comes from, to say what to install."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from ipywidgets import Widget

from solara_ctx.jupyter.comms import KernelComm

ORIGIN = "solara_ctx.origin"
_THEIRS = {"ipywidgets", "traitlets", "builtins"}


def open_origin(comm: KernelComm, message: Mapping[str, Any]) -> None:
    """Answer with the package and its version, as far as they are known, and close the comm.

    Known are packages that are called like the module that one imports.
    """
    model_id = message["content"]["data"].get("widget")
    widget = comm.host.widgets.get(model_id) if comm.host is not None and isinstance(model_id, str) else None
    origin = None if widget is None else origin_of(type(widget))
    if origin is not None:
        package, version = origin
        comm.send({"package": package, "version": version})
    comm.close()


def origin_of(widget_class: type[Widget]) -> tuple[str, str] | None:
    """The package, with its version, that defines a widget: its class, or the one that this was derived from."""
    for cls in widget_class.__mro__:
        top = cls.__module__.partition(".")[0]
        if top in _THEIRS:
            continue
        try:
            found = distribution(top)
        except (PackageNotFoundError, ValueError):  # a module of an app's own, or without a name
            continue
        return found.metadata["Name"], found.version
    return None
