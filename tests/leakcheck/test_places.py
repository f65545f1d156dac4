"""Whose code a file is, and how it is shown."""

import logging
from pathlib import Path

import ipywidgets
import pytest

import solara_ctx
from solara_ctx.leakcheck.places import is_user_file, shown


def test_whose_code(tmp_path: Path) -> None:
    """Neither the standard library, nor what is installed, nor this library, nor code without a file is the app's."""
    assert is_user_file(str(tmp_path / "app.py"))
    for other in (logging.__file__, ipywidgets.__file__, solara_ctx.__file__, "<frozen importlib._bootstrap>"):
        assert not is_user_file(other)


def test_a_place_is_shown_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative below the current folder, absolute elsewhere."""
    monkeypatch.chdir(tmp_path)
    assert shown(str(tmp_path / "app" / "x.py"), 3) == str(Path("app") / "x.py") + ":3"
    assert shown("/elsewhere/x.py", None) == "/elsewhere/x.py"
    assert shown(None, None) == ""
