"""What is installed is what was tested: the wheel holds the package, with its built frontend and nothing besides."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRY = "from solara_ctx import KernelApp; import solara_ctx; KernelApp(lambda: None); print(solara_ctx.__file__)"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this tree; the frontend is up to date, so the build does not need the network."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = directory.glob("*.whl")
    return found


def test_the_wheel_holds_what_a_server_needs_and_nothing_else(wheel: Path) -> None:
    """Every module and the frontend; no tests, no sources of the frontend, no source maps, no fonts but woff2."""
    names = zipfile.ZipFile(wheel).namelist()
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "solara_ctx").rglob("*.py")}
    assert sources <= set(names)
    assert {"solara_ctx/py.typed", "solara_ctx/web/static/manifest.json"} <= set(names)
    foreign = [name for name in names if not name.startswith(("solara_ctx/", "solara_ctx-"))]
    assert foreign == ["pytest_solara_ctx.py"]
    assert [name for name in names if name.endswith((".map", ".ts", ".woff", ".ttf", ".eot", ".pyc"))] == []


def test_an_app_can_be_made_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """The installed package finds its frontend without the checkout."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    env = {"PYTHONPATH": str(tmp_path / "site")}
    made = subprocess.run(
        [sys.executable, "-c", TRY], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(str(tmp_path))


def test_pytest_finds_the_plugin_of_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """The fixture is there without an import, and to have it there does not cost an import of the package."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it():\n    assert 'solara_ctx' not in sys.modules\ndef test_leaks(leak_check): pass\n"
    )
    env = {"PYTHONPATH": str(tmp_path / "site")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--strict-markers",
        "-W",
        "error",
        "-p",
        "no:asyncio",
        str(tmp_path),
    ]
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 passed" in run.stdout
