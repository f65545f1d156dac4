"""How a page is used.  On real pages, integration/ sees that."""

from pathlib import Path
from typing import Any, cast

import pytest
from playwright.async_api import Error

from solara_ctx.leakcheck import use
from solara_ctx.leakcheck.use import load_script, use_everything
from solara_ctx.serving import UsageError


class Control:
    """A control on a page, which notes how it is used."""

    def __init__(self, kind: str | None, *, fails: bool = False) -> None:
        self.kind = kind
        self.used: list[object] = []
        self._fails = fails

    def as_element(self) -> "Control":
        return self

    async def get_attribute(self, _name: str) -> str | None:
        return self.kind

    async def focus(self) -> None:
        self._note("focus")

    async def press(self, key: str) -> None:
        self._note(key)

    async def fill(self, text: str, **_how: object) -> None:
        self._note(text)

    async def click(self, **_how: object) -> None:
        self._note("click")

    async def evaluate(self, _script: str) -> None:
        self._note("next")

    async def dispose(self) -> None:
        self._note("dispose")

    def _note(self, how: object) -> None:
        self.used.append(how)
        if self._fails:
            raise Error("it has vanished")


class Nothing:
    """No more controls."""

    def as_element(self) -> None:
        return None


class Page:
    """A page with these controls, each of which is to be used once in a round."""

    def __init__(self, *controls: Control) -> None:
        self._controls = controls
        self._left: list[Control] = []
        self._round = False

    async def evaluate(self, script: str) -> object:
        if script == use._FORGET:
            self._left, self._round = list(self._controls), not self._round
        return self._round

    async def evaluate_handle(self, _script: str) -> Control | Nothing:
        return self._left.pop(0) if self._left else Nothing()


@pytest.mark.parametrize(
    ("kind", "to", "fro"),
    [
        ("slider", ["focus", "ArrowRight"], ["focus", "ArrowLeft"]),
        ("choose", ["next"], ["next"]),
        ("number", ["3", "Enter"], ["2", "Enter"]),
        ("text", ["leakcheck", "Enter"], ["check", "Enter"]),
        ("toggle", ["click"], ["click"]),
        ("click", ["click"], ["click"]),
        (None, ["click"], ["click"]),
    ],
)
async def test_a_control_is_used_in_its_own_way(kind: str | None, to: list[str], fro: list[str]) -> None:
    """To and fro: after every other round the page is as it was.  Nothing of it is kept."""
    control = Control(kind)
    page = cast("Any", Page(control))
    await use_everything(page)
    assert control.used == [*to, "dispose"]
    control.used.clear()
    await use_everything(page)
    assert control.used == [*fro, "dispose"]


async def test_a_control_that_vanishes_is_passed_over() -> None:
    """The others are used all the same."""
    gone, other = Control("click", fails=True), Control("click")
    await use_everything(cast("Any", Page(gone, other)))
    assert gone.used == other.used == ["click", "dispose"]


async def test_a_page_that_shows_more_and_more_is_left_at_last() -> None:
    """After some dozens of actions."""
    control = Control("click")
    await use_everything(cast("Any", Page(*[control] * 1000)))
    assert control.used.count("click") == use._MOST_ACTIONS


def test_a_script(working_folder: Path) -> None:
    """Its `use`; what lies beside it can be imported."""
    (working_folder / "beside_script.py").write_text("ANSWER = 42\n")
    (working_folder / "use.py").write_text(
        "from beside_script import ANSWER\n\nasync def use(page):\n    return ANSWER\n"
    )
    assert load_script(working_folder / "use.py").__name__ == "use"


@pytest.mark.parametrize("text", ["", "def use(page):\n    pass\n"], ids=["nothing", "not async"])
def test_a_script_without_a_use(working_folder: Path, text: str) -> None:
    """The message says what it has to have."""
    (working_folder / "use.py").write_text(text)
    with pytest.raises(UsageError, match=r"no `async def use\(page\)`"):
        load_script(working_folder / "use.py")


def test_no_script(tmp_path: Path) -> None:
    """One line says so."""
    with pytest.raises(UsageError, match="no script"):
        load_script(tmp_path / "absent.py")


def test_a_script_that_is_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name it is none of Python's."""
    monkeypatch.setattr("sys.path", ["/usr"])
    (tmp_path / "use.txt").write_text("async def use(page):\n    pass\n")
    with pytest.raises(UsageError, match="can't be loaded as a Python module"):
        load_script(tmp_path / "use.txt")
