"""Somebody else's imports are heard of, and are as they would be without us."""

import importlib
import importlib.util
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from IPython import get_ipython

from solara_ctx.patching.imports import ImportHook
from tests.support.kernels import StandInContext, patched

heard: list[tuple[str, list[str]]] = []


def hear(module: ModuleType) -> None:
    heard.append((module.__name__, [name for name in vars(module) if not name.startswith("__")]))


@pytest.fixture
def hook(working_folder: Path) -> Iterator[ImportHook]:
    """Hears of some modules."""
    heard.clear()
    sys.path.insert(0, str(working_folder))
    hook = ImportHook(frozenset({"mine", "package.inner", "bare", "broken", "nowhere"}), hear)
    hook.install()
    yield hook
    hook.remove()


def test_a_module_is_heard_of_when_it_is_whole(hook: ImportHook, working_folder: Path) -> None:
    """Once, and its loader is as it was."""
    (working_folder / "mine.py").write_text("a = 1\n")
    (working_folder / "other.py").write_text("b = 1\n")
    importlib.import_module("other")
    module = importlib.import_module("mine")
    assert heard == [("mine", ["a"])]
    assert "exec_module" not in vars(module.__spec__.loader)  # type: ignore[union-attr]
    importlib.reload(module)
    assert len(heard) == 2


def test_a_module_is_imported_in_no_kernel(hook: ImportHook, working_folder: Path) -> None:
    """By whichever page it may be: it would keep the shell of that one, or set for it what is for all."""
    (working_folder / "mine.py").write_text("from IPython import get_ipython\nshell = get_ipython()\n")
    with patched():
        kernel = StandInContext()
        module = kernel.run(importlib.import_module, "mine")
        assert kernel.run(get_ipython) is not None
        kernel.close()
    assert module.shell is None


def test_a_module_of_a_package_is_found_on_its_path(hook: ImportHook, working_folder: Path) -> None:
    """Its own finders are asked, with what they are asked otherwise."""
    (working_folder / "package").mkdir()
    (working_folder / "package/__init__.py").touch()
    (working_folder / "package/inner.py").write_text("a = 1\n")
    importlib.import_module("package.inner")
    assert heard == [("package.inner", ["a"])]


def test_what_has_no_code_is_not_heard_of(hook: ImportHook, working_folder: Path) -> None:
    """A folder is imported as ever."""
    (working_folder / "bare").mkdir()
    importlib.import_module("bare")
    assert heard == []


def test_a_loader_may_be_of_more_than_one_module(hook: ImportHook, working_folder: Path) -> None:
    """As that of an archive is: the right one is heard of."""
    with zipfile.ZipFile(working_folder / "modules.zip", "w") as archive:
        archive.writestr("mine.py", "a = 1\n")
        archive.writestr("other.py", "b = 1\n")
    sys.path.insert(0, str(working_folder / "modules.zip"))
    spec = hook.find_spec("mine")
    importlib.import_module("other")
    assert heard == []
    assert spec is not None
    importlib.import_module("mine")
    assert heard == [("mine", ["a"])]


def test_what_fails_to_import_fails(hook: ImportHook, working_folder: Path) -> None:
    """With its own error, and is not heard of; nor is what does not exist."""
    (working_folder / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("broken")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("nowhere")
    assert importlib.util.find_spec("nowhere") is None
    assert heard == []


def test_those_that_are_there_already(hook: ImportHook, working_folder: Path) -> None:
    """They are told of when asked for; one that another thread fails to import is not."""
    (working_folder / "mine.py").write_text("a = 1\n")
    hook.remove()
    hook.remove()
    importlib.import_module("mine")
    sys.modules["nowhere"] = None  # type: ignore[assignment]  # as an import that was forbidden
    hook.tell_of_those_loaded()
    assert heard == [("mine", ["a"])]
