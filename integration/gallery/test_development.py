"""The gallery while somebody writes on it: `solara-ctx run examples/gallery.py --reload`, in debug mode."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from html import escape
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from integration.gallery.conftest import Shot, Visit
from integration.support.server import ROOT, ServerProcess

TIMEOUT_S = 30


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def written(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[ServerProcess, Path]]:
    """The server, and the folder of the gallery's pages, which a test may change."""
    folder = tmp_path_factory.mktemp("written")
    examples = folder / "examples"
    shutil.copytree(ROOT / "examples", examples, ignore=shutil.ignore_patterns("__pycache__"))
    command = ("solara_ctx", "run", str(examples / "gallery.py"), "--port", "0", "--reload")
    server = ServerProcess(command, folder / "server.log", {"SOLARA_DEBUG": "1", "ANYWIDGET_HMR": "1"})
    server.allow_traceback = True
    try:
        await server.ready("/readyz")
        yield server, examples / "gallery_pages"
    finally:
        await server.stop()
        print(server.log_text()[-20_000:])


@pytest.fixture
def pages(written: tuple[ServerProcess, Path]) -> Path:
    return written[1]


@pytest.fixture
def visit(written: tuple[ServerProcess, Path], browse: Callable[[], Awaitable[Page]]) -> Visit:
    """Open a page of that server."""

    async def open_page(path: str) -> Page:
        page = await browse()
        await page.goto(f"{written[0].url}{path}")
        return page

    return open_page


def change(path: Path, before: str, after: str) -> None:
    """Save a file, as many editors do."""
    text = path.read_text()
    assert before in text
    beside = path.with_name(f"{path.name}.tmp")
    beside.write_text(text.replace(before, after))
    beside.replace(path)


def failed(within: Locator) -> Locator:
    """The lines where something failed."""
    return within.locator(".solara-traceback-failed")


async def test_code_that_changes_is_shown(visit: Visit, pages: Path, shot: Shot) -> None:
    """Imported anew, in the page that is open, where somebody types; an error with its line, until it is mended."""
    page, module = await visit("/development/reload"), pages / "development.py"
    await expect(page.get_by_role("heading", level=1)).to_have_text("Good morning")
    imported = await page.locator("b").inner_text()
    await page.get_by_placeholder("has the focus still").focus()
    change(module, 'GREETING = "Good morning"', 'GREETING = "Good evening"')
    await expect(page.get_by_role("heading", level=1)).to_have_text("Good evening")
    await expect(page.locator("i")).to_have_text("1")
    assert await page.locator("b").inner_text() != imported
    await expect(page.get_by_placeholder("has the focus still")).to_be_focused()
    change(module, 'GREETING = "Good evening"', 'GREETING = "Good" night')
    alert = page.get_by_role("alert")
    await expect(failed(alert).first).to_contain_text('GREETING = "Good" night')
    await expect(page.get_by_role("heading", name="Good evening")).to_be_visible()
    await shot(page)
    change(module, 'GREETING = "Good" night', 'GREETING = "Good night"')
    await expect(page.get_by_role("heading", level=1)).to_have_text("Good night")
    await expect(alert).to_have_count(0)


async def test_a_page_function_that_raises_shows_its_lines(visit: Visit, shot: Shot) -> None:
    """One's own, with what failed marked."""
    page = await visit("/development/broken")
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("KeyError")
    await expect(failed(alert).first).to_contain_text("person['first_name']")
    await expect(failed(alert).first.locator("mark")).to_have_text("person['first_name']")
    await expect(alert).to_contain_text("development.py")
    await shot(page)


async def test_a_callback_that_raises_shows_its_lines(visit: Visit, shot: Shot) -> None:
    """In the output at the foot of the page; the page goes on."""
    page = await visit("/development/failing")
    read = page.get_by_role("button", name="Read")
    await read.click()
    await page.get_by_role("button", name="Output (1)").click()
    log = page.get_by_role("log", name="Output")
    await expect(log).to_contain_text("json.loads(text.value)")
    await expect(log).to_contain_text("JSONDecodeError: Expecting value")
    await shot(page)
    await page.get_by_role("textbox").fill("[6, 7]")
    await page.get_by_role("textbox").press("Enter")
    await read.click()
    await expect(page.get_by_text("[6, 7]", exact=True)).to_be_visible()


async def test_each_message_has_a_line(visit: Visit, shot: Shot) -> None:
    """Of this page; a value that was sent is not in it."""
    page = await visit("/development/messages")
    await page.get_by_role("slider").press("ArrowRight")
    await page.get_by_role("button", name="What was said?").click()
    lines = page.locator("pre")
    await expect(lines).to_contain_text(
        re.compile(r"<- page \S+…: shell comm_msg jupyter.widget IntSlider update, \d+ B")
    )
    await expect(lines).to_contain_text(re.compile(r"<- page \S+…: shell comm_msg jupyter.widget Button custom, \d+ B"))
    await shot(page)


async def test_the_terminal_shows_what_is_alive(
    written: tuple[ServerProcess, Path], visit: Visit, browse: Callable[[], Awaitable[Page]], shot: Shot
) -> None:
    """This page, by its kernel's id, with what it has."""
    page = await visit("/development/alive")
    await page.get_by_role("button", name="A hundred sliders").click()
    await expect(page.get_by_role("slider")).to_have_count(100)
    command, kernel = await page.locator("code").all_inner_texts()
    assert command == f"solara-ctx top {written[0].url}/"
    arguments = [sys.executable, "-m", "solara_ctx", *command.split()[1:], "--once"]
    top = await asyncio.to_thread(
        subprocess.run, arguments, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    (line,) = [line for line in top.stdout.splitlines() if kernel in line]
    assert " 310 " in line  # a hundred sliders, each with a layout and a style; and what there was
    terminal = await browse()
    await terminal.set_content(f"<pre>{escape(top.stdout)}</pre>")
    await shot(terminal)


async def test_the_program_of_a_widget_that_changes_is_shown(visit: Visit, pages: Path, shot: Shot) -> None:
    """Anywidget's own reload: the widget keeps its state."""
    page = await visit("/anywidget")
    await page.get_by_label("3 of 5").click()
    await expect(page.get_by_text("★")).to_have_count(3)
    change(pages / "stars.js", '"★"', '"♥"')
    await expect(page.get_by_text("♥")).to_have_count(3)
    await shot(page)
