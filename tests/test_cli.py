"""The command line."""

import importlib
from pathlib import Path

import pytest
import uvicorn

from solara_ctx.cli import main

PAGE = '''
def page():
    """Nothing to see."""


def other():
    """Neither here."""


number = 3
'''


@pytest.fixture
def folder(working_folder: Path) -> Path:
    """With a page in it."""
    (working_folder / "some_page.py").write_text(PAGE)
    return working_folder


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nowhere.py", "there is no file nowhere.py"),
        ("no_such_module:page", "there is no module no_such_module"),
        ("some_page.py:absent", "has no 'absent'"),
        ("some_page.py:number", "neither a page function nor an app"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_not_there_is_said_in_one_line(target: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback for a typing mistake; exit status 2, as for any wrong usage."""
    assert main(["run", target]) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("solara-ctx: ")
    assert message in complaint
    assert complaint.count("\n") == 1


@pytest.mark.usefixtures("folder")
def test_a_setting_that_is_nonsense_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server does not start, and says which variable is wrong, and how to write it."""
    monkeypatch.setenv("SOLARA_KERNEL_CULL_TIMEOUT", "soon")
    assert main(["run", "some_page.py"]) == 2
    complaint = capsys.readouterr().err
    assert "SOLARA_KERNEL_CULL_TIMEOUT can't be 'soon'" in complaint
    assert '"24h"' in complaint


@pytest.mark.usefixtures("folder")
def test_ctrl_c_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has stopped as it should: exit status 0 and no traceback, as with uvicorn's own command."""

    def interrupted(server: uvicorn.Server) -> None:
        server.started = True
        raise KeyboardInterrupt

    monkeypatch.setattr("uvicorn.Server.run", interrupted)
    # What it would change for the whole process, which is not its own here.
    for name in ("log_config", "redact_logs", "allow_open_files"):
        monkeypatch.setattr(f"solara_ctx.cli.{name}", lambda: None)
    assert main(["run", "some_page.py"]) == 0


def test_help_and_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` ends with 0, an unknown command with 2."""
    for arguments, status in ((["--help"], 0), (["run", "--help"], 0), (["nonsense"], 2), ([], 2)):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == status
    assert "demo" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["playwright", "playwright.async_api", "something_else"])
def test_leakcheck_without_its_extra(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what to install; what else is missing is somebody's error, and is not hidden."""

    def absent(_name: str) -> None:
        raise ModuleNotFoundError(missing, name=missing)

    monkeypatch.setattr(importlib, "import_module", absent)
    if missing == "something_else":
        with pytest.raises(ModuleNotFoundError):
            main(["leakcheck", "app.py"])
    else:
        assert main(["leakcheck", "app.py"]) == 2
        assert "pip install 'solara-ctx[leakcheck]'" in capsys.readouterr().err
