"""The commands that a newcomer types, in processes of their own."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from integration.conftest import Launch, Serve
from integration.support.waiting import wait_until

pytestmark = pytest.mark.covered

FIRST = '''
import ipywidgets as widgets


def page():
    """A label."""
    return widgets.Label("the first version")
'''


async def test_the_demo(page: Page, launch: Launch) -> None:
    """Every tab of the demo does what it says."""
    server = await launch("solara_ctx", "demo", "--port", "0")
    await page.goto(server.url)
    await page.locator(".noUi-handle").first.focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_text("8 squared is 64")).to_be_visible()
    await page.get_by_role("tab", name="Button").click()
    await page.get_by_role("button", name="Click me").click()
    await expect(page.get_by_text("Clicks: 1.")).to_be_visible()
    await page.get_by_role("tab", name="Text").click()
    await page.get_by_role("textbox").fill("<b>Ada</b>")
    await expect(page.get_by_text("Hello, <b>Ada</b>.")).to_be_visible()
    await page.get_by_role("tab", name="Background work").click()
    bar = page.locator(".progress-bar").first
    before = await bar.get_attribute("style")
    await wait_until(lambda: differs(page, before), what="a bar that moves")
    await page.get_by_role("tab", name="This kernel").click()
    await expect(page.get_by_text("1 connected, 0 disconnected, 0 closed")).to_be_visible()
    assert "/api/kernels/" not in server.log_text() or "…/channels" in server.log_text()


async def differs(page: Page, before: str | None) -> bool:
    return await page.locator(".progress-bar").first.get_attribute("style") != before


async def test_run_a_page_of_ones_own(page: Page, launch: Launch, tmp_path: Path) -> None:
    """A file with a function called `page` is all that it takes."""
    file = tmp_path / "mine.py"
    file.write_text(FIRST)
    server = await launch("solara_ctx", "run", str(file), "--port", "0")
    await page.goto(server.url)
    await expect(page.get_by_text("the first version")).to_be_visible()


@pytest.mark.parametrize("key", ["", "a key that all of them have"])
async def test_workers_without_a_common_key_are_told(serve: Serve, key: str) -> None:
    """Each says it in the log: without one, a browser is a stranger to the worker that it reaches next."""
    server = await serve(
        "integration.support.apps.counter:app", "--workers", "2", env={"SOLARA_SESSION_SECRET_KEY": key}
    )
    await wait_until(lambda: server.log_text().count("Application startup complete") == 2)
    assert server.log_text().count("SOLARA_SESSION_SECRET_KEY is not set") == (0 if key else 2)
