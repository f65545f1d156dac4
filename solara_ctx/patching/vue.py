"""ipyvue and ipyvuetify: widgets that they keep for the process, which belong to one kernel each."""

import importlib
import weakref
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from solara_ctx.patching.per_kernel import KernelDict, Values, belonging
from solara_ctx.patching.stack import Patch

_IPYVUE = "ipyvue 3.1"


class _Templates(Values):
    """One kernel's, by file."""


class _Components(Values):
    """One kernel's, by name."""


class _Modules(Values):
    """One kernel's, by name."""


def template_patches(module: ModuleType) -> Sequence[Patch]:
    """The patch of the templates that come from files."""
    return (_registry(module, "template_registry", _Templates),)


def component_patches(module: ModuleType) -> Sequence[Patch]:
    """The patch of the components that are known by name."""
    return (_registry(module, "vue_component_registry", _Components),)


def esm_patches(module: ModuleType) -> Sequence[Patch]:
    """The patch of the compiled modules."""
    return (_registry(module, "_module_widgets", _Modules),)


def _registry(module: ModuleType, attribute: str, make: type[Values]) -> Patch:
    return Patch(
        target=module,
        attribute=attribute,
        make=lambda outside: KernelDict(outside, make),
        why="it keeps widgets for the process: the first kernel's, for all others",
        upstream=_IPYVUE,
    )


def widget_patches(module: ModuleType) -> Sequence[Patch]:
    """The patches of `VueWidget`."""
    return (
        _no_forced_load(module.VueWidget),
        Patch(
            target=module,
            attribute="ClassList",
            make=lambda original: lambda widget: original(weakref.proxy(widget)),
            why="a widget's list of classes holds the widget: a cycle per widget",
            upstream=_IPYVUE,
        ),
    )


def vue_template_patches(module: ModuleType) -> Sequence[Patch]:
    """The patch of `VueTemplate`."""
    return (_no_forced_load(module.VueTemplate),)


def _no_forced_load(widget_class: Any) -> Patch:
    return Patch(
        target=widget_class._jupyter_vue,
        attribute="default_value",
        make=lambda _: None,
        why="each widget refers to one of the process's, so that static pages load jupyter-vue first; ours do anyway",
        upstream=_IPYVUE,
    )


class _Theme:
    """One kernel's theme, a widget."""

    def __init__(self) -> None:
        self.widget: Any = importlib.import_module("ipyvuetify.Themes").Theme()

    def sever(self) -> None:
        """The kernel has closed the widget."""
        self.widget = None


def theme_patches(module: ModuleType) -> Sequence[Patch]:
    """The patch of the theme, whose class is another, as whoever has imported it has the object."""
    return (
        Patch(
            target=module.theme,
            attribute="__class__",
            make=_kernel_theme,
            why="one page's dark theme would be everybody's, and reach no page: it is a widget of no kernel",
            upstream="ipyvuetify 3.1",
        ),
    )


def _kernel_theme(original: Any) -> Any:
    class KernelTheme(original):  # type: ignore[misc]  # a class of a library's
        """Stands for the theme of the kernel that is current; outside a kernel it is the process's."""

        def __getattribute__(self, name: str) -> Any:
            own = belonging(_Theme)
            return super().__getattribute__(name) if own is None else getattr(own.widget, name)

        def __setattr__(self, name: str, value: Any) -> None:
            own = belonging(_Theme)
            if own is None:
                super().__setattr__(name, value)
            else:
                setattr(own.widget, name, value)

    return KernelTheme
