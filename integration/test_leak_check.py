"""`leak_check.browser`: real pages of a real server, with either API of Playwright, as users of pytest run it."""

import atexit
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import ipywidgets as widgets
import pytest
from playwright.async_api import Browser, Error, Page, expect
from starlette.applications import Starlette
from starlette.routing import Mount

from integration.conftest import BROWSER_VARIABLE
from solara_ctx import KernelApp, get_current_context
from solara_ctx.leakcheck.pages import Page as AnyPage
from solara_ctx.leakcheck.pytest_plugin import LeakCheck
from solara_ctx.leaks.outside import functions_at_exit

ROOT = Path(__file__).parents[1]
pytest_plugins = ["pytest_solara_ctx"]  # where the package is not installed
KEPT: list[widgets.Label] = []
VALUES: dict[str, bytearray] = {}


@pytest.fixture(autouse=True)
def nothing_is_kept_for_the_next() -> Iterator[None]:
    yield
    KEPT.clear()
    VALUES.clear()
    for function in functions_at_exit():
        if getattr(function, "__func__", None) is widgets.Widget.close:
            atexit.unregister(cast("Callable[[], None]", function))


def counter() -> widgets.Widget:
    """Leaks nothing."""
    button, label = widgets.Button(description="Click"), widgets.Label("0")
    button.on_click(lambda _: setattr(label, "value", "clicked"))
    return widgets.VBox([button, label])


def leaks_when_clicked() -> widgets.Widget:
    """Leaks only for who uses it."""
    button, label = widgets.Button(description="Click"), widgets.Label("0")

    def keep(_button: widgets.Button) -> None:
        KEPT.append(label)
        label.value = "clicked"

    button.on_click(keep)
    return widgets.VBox([button, label])


def keeps_values() -> widgets.Widget:
    """Keeps no widget, only what it has computed."""
    VALUES[uuid.uuid4().hex] = bytearray(100_000)
    return widgets.Label(f"{len(get_current_context().id)}")


def waits_for_the_end() -> widgets.Widget:
    """What holds its label is no line of the app's."""
    label = widgets.Label("0")
    atexit.register(label.close)
    return label


async def click(page: AnyPage) -> None:
    assert isinstance(page, Page)
    await page.get_by_role("button", name="Click").click()
    await expect(page.get_by_text("clicked")).to_be_visible()


async def test_pages_that_leak_nothing(leak_check: LeakCheck, chromium: Browser) -> None:
    """Of a browser each page has a session of its own; all are gone at once."""
    app = KernelApp({"/": counter, "/second": counter})
    host = Starlette(routes=[Mount("/sub", app)], lifespan=app.lifespan)
    report = await leak_check.browser(host, chromium, click, sessions=1, cycles=3)  # type: ignore[misc]
    assert (report.closed, report.by_refcount) == (6, 6)


@pytest.mark.covered
async def test_a_page_that_leaks_is_named(leak_check: LeakCheck, page: Page) -> None:
    """Pages beside the one that the test has."""
    with pytest.raises(pytest.fail.Exception) as failed:
        await leak_check.browser(leaks_when_clicked, page, click, sessions=2, cycles=3)  # type: ignore[misc]
    text = str(failed.value)
    assert "6 of 6 closed kernels are kept, 1.0 more with each session" in text
    assert "integration/test_leak_check.py" in text
    assert "module variable KEPT" in text


@pytest.mark.thorough
async def test_without_a_script_every_button_is_clicked(leak_check: LeakCheck, page: Page) -> None:
    """So that what leaks only where somebody clicks is found."""
    with pytest.raises(pytest.fail.Exception, match="module variable KEPT"):
        await leak_check.browser(leaks_when_clicked, page.context, sessions=1, cycles=3)  # type: ignore[misc]


@pytest.mark.thorough
async def test_plain_values_are_found(leak_check: LeakCheck, chromium: Browser) -> None:
    """What grows is named, although every kernel is gone."""
    with pytest.raises(pytest.fail.Exception, match="module variable VALUES"):
        await leak_check.browser(keeps_values, chromium, sessions=1, cycles=3)  # type: ignore[misc]


@pytest.mark.thorough
async def test_the_line_that_made_it_is_the_apps(leak_check: LeakCheck, chromium: Browser) -> None:
    """Where no chain has one; what the test and its browser make meanwhile is not named."""
    with pytest.raises(pytest.fail.Exception) as failed:
        await leak_check.browser(waits_for_the_end, chromium, sessions=1, cycles=3)  # type: ignore[misc]
    _, found, made_by = str(failed.value).partition("What stays was made by:")
    assert found, str(failed.value)
    made = made_by.splitlines()[1:]
    named = [line.strip() for line in made[: made.index("")]]
    assert any(line.endswith("atexit.register(label.close)") for line in named)
    assert all("widgets.Label" in line or "atexit.register" in line for line in named)


@pytest.mark.covered
async def test_what_fails_in_the_script_fails_the_test(leak_check: LeakCheck, chromium: Browser) -> None:
    """As it is, and its pages are closed."""

    async def use(page: AnyPage) -> None:
        assert isinstance(page, Page)
        await page.get_by_role("button", name="No such button").click(timeout=10)

    with pytest.raises(Error, match="Timeout"):
        await leak_check.browser(counter, chromium, use, sessions=1, cycles=3)  # type: ignore[misc]


SYNC = """
import os
import ipywidgets as w
import pytest
from playwright.sync_api import sync_playwright

KEPT = []

@pytest.fixture
def page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["{variable}"])
        yield browser.new_page()
        browser.close()

def app():
    button, label = w.Button(description="Click"), w.Label("0")
    button.on_click(lambda _: setattr(label, "value", "clicked"))
    return w.VBox([button, label])

def leaky():
    KEPT.append(w.Label("kept"))
    return KEPT[-1]

def click(page):
    page.get_by_role("button", name="Click").click()
    page.get_by_text("clicked").wait_for()

def test_good(leak_check, page):
    assert leak_check.browser(app, page, click).by_gc == 0

def test_leaky(leak_check, page):
    leak_check.browser(leaky, page, lambda page: page.get_by_text("kept").wait_for())
"""
INI = "[pytest]\nleak_check_sessions = 1\nleak_check_cycles = 3\nfilterwarnings = error\n"


@pytest.mark.thorough
@pytest.mark.covered
@pytest.mark.browser
def test_the_sync_api(tmp_path: Path) -> None:
    """In a pytest of its own, as Playwright's sync API wants no event loop to be running."""
    if BROWSER_VARIABLE not in os.environ:
        pytest.fail(f"run the tests with `python3 dev.py test`, or set {BROWSER_VARIABLE}")
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "test_it.py").write_text(SYNC.format(variable=BROWSER_VARIABLE))
    command = [sys.executable, "-m", "pytest", "-p", "pytest_solara_ctx", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 1 passed" in run.stdout, run.stdout + run.stderr
    assert "module variable KEPT -> list[" in run.stdout
    assert "solara_ctx/leakcheck" not in run.stdout
