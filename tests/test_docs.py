"""What the documentation shows is what the code does."""

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient

from solara_ctx import KernelApp, Settings
from solara_ctx.lifecycle import TRANSITIONS, State
from solara_ctx.settings import variable_names

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIABLE = re.compile(r"SOLARA_[A-Z_]+")


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    monkeypatch.delitem(sys.modules, "generate", raising=False)
    return import_module("generate")


def served(app: Any) -> bool:
    """Whether a page of solara_ctx is at the app's root or below /dash; its lifespan runs to its end."""
    with TestClient(app) as client:
        return any('id="solara-app"' in client.get(path).text for path in ("/", "/dash/"))


@pytest.mark.parametrize("page", [page for page in PAGES if BLOCK.search(page.read_text())], ids=lambda page: page.name)
def test_code_blocks_run(page: Path) -> None:
    """Every Python block of a page runs after those before it, and every app that one defines serves its page."""
    text = page.read_text()
    namespace: dict[str, Any] = {}
    for block in BLOCK.finditer(text):
        lines_before = text.count("\n", 0, block.start(1))
        before = namespace.get("app")
        exec(compile("\n" * lines_before + block[1], str(page), "exec"), namespace)  # noqa: S102
        if namespace.get("app") is not before:
            assert served(namespace["app"]), block[1]
        elif "def page(" in block[1]:
            assert served(KernelApp(namespace["page"]))


def test_the_readme_names_commands_that_exist() -> None:
    """What a newcomer types is there to be typed."""
    commands = re.findall(r"^python3 dev\.py (\S+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands == ["demo", "test"]
    assert all(f"def {command}(" in (ROOT / "dev.py").read_text() for command in commands)


def test_links_in_the_readme_lead_somewhere() -> None:
    """Mkdocs checks the links between the pages of docs/; nobody else checks these."""
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_setting_is_documented(generate: ModuleType) -> None:
    """Each variable that is read has a section with its default."""
    text = generate.on_page_markdown("<!-- generate: settings -->")
    sections = re.findall(r"^### `(.*)`$", text, re.MULTILINE)
    assert sections == [variable_names(name)[0] for name in Settings.model_fields]
    assert "- Default: `24h`" in text


def test_every_variable_that_the_docs_name_is_read() -> None:
    """No page tells of a variable that does nothing."""
    read = {variable for name in Settings.model_fields for variable in variable_names(name)}
    # Read where no server runs, and so no setting.
    of_the_check = {"SOLARA_CTX_CHROMIUM"}
    source = (ROOT / "solara_ctx" / "leakcheck" / "browser.py").read_text()
    assert all(f'"{variable}"' in source for variable in of_the_check)
    named = {variable for page in PAGES for variable in VARIABLE.findall(page.read_text())}
    assert named - read == of_the_check


def test_the_diagram_shows_the_whole_table(generate: ModuleType) -> None:
    """Every state is a box, and every event of the table is at an arrow or in its box."""
    svg = generate.on_page_markdown("<!-- generate: lifecycle-diagram -->")
    assert [f">{state.name}<" in svg for state in State] == [True] * len(State)
    moves = {(state, to) for state, row in TRANSITIONS.items() for to in row.values() if to is not state}
    assert svg.count("url(#tip)") == len(moves)
    assert all(event.value in svg for row in TRANSITIONS.values() for event in row)


@pytest.mark.parametrize(
    "part",
    ["close-reasons", "close-codes", "kernel-stats", "leak-stats", "registry-stats", "worker-stats", "zombie-stats"],
)
def test_generated_tables_have_no_empty_meaning(generate: ModuleType, part: str) -> None:
    """Whoever adds a field or a word says there what it means."""
    rows = generate.on_page_markdown(f"<!-- generate: {part} -->").splitlines()[2:]
    assert rows
    assert [row for row in rows if row.rstrip("| ").endswith("`")] == []


def test_what_resourcez_shows_is_documented() -> None:
    """Each part of the answer has its place on the page that explains it."""
    text = (ROOT / "docs" / "resourcez.md").read_text()
    with TestClient(KernelApp(lambda: None)) as client:
        parts = client.get("/resourcez?verbose").json()
    assert [part for part in parts if f"`{part}`" not in text] == []


def test_an_unknown_part_fails_the_build(generate: ModuleType) -> None:
    """A misspelt marker does not leave a hole in a page."""
    with pytest.raises(KeyError):
        generate.on_page_markdown("<!-- generate: nothing -->")


def test_every_threat_names_tests_that_exist() -> None:
    """Each row of the tables in security.md ends with the files that show it, or points to those of the row above."""
    cells = [
        line.strip().strip("|").split("|")[-1].strip()
        for line in (ROOT / "docs" / "security.md").read_text().splitlines()
        if line.startswith("| ")
    ]
    shown_by = [cell for cell in cells if not cell.startswith(("---", "Shown by"))]
    assert len(shown_by) > 20
    for cell in shown_by:
        files = re.findall(r"`([^`]+)`", cell)
        assert files or cell == "the same", cell
        assert [file for file in files if not (ROOT / file).is_file()] == []
