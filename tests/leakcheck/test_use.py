"""Scripts of the user's.  What is used on a page without one, integration/ sees."""

from pathlib import Path

import pytest

from solara_ctx.leakcheck.use import load_script
from solara_ctx.serving import UsageError


def test_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its `use`; what lies beside it can be imported."""
    monkeypatch.setattr("sys.path", ["/usr"])
    (tmp_path / "beside_script.py").write_text("ANSWER = 42\n")
    (tmp_path / "use.py").write_text("from beside_script import ANSWER\n\nasync def use(page):\n    return ANSWER\n")
    assert load_script(tmp_path / "use.py").__name__ == "use"


@pytest.mark.parametrize("text", ["", "def use(page):\n    pass\n"], ids=["nothing", "not async"])
def test_a_script_without_a_use(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what it has to have."""
    monkeypatch.setattr("sys.path", ["/usr"])
    (tmp_path / "use.py").write_text(text)
    with pytest.raises(UsageError, match=r"no `async def use\(page\)`"):
        load_script(tmp_path / "use.py")


def test_no_script(tmp_path: Path) -> None:
    """One line says so."""
    with pytest.raises(UsageError, match="no script"):
        load_script(tmp_path / "absent.py")
