"""Which modules are the app's own, and which of them import which."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import solara_ctx
from solara_ctx.reload.own_modules import FreshLoader, OwnModules

FILES = {
    "app.py": "import shop.views\nfrom plain import word\n",
    "plain.py": "word = 'one'\n",
    "shop/__init__.py": "",
    "shop/views.py": "from . import basket\nfrom .prices import price\n\ndef page():\n    import lazily\n",
    "shop/basket.py": "import plain\n",
    "shop/prices.py": "price = 3\n",
    "lazily.py": "word = 'late'\n",
    "nobody.py": "",
    "namespace/inner.py": "import lazily\n",
}
Write = Callable[[str, str], Path]


@pytest.fixture
def write(working_folder: Path) -> Write:
    """Writes a file of the app."""

    def write_file(name: str, text: str) -> Path:
        path = working_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    for name, text in FILES.items():
        write_file(name, text)
    return write_file


@pytest.fixture
def modules(write: Write, working_folder: Path) -> Iterator[OwnModules]:
    """Of that folder."""
    sys.path.insert(0, str(working_folder))
    own = OwnModules([working_folder])
    own.install()
    yield own
    own.remove()


def load(*names: str) -> None:
    for name in names:
        importlib.import_module(name)


def test_those_below_the_folder_are_own(modules: OwnModules, working_folder: Path) -> None:
    """But neither what is installed or hidden there, nor anything elsewhere, nor this library."""
    assert modules.is_own(working_folder / "shop" / "views.py")
    assert not modules.is_own(working_folder.parent / "other.py")
    for folder in (".venv", "node_modules", "lib/site-packages/x", "lib/dist-packages"):
        assert not modules.is_own(working_folder / folder / "a.py")
    package = Path(solara_ctx.__file__).parent
    assert not OwnModules([package.parent]).is_own(package / "cli.py")
    load("app", "colorsys")
    assert set(modules.loaded()) == {"app", "shop", "shop.views", "shop.basket", "plain", "shop.prices"}
    assert working_folder / "shop" / "views.py" in modules.files()


@pytest.mark.parametrize(
    ("changed", "affected"),
    [
        ("app", "app"),
        ("plain", "app plain shop.basket shop.views"),
        ("shop.prices", "app shop.prices shop.views"),
        ("shop", "app shop shop.basket shop.prices shop.views"),
        ("lazily", "app lazily shop.views namespace.inner"),
    ],
)
def test_who_was_made_with_a_module(modules: OwnModules, changed: str, affected: str) -> None:
    """All that import it, directly or not; of a package, also what is in it; an import in a function counts."""
    load("app", "lazily", "namespace.inner")
    # As if it said so: what nobody imports affects all.
    vars(modules.loaded()["app"])["imports"] = frozenset({"shop.views", "plain", "namespace.inner"})
    assert modules.affected_by([changed], target="app") == set(affected.split())


def test_a_module_that_nobody_seems_to_import_affects_all(modules: OwnModules) -> None:
    """It was imported by a string, and there is no telling by whom."""
    load("app", "nobody")
    assert modules.affected_by(["nobody"], target="app") == set(modules.loaded())


def test_a_ring_that_nobody_else_seems_to_import_affects_all(modules: OwnModules, write: Write) -> None:
    """Its modules import each other, but the target was made with them all the same."""
    write("left.py", "import right")
    write("right.py", "import left")
    load("app", "left")
    assert modules.affected_by(["left"], target="app") == set(modules.loaded())


def test_relative_imports(modules: OwnModules, write: Write) -> None:
    """From any depth, with and without a module's name."""
    write("deep/__init__.py", "from .one import x")
    write("deep/one.py", "x = 1")
    write("deep/two/__init__.py", "from .. import one\nfrom ..one import x\nfrom . import three")
    write("deep/two/three.py", "")
    load("deep.two")
    assert "deep.one" in modules.loaded()["deep"].imports
    assert {"deep.one", "deep.two.three"} <= modules.loaded()["deep.two"].imports


def test_what_has_changed_is_seen_in_the_source(modules: OwnModules, write: Write, working_folder: Path) -> None:
    """A file that was saved as it was has not; one that is gone has; what was never loaded does not count."""
    load("app")
    plain, basket = working_folder / "plain.py", working_folder / "shop" / "basket.py"
    plain.touch()
    assert modules.changed([plain, working_folder / "lazily.py"]) == set()
    write("plain.py", "word = 'two'\n")
    basket.unlink()
    assert modules.changed([plain, basket]) == {"plain", "shop.basket"}
    assert modules.changed([basket]) == {"shop.basket"}


def test_two_changes_within_a_second_are_two(modules: OwnModules, write: Write, working_folder: Path) -> None:
    """A cached file would be taken for the second's, as it goes by whole seconds and the size."""
    write("plain.py", "word = 'a'")
    load("plain")
    assert sys.modules["plain"].word == "a"
    assert not (working_folder / "__pycache__").exists()
    del sys.modules["plain"]
    write("plain.py", "word = 'b'")
    load("plain")
    assert sys.modules["plain"].word == "b"


def test_other_files_of_a_module_can_be_read(modules: OwnModules, write: Write, working_folder: Path) -> None:
    """By the loader, as `pkgutil.get_data` does; they are not taken for the source."""
    load("plain")
    loader = modules.loaded()["plain"]
    assert loader.get_data(str(working_folder / "lazily.py")) == FILES["lazily.py"].encode()
    assert loader.source == FILES["plain.py"].encode()


def test_strange_things_in_the_table_of_modules_do_no_harm(
    modules: OwnModules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some programs put objects there that are no modules."""
    monkeypatch.setitem(sys.modules, "strange", object())
    load("plain")
    assert list(modules.loaded()) == ["plain"]


def test_imports_elsewhere_are_not_ours(modules: OwnModules) -> None:
    """Whatever is not found, built in, or lies elsewhere."""
    assert modules.find_spec("no_such_module_at_all") is None
    assert modules.find_spec("colorsys") is None
    spec = modules.find_spec("plain")
    assert spec is not None
    assert isinstance(spec.loader, FreshLoader)
