"""The modules of the app itself, loaded from below some folders: which they are, and which of them import which.

What a module imports is read from its source, wherever an import stands in it: in a function, too, where it runs long
after the module was loaded, if ever.  What names a module by a string, such as `importlib.import_module`, can't be
seen, so a module that nobody seems to import is taken to matter to all of them.
"""

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

_PACKAGE = Path(__file__).parent.parent
_NOT_OWN = {"site-packages", "dist-packages", "node_modules", "__pycache__"}


class FreshLoader(SourceFileLoader):
    """Loads a module from its source, and never from `__pycache__`: that goes by the source's time, in seconds, and its
    size, and two changes within a second may be of one size.
    """

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name, path)
        self.source = b""
        """What was loaded."""

    def path_stats(self, path: str) -> Mapping[str, float]:
        """Nothing that a cached file could be compared with, so none is read, and none written."""
        raise OSError(f"{path} is always loaded from its source")

    def get_data(self, path: str) -> bytes:
        """The source, or another file that the module asks for."""
        data = super().get_data(path)
        if path == self.path:
            self.source = data
        return data

    @cached_property
    def imports(self) -> frozenset[str]:
        """The full names of what its source may import; of `from a import b` both `a` and `a.b`."""
        package = self.name if self.is_package(self.name) else self.name.rpartition(".")[0]
        return frozenset(_imported(ast.parse(self.source), package))


class OwnModules:
    """The modules below *folders*, but for what is installed there, hidden, or this library's own.

    `install` it before the first of them is imported.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = [folder.resolve() for folder in folders]

    def install(self) -> None:
        """Load each of them by a `FreshLoader` from now on."""
        sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Import as before."""
        sys.meta_path.remove(self)

    def is_own(self, path: Path) -> bool:
        """Whether that file belongs to the app.  Its place alone tells; it may be gone."""
        if path.is_relative_to(_PACKAGE):
            return False
        return any(
            path.is_relative_to(folder)
            and not any(part in _NOT_OWN or part.startswith(".") for part in path.relative_to(folder).parts)
            for folder in self.folders
        )

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """For the import system: one of ours, or nothing."""
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader) or not self.is_own(Path(spec.loader.path)):
            return None
        return importlib.util.spec_from_file_location(
            fullname,
            spec.loader.path,
            loader=FreshLoader(fullname, spec.loader.path),
            submodule_search_locations=spec.submodule_search_locations,
        )

    def loaded(self) -> dict[str, FreshLoader]:
        """Those that are in use now, by name."""
        return dict(_loaders(sys.modules))

    def files(self) -> list[Path]:
        """The files of those that are in use now."""
        return [Path(loader.path) for loader in self.loaded().values()]

    def changed(self, paths: Iterable[Path]) -> set[str]:
        """The modules among the files whose source is another one now than was loaded, or gone."""
        files = {path.resolve() for path in paths}
        return {
            name
            for name, loader in self.loaded().items()
            if (path := Path(loader.path)) in files and (not path.is_file() or path.read_bytes() != loader.source)
        }

    def affected_by(self, changed: Iterable[str], *, target: str) -> set[str]:
        """The modules that were made with the changed ones: those, and all that import one of them, however indirectly.

        Args:
            changed: The names of loaded modules.
            target: The module that the app is taken from, which nobody needs to import.
        """
        modules = self.loaded()
        importers = _importers(modules)
        affected: set[str] = set()
        waiting = list(changed)
        while waiting:
            name = waiting.pop()
            if name in affected:
                continue
            affected.add(name)
            if name != target and not importers[name]:
                return set(modules)
            waiting += importers[name]
        # A ring of modules may import each other, and be imported by a string.
        return affected if target in affected or not affected else set(modules)


def _loaders(modules: Mapping[str, object]) -> Iterator[tuple[str, FreshLoader]]:
    for name, module in list(modules.items()):
        # Some are no modules, or load something when they are asked for what they do not have.
        spec: object = vars(module).get("__spec__") if isinstance(module, ModuleType) else None
        loader = spec.loader if isinstance(spec, ModuleSpec) else None
        if isinstance(loader, FreshLoader):
            yield name, loader


def _importers(modules: Mapping[str, FreshLoader]) -> dict[str, set[str]]:
    """Who imports each of the modules.  A module also needs the packages that it is in."""
    importers: dict[str, set[str]] = {name: set() for name in modules}
    for name, loader in modules.items():
        for imported in {*loader.imports, name}:
            for needed in _with_parents(imported):
                if needed != name and needed in importers:
                    importers[needed].add(name)
    return importers


def _with_parents(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
