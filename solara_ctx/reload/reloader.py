"""Imports an app anew, as far as its code has changed: all of it, or, where the new code fails, nothing."""

import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from solara_ctx.reload.own_modules import FreshLoader, OwnModules
from solara_ctx.serving import load_app, split_target


class Reloader:
    """Loads the app that *target* names, again and again.  Any thread, one call at a time.

    The modules that have changed, and those that were made with them, are taken out of `sys.modules` and imported
    again, in the order in which they ask for each other; all others stay, with what they hold.

    Args:
        target: As for `serving.load_app`.
        modules: The app's own.
    """

    def __init__(self, target: str, modules: OwnModules) -> None:
        self._target = target
        self._modules = modules
        source = split_target(target)[0]
        self._module = Path(source).stem if source.endswith(".py") else source
        # Since the app was loaded last.
        self._touched: set[Path] = set()
        self._everything = False

    def load(self) -> object:
        """Load the app for the first time, or import everything anew.

        Raises:
            Exception: whatever the app's code raises; then nothing has changed.
        """
        return self._import(set(self._modules.loaded()))

    def note(self, paths: Iterable[Path]) -> None:
        """These files have changed, and may be of the app's modules or not."""
        self._touched.update(paths)

    def note_all(self) -> None:
        """Something has changed that any module may have been made with."""
        self._everything = True

    def changed(self) -> list[str]:
        """The modules whose source is another one now than was loaded."""
        return sorted(self._modules.loaded() if self._everything else self._modules.changed(self._touched))

    def reload(self) -> object:
        """Import what has changed, and what was made with it; the app.

        Raises:
            Exception: whatever the app's code raises; then nothing has changed.
        """
        return self._import(self._modules.affected_by(self.changed(), target=self._module))

    def _import(self, names: set[str]) -> object:
        taken = {name: sys.modules[name] for name in names}
        kept = self._modules.loaded().keys() - names
        _take_out(taken)
        try:
            app = load_app(self._target, FreshLoader)
        except BaseException:
            # What was imported by now may be half of a module, or have something of one.
            _take_out({name: sys.modules[name] for name in self._modules.loaded().keys() - kept})
            _put_back(taken)
            raise
        self._touched.clear()
        self._everything = False
        return app


def _take_out(modules: dict[str, ModuleType]) -> None:
    for name, module in modules.items():
        del sys.modules[name]
        parent, _, child = name.rpartition(".")
        # `from parent import child` would take it from there.
        if parent in sys.modules and vars(sys.modules[parent]).get(child) is module:
            delattr(sys.modules[parent], child)


def _put_back(modules: dict[str, ModuleType]) -> None:
    sys.modules.update(modules)
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)
