"""`solara-ctx leakcheck`: each of twelve planted leaks is found and its line is named, and mended they are none."""

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from integration.support.server import ROOT
from solara_ctx.leakcheck import report
from solara_ctx.leakcheck.appprocess import AppFailed
from solara_ctx.leakcheck.browser import Chromium
from solara_ctx.leakcheck.check import Plan, check
from solara_ctx.leakcheck.progress import Silent
from solara_ctx.leakcheck.results import Result

LEAKS = Path(__file__).parent / "leaks"
PLANTED = sorted((LEAKS / "planted").glob("*.py"))
MENDED = sorted((LEAKS / "mended").glob("*.py"))
BOUNDED = sorted((LEAKS / "bounded").glob("*.py"))
TWELVE = 12
MARKS: dict[str, Any] = {"module_dict": pytest.mark.covered}

pytestmark = pytest.mark.browser

Check = Callable[..., Coroutine[Any, Any, Result]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def leak_browser() -> AsyncIterator[Chromium]:
    """One browser for all checks here."""
    async with Chromium() as chromium:
        yield chromium


@pytest.fixture
def run(leak_browser: Chromium, tmp_path: Path) -> Check:
    """A small check of an app."""

    async def run(target: Path | str, **options: Any) -> Result:
        plan = Plan(**{"target": str(target), "output": tmp_path, "sessions": 1, "cycles": 3, "churn": 0, **options})
        result = await check(plan, leak_browser, Silent())
        for found in (leak for verdict in result.verdicts for leak in verdict.leaks):
            print(f"{found.what}: {found.file}:{found.line}, {found.chain}")
        return result

    return run


def marked(app: Path) -> set[int]:
    """The lines of an app that hold its leak; where several together do, any of them is an answer."""
    return {number for number, line in enumerate(app.read_text().splitlines(), 1) if line.endswith("# holds")}


def test_there_are_twelve() -> None:
    """Each planted leak has a mended twin."""
    assert len(PLANTED) == TWELVE
    assert [app.name for app in PLANTED] == [app.name for app in MENDED]


@pytest.mark.slow
@pytest.mark.parametrize(
    "app",
    [
        # Twenty seconds each: one here, the others when asked for.
        pytest.param(app, id=app.stem, marks=MARKS.get(app.stem, pytest.mark.thorough))
        for app in PLANTED
    ],
)
async def test_a_planted_leak_is_found(app: Path, run: Check, tmp_path: Path) -> None:
    """The verdict is a leak, the first line that it names is one of those that hold it, and the report says so."""
    result = await run(app)
    assert result.leaking
    first = result.sessions.leaks[0]
    assert (first.file, first.line in marked(app)) == (str(app), True)
    text = report.html(result, tmp_path / "app.log")
    assert f"{app.name}:{first.line}" in text
    assert not re.search(r"(src|href)=", text)


def together(pages: list[Path], folder: Path) -> Path:
    """One app with all these pages, so that they share a server and the time that it takes to start."""
    app = folder / "pages_together.py"
    app.write_text(
        "from importlib.util import module_from_spec, spec_from_file_location\n"
        "from solara_ctx import KernelApp\n"
        "def load(file):\n"
        "    spec = spec_from_file_location(file.rpartition('/')[2].removesuffix('.py'), file)\n"
        "    module = module_from_spec(spec)\n"
        "    spec.loader.exec_module(module)\n"
        "    return module.page\n"
        f"files = {[str(page) for page in pages]!r}\n"
        "app = KernelApp({f'/{number}': load(file) for number, file in enumerate(files)})\n"
    )
    return app


@pytest.mark.slow
@pytest.mark.thorough
async def test_mended_they_are_none(run: Check, tmp_path: Path) -> None:
    """All twelve: a plateau, and nothing of any of them is kept."""
    result = await run(together(MENDED, tmp_path), sessions=len(MENDED))
    assert [leak.what for leak in result.sessions.leaks] == []
    assert result.sessions.series.measures[-1].kept == 0


@pytest.mark.slow
@pytest.mark.thorough
async def test_a_bound_is_no_leak(run: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches that are full, and one that says how large it may become; also within one session."""
    monkeypatch.setenv("BOUND", "2")
    result = await run(together(BOUNDED, tmp_path), sessions=len(BOUNDED), cycles=4, churn=4)
    assert [leak.what for verdict in result.verdicts for leak in verdict.leaks] == []
    # That of `bounded_widgets.py`, which says why: a page that is kept up to a bound is worth a note.
    assert result.sessions.series.measures[-1].kept == 2
    assert any("bounded_widgets.py" in note.chain for note in result.sessions.notes)


OTHER_WAYS = """
import ipywidgets as widgets
import helper
from solara_ctx import KernelApp, get_current_context


def string():
    STRINGS.append(get_current_context().id)


def data():
    DATA.append(bytes(200_000))


def extended():
    NUMBERS.extend(range(10_000))


def function():
    label = widgets.Label()
    FUNCTIONS.append(lambda: label)
    return label


def clicked():
    button, label = widgets.Button(description="Click"), widgets.Label("0")
    button.on_click(lambda _: CLICKED.append(label))
    return widgets.VBox([button, label])


def imported():
    label = widgets.Label()
    helper.remember(label)
    return label


STRINGS = []  # holds
DATA = []  # holds
NUMBERS = []  # holds
FUNCTIONS = []  # holds
CLICKED = []  # holds
pages = [string, data, extended, function, clicked, imported]
app = KernelApp({f"/{page.__name__}": page for page in pages})
"""
HELPER = """
BOX = []  # holds


def remember(it):
    BOX.append(it)
"""


@pytest.mark.slow
@pytest.mark.thorough
async def test_other_ways_to_leak(run: Check, tmp_path: Path) -> None:
    """However small, whatever it is, wherever it is kept, and all at once: each of their lines is named."""
    app, helper = tmp_path / "other_ways.py", tmp_path / "helper.py"
    app.write_text(OTHER_WAYS)
    helper.write_text(HELPER)
    result = await run(app, sessions=6)
    named = {(leak.file, leak.line) for leak in result.sessions.leaks}
    assert named >= {(str(file), line) for file in (app, helper) for line in marked(file)}


CLICKS = """
import ipywidgets as widgets


def page():
    rows = []  # holds
    kept, replaced, more = (widgets.Button(description=text) for text in ("Keep", "Replace", "More"))
    box = widgets.VBox()

    def keep(_button):  # holds
        rows.append("one more")

    def replace(_button):
        box.children = [widgets.HTML("new")]  # makes

    def add(_button):
        more.on_click(lambda _: None)  # makes

    kept.on_click(keep)
    replaced.on_click(replace)
    more.on_click(add)
    return widgets.VBox([kept, replaced, more, box])
"""


@pytest.mark.thorough
@pytest.mark.slow
async def test_leaks_within_one_session(run: Check, tmp_path: Path) -> None:
    """With each click a row, a widget that is replaced and never closed, a handler: sessions are a plateau, uses not.

    The widgets are in a table of their kernel, and the handlers in one of their button: where they are made, the
    traced uses tell.
    """
    app = tmp_path / "clicks.py"
    app.write_text(CLICKS)
    result = await run(app, churn=4)
    assert not result.sessions.leaking
    assert result.uses is not None
    named = {leak.line for leak in result.uses.leaks if leak.file == str(app)}
    assert named & marked(app)
    assert named >= {number for number, line in enumerate(CLICKS.splitlines(), 1) if line.endswith("# makes")}


@pytest.mark.covered
async def test_a_page_that_fails_is_said(run: Check, tmp_path: Path) -> None:
    """An app whose page can't be shown was not checked."""
    app = tmp_path / "failing.py"
    app.write_text("def page():\n    raise ValueError('on purpose')\n")
    with pytest.raises(AppFailed, match="its page function failed"):
        await run(app)
    assert "on purpose" in (tmp_path / "app.log").read_text()


@pytest.mark.covered
async def test_an_app_that_ends_is_said(run: Check, tmp_path: Path) -> None:
    """With its status, and the end of its log."""
    app = tmp_path / "ending.py"
    app.write_text("import os\n\n\ndef page():\n    print('good-bye', flush=True)\n    os._exit(7)\n")
    with pytest.raises(AppFailed, match=r"ended with status 7(?s:.*)good-bye"):
        await run(app, timeout_s=10)


def leakcheck(*arguments: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "solara_ctx", "leakcheck", *map(str, arguments)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.covered
def test_the_command(tmp_path: Path) -> None:
    """A whole Starlette app with a script of the user's: progress, JSON, files, and status 0."""
    (tmp_path / "whole.py").write_text(
        "import ipywidgets as widgets\n"
        "from starlette.applications import Starlette\n"
        "from starlette.routing import Mount\n"
        "from solara_ctx import KernelApp\n\n"
        "kernels = KernelApp({'/': lambda: widgets.Button(description='Go'), '/other': lambda: None})\n"
        "app = Starlette(routes=[Mount('/dash', kernels)], lifespan=kernels.lifespan)\n"
    )
    (tmp_path / "use.py").write_text("async def use(page):\n    await page.get_by_role('button').click()\n")
    small = ("--sessions", "1", "--cycles", "3", "--churn", "3", "--json", "--path", "dash/", "--script", "use.py")
    done = leakcheck("whole.py", *small, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["verdict"], answer["paths"]) == ("plateau", ["/dash/"])
    assert "3/3" in done.stderr
    files = {file.name: file for file in (tmp_path / "leakcheck-report").iterdir()}
    assert set(files) == {"app.log", "index.html", "memory.png"}
    assert files["memory.png"].read_bytes().startswith(b"\x89PNG")


@pytest.mark.covered
@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        (["nowhere.py"], {}, "there is no file nowhere.py"),
        (["bad.py"], {}, "invalid syntax"),
        (["good.py", "--script", "absent.py"], {}, "there is no script absent.py"),
        (["good.py", "--script", "wrong.py"], {}, "KeyError: 'no such thing'"),
        (["good.py"], {"SOLARA_CTX_CHROMIUM": "/no/such/chromium"}, "there is no such program"),
        (["good.py"], {"SOLARA_KERNEL_CULL_TIMEOUT": "soon"}, "SOLARA_KERNEL_CULL_TIMEOUT can't be 'soon'"),
    ],
    ids=["no file", "no Python", "no script", "wrong script", "no browser", "no setting"],
)
def test_what_can_not_be_checked_is_said(
    arguments: list[str], env: dict[str, str], message: str, tmp_path: Path
) -> None:
    """In words on the error stream, with status 2: 1 would be a leak."""
    (tmp_path / "bad.py").write_text("def page(:\n")
    (tmp_path / "good.py").write_text("def page():\n    pass\n")
    (tmp_path / "wrong.py").write_text("async def use(page):\n    raise KeyError('no such thing')\n")
    done = leakcheck(*arguments, cwd=tmp_path, **env)
    assert done.returncode == 2
    assert message in done.stderr
