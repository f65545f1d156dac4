"""An app is imported anew as far as it has changed, or not at all."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from solara_ctx.reload.own_modules import OwnModules
from solara_ctx.reload.reloader import Reloader
from solara_ctx.web.app import KernelApp

APP = """
from views import one, two
from solara_ctx import KernelApp

page = KernelApp({"/one": one.page, "/two": two.page})
"""
VIEW = """
from views.shared import word

count = 0

def page():
    return word
"""
Write = Callable[[str, str], Path]


@pytest.fixture
def write(working_folder: Path) -> Write:
    """Writes a file of the app."""

    def write_file(name: str, text: str) -> Path:
        path = working_folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    write_file("app.py", APP)
    write_file("views/one.py", VIEW)
    write_file("views/two.py", VIEW.replace("from views.shared import word", "word = 'two'"))
    write_file("views/shared.py", "word = 'first'")
    return write_file


@pytest.fixture
def reloader(write: Write, working_folder: Path) -> Iterator[Reloader]:
    """Of that app, loaded."""
    modules = OwnModules([working_folder])
    modules.install()
    made = Reloader("app.py", modules)
    made.load()
    yield made
    modules.remove()


def functions(app: object) -> Mapping[str, object]:
    assert isinstance(app, KernelApp)
    return {path: given.function for path, given in app._pages._given.items()}


def test_only_what_was_made_with_the_change_is_imported_anew(reloader: Reloader, write: Write) -> None:
    """The other page's module stays, with what it holds; its function is the very same object."""
    one, two, first = sys.modules["views.one"], sys.modules["views.two"], functions(reloader.load())
    one, two = sys.modules["views.one"], sys.modules["views.two"]
    reloader.note([write("views/shared.py", "word = 'other'")])
    assert reloader.changed() == ["views.shared"]
    second = functions(reloader.reload())
    assert sys.modules["views.two"] is two
    assert sys.modules["views.one"] is not one
    assert sys.modules["views"].one is sys.modules["views.one"]
    assert second["/two"] is first["/two"]
    assert second["/one"] is not first["/one"]
    assert sys.modules["views.one"].page() == "other"
    assert reloader.changed() == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def (", SyntaxError),
        ("import no_such_module_at_all", ModuleNotFoundError),
        ("from views.two import absent", ImportError),
        ("import sys\nsys.exit('no')", SystemExit),
        ("word = 1 / 0", ZeroDivisionError),
    ],
)
def test_code_that_fails_changes_nothing(
    text: str, error: type[BaseException], reloader: Reloader, write: Write
) -> None:
    """The old modules are all there, and the next good save mends it."""
    before = {name: module for name, module in sys.modules.items() if name == "app" or name.startswith("views")}
    reloader.note([write("views/shared.py", text)])
    with pytest.raises(error):
        reloader.reload()
    assert {name: module for name, module in sys.modules.items() if name in before} == before
    assert sys.modules["views"].one is before["views.one"]
    assert reloader.changed() == ["views.shared"]
    reloader.note([write("views/shared.py", "word = 'mended'")])
    reloader.reload()
    assert sys.modules["views.one"].page() == "mended"


def test_what_the_failed_code_has_imported_is_forgotten(reloader: Reloader, write: Write) -> None:
    """It may have something of a module that is not there any more."""
    write("views/fresh.py", "from views.shared import word")
    reloader.note([write("views/shared.py", "word = 'third'"), write("app.py", f"import views.fresh\n{APP}\n1 / 0")])
    with pytest.raises(ZeroDivisionError):
        reloader.reload()
    assert "views.fresh" not in sys.modules
    assert not hasattr(sys.modules["views"], "fresh")
    reloader.note([write("app.py", f"import views.fresh\n{APP}")])
    reloader.reload()
    assert sys.modules["views.fresh"].word == "third"


def test_a_change_that_is_taken_back_is_none(reloader: Reloader, write: Write) -> None:
    """What runs is what is in the file."""
    reloader.note([write("views/shared.py", "def (")])
    with pytest.raises(SyntaxError):
        reloader.reload()
    write("views/shared.py", "word = 'first'")
    assert reloader.changed() == []


def test_a_module_that_is_no_longer_imported_is_gone(reloader: Reloader, write: Write) -> None:
    """Nothing imports it again."""
    reloader.note([write("views/one.py", "def page():\n    return 'alone'")])
    reloader.note([write("views/shared.py", "word = 'never asked'")])
    reloader.reload()
    assert "views.shared" not in sys.modules
    assert not hasattr(sys.modules["views"], "shared")


def test_another_file_may_matter_to_all(reloader: Reloader) -> None:
    """A template may have been read by any module."""
    two = sys.modules["views.two"]
    reloader.note_all()
    assert reloader.changed() == ["app", "views.one", "views.shared", "views.two"]
    reloader.reload()
    assert sys.modules["views.two"] is not two
    assert reloader.changed() == []


def test_an_app_by_its_module(write: Write, working_folder: Path) -> None:
    """`MODULE:NAME` is reloaded as a file is."""
    write("package/__init__.py", "")
    write("package/app.py", "from package import words\n\ndef start():\n    return words.word")
    words = write("package/words.py", "word = 'one'")
    modules = OwnModules([working_folder])
    modules.install()
    reloader = Reloader("package.app:start", modules)
    first = functions(reloader.load())
    words.write_text("word = 'two'")
    reloader.note([words])
    second = functions(reloader.reload())
    modules.remove()
    assert first["/"] is not second["/"]
    assert sys.modules["package.app"].start() == "two"


def test_the_path_does_not_grow(reloader: Reloader) -> None:
    """The app's folder is put there once."""
    before = len(sys.path)
    for _ in range(3):
        reloader.load()
    assert len(sys.path) == before
