"""User code that fails: the page says so, the log says why, and the session goes on."""

import pytest
from playwright.async_api import Page, expect

from integration.conftest import Serve
from integration.support.apps.failing import SECRET
from integration.support.waiting import wait_until

APP = "integration.support.apps.failing:app"


@pytest.mark.parametrize(
    ("path", "raised"), [("raises", "ValueError"), ("exits", "SystemExit"), ("nonsense", "TypeError")]
)
async def test_a_page_function_that_fails_is_said_clearly(page: Page, serve: Serve, path: str, raised: str) -> None:
    """In production: a message without any detail for the visitor, the traceback once in the log."""
    server = await serve(APP, ready="/readyz")
    server.allow_traceback = True
    await page.goto(f"{server.url}/{path}")
    await expect(page.get_by_role("alert")).to_contain_text("could not be shown")
    assert SECRET not in await page.content()
    assert "Traceback" not in await page.content()
    assert server.log_text().count("Traceback (most recent call last)") == 1
    assert raised in server.log_text()


async def test_debug_mode_shows_the_traceback(page: Page, serve: Serve) -> None:
    """For the developer the page itself says where."""
    server = await serve(APP, env={"SOLARA_DEBUG": "1"})
    server.allow_traceback = True
    await page.goto(f"{server.url}/raises")
    await expect(page.get_by_role("alert")).to_contain_text(SECRET)
    await expect(page.get_by_role("alert")).to_contain_text("failing.py")


async def test_a_callback_that_fails_does_not_end_the_session(page: Page, serve: Serve) -> None:
    """Its traceback is logged, and the next click is answered."""
    server = await serve(APP)
    server.allow_traceback = True
    await page.goto(f"{server.url}/callback")
    await page.get_by_role("button", name="Bad").click()
    await page.get_by_role("button", name="Good").click()
    await expect(page.get_by_text("still alive")).to_be_visible()
    await wait_until(lambda: SECRET in server.log_text())
    assert server.log_text().count("Traceback (most recent call last)") == 1
    assert "in fail" in server.log_text()
