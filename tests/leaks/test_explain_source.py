"""Where a variable is assigned, read from the source; and how places are put into words."""

import os
import sysconfig
from pathlib import Path

import pytest

from solara_ctx.leaks import source, wording

SOURCE = """\
import threading, os.path
A = 1
A = 2
if A:
    B: list = []
with open(__file__) as F:
    for G in ():
        H, (I, *J) = 1, (2, 3)
def function():
    global K
    K = 1
    class Local:
        M = 1
        def __init__(self):
            self.n = 3
class Page:
    Q = {}
    def __init__(self): self.r = [(S := 1)]
    def other(this): this.s = self.t = 1
T = (U := 3)
try:
    pass
except ValueError as error:
    V = 1
match A:
    case 3: W = 1
"""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("threading", 1),
        ("os", 1),
        ("A", 2),
        ("B", 5),
        ("F", 6),
        ("G", 7),
        ("H", 8),
        ("J", 8),
        ("function", 9),
        ("K", 11),
        ("function.<locals>.Local", 12),
        ("function.<locals>.Local.M", 13),
        ("function.<locals>.Local().n", 15),
        ("Page", 16),
        ("Page.Q", 17),
        ("Page().r", 18),
        ("Page().s", 19),
        ("Page().t", None),
        ("U", 20),
        ("V", 24),
        ("W", 26),
        ("unknown", None),
    ],
)
def test_first_line_that_assigns(tmp_path: Path, name: str, line: int | None) -> None:
    """Variables, classes, their attributes and those of their instances, wherever Python allows them."""
    file = tmp_path / "app.py"
    file.write_text(SOURCE, encoding="utf-8")
    assert source.line_of(str(file), name) == line


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """What is remembered of a file holds until it changes."""
    file = tmp_path / "app.py"
    file.write_text("A = 1\n", encoding="utf-8")
    assert source.line_of(str(file), "A") == 1
    file.write_text("\nA = 1\n", encoding="utf-8")
    os.utime(file, ns=(0, 1))
    assert source.line_of(str(file), "A") == 2


def test_what_can_not_be_read(tmp_path: Path) -> None:
    """A file that is missing, broken, too long or no source has no lines, and is no error."""
    broken, long, binary = tmp_path / "broken.py", tmp_path / "long.py", tmp_path / "binary.py"
    broken.write_text("A = (", encoding="utf-8")
    long.write_text("A = 1\n" + "#" * 600_000, encoding="utf-8")
    binary.write_bytes(b"A = 1\n\x00\xff")
    for file in (broken, long, binary, tmp_path / "missing.py", tmp_path / "extension.so"):
        assert source.line_of(str(file), "A") is None
    assert source.line_of(None, "A") is None


def test_short_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path as people speak of it: below the current directory, in a package, in Python's library, at home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    library = sysconfig.get_path("stdlib")
    assert wording.short_path(f"{tmp_path}/pages/app.py") == "pages/app.py"
    assert wording.short_path(f"{library}/asyncio/tasks.py") == "asyncio/tasks.py"
    assert wording.short_path(f"{library}/site-packages/bokeh/io.py") == "bokeh/io.py"
    assert wording.short_path(f"{tmp_path.parent}/other/app.py") == "~/other/app.py"
    assert wording.short_path("/srv/app.py") == "/srv/app.py"
    assert wording.at("/srv/app.py", None) == " (/srv/app.py)"
    assert wording.at(None, 3) == ""


def test_without_a_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current directory that somebody has removed is no error."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert wording.short_path("/srv/app.py") == "/srv/app.py"


def test_whose_code() -> None:
    """Neither Python's library nor packages nor this one are users' code."""
    library = sysconfig.get_path("stdlib")
    assert wording.is_users(__file__)
    assert wording.is_users("/srv/app.py")
    for file in (None, "", "<string>", f"{library}/queue.py", f"{library}/site-packages/bokeh/io.py", source.__file__):
        assert not wording.is_users(file)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("ab12", "'ab12'"),
        ("a" * 19, f"'{'a' * 19}'"),
        ("a" * 20, "'aaaaaa…'"),
        ("user 0123456789abcdef0123 x", "'user 012345… x'"),
        (b"\xff", "b'\ufffd'"),
        (1.5, "1.5"),
        (None, "None"),
        (True, "True"),
        (10**15, "1000000000000000"),
        (2**64 + 1, "0x10000000000000001"),
        (2**200, "0x1000…"),
        ((1, "a", ("b",), None, 5), "(1, 'a', ('b',), None, …)"),
        (("x y" * 100,) * 4, None),
        (Path(), "…"),
    ],
)
def test_keys(key: object, shown: str | None) -> None:
    """Keys of exact builtin types are shown, shortened; of others nothing is asked."""
    found = wording.key(key)
    assert shown is None or found == shown
    assert len(found) <= 90


def test_names_of_variables() -> None:
    """A long name is a name, and one with digits may have been made from an id."""
    assert wording.name("on_the_first_click_of_all_buttons") == "on_the_first_click_of_all_buttons"
    assert wording.name("session_0123456789abcdef0123") == "sessio…"
