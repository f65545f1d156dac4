"""To hear of modules that somebody else imports, some time later."""

import importlib
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from solara_ctx import current


class ImportHook:
    """Calls back once one of some modules has been imported, which happens in no kernel.  Imports nothing itself.

    Args:
        names: The full names of the modules.
        imported: Called in the thread that imports, before whoever imports sees the module; and for those that were
            there before, by `tell_of_those_loaded`.  Maybe more than once for a module.
    """

    def __init__(self, names: frozenset[str], imported: Callable[[ModuleType], object]) -> None:
        self._names = names
        self._imported = imported

    def install(self) -> None:
        """Hear of what is imported from now on."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Hear of nothing any more; harmless when somebody else has removed it."""
        with suppress(ValueError):
            sys.meta_path.remove(self)

    def tell_of_those_loaded(self) -> None:
        """Call back for those that were imported before.

        Waits for those that another thread is just importing.
        """
        for name in sorted(self._names & sys.modules.keys()):
            # Fails as the import in the other thread does, which is told of it.
            with suppress(ImportError):
                self._imported(importlib.import_module(name))

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the other finders find, which tells us once it has been executed."""
        if name not in self._names:
            return None
        for finder in sys.meta_path:
            # One without that method is passed over, as importlib does.
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._follow(name, spec.loader)
                return spec
        return None

    def _follow(self, name: str, loader: Any) -> None:
        # Each file has a loader of its own; packages without code have none, and some take no attributes.
        with suppress(AttributeError):
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                # The loader is as it was, for those that look at it later.
                del loader.exec_module
                # A module is the process's, whoever happens to import it first: some keep the shell that they find.
                with current.without_context():
                    execute(module)
                if module.__name__ == name:  # the modules of an archive share their loader
                    self._imported(module)

            loader.exec_module = exec_module
