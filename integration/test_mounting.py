"""Embedded in Starlette and in FastAPI, at the root and below it, with the lifespan wired and not wired."""

import pytest
from playwright.async_api import Page, expect

from integration.conftest import Serve
from integration.support.waiting import wait_until
from integration.support.watch import Watch

APPS = "integration.support.apps.counter"
WARNING = "add `lifespan=kernels.lifespan`"


@pytest.mark.parametrize(
    ("name", "path", "wired"),
    [
        ("app", "/", True),
        ("alone", "/", True),
        ("starlette_wired", "/sub/path/", True),
        ("starlette_unwired", "/sub/path/", False),
        ("fastapi_wired", "/sub/path/", True),
        ("fastapi_unwired", "/sub/path/", False),
    ],
)
async def test_the_page_works_and_its_kernel_closes_at_stop(
    page: Page, watch: Watch, serve: Serve, name: str, path: str, wired: bool
) -> None:
    """Open, click, see the answer, stop the server: the hook of the page has run, and a missing lifespan was named."""
    server = await serve(f"{APPS}:{name}", ready=f"{path}readyz")
    await page.goto(f"{server.url}{path}?name=Ada")
    await page.get_by_role("button", name="Click").click()
    await expect(page.get_by_text("1 clicks", exact=True)).to_be_visible()
    await expect(page.get_by_text("asked for Ada")).to_be_visible()
    watch.allow("WebSocket|ERR_CONNECTION")
    await server.stop()
    log = server.log_text()
    assert "closed\n" in log
    assert (WARNING in log) is not wired


async def test_the_host_keeps_its_own_routes(page: Page, serve: Serve) -> None:
    """What the host answers itself is none of our business."""
    server = await serve(f"{APPS}:app")
    response = await page.goto(f"{server.url}/about")
    assert response is not None
    assert await response.text() == "about the host"


async def test_a_slider_is_answered(page: Page, serve: Serve) -> None:
    """Drag a real slider, see the server's answer."""
    server = await serve(f"{APPS}:app")
    await page.goto(server.url)
    handle = page.locator(".noUi-handle").first
    await handle.focus()
    for _ in range(3):
        await page.keyboard.press("ArrowRight")
    await expect(page.get_by_text("squared: 16")).to_be_visible()
    box = await page.locator(".noUi-target").first.bounding_box()
    assert box is not None
    knob = await handle.bounding_box()
    assert knob is not None
    await page.mouse.move(knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] + 20, knob["y"] + knob["height"] / 2, steps=8)
    await page.mouse.up()
    await expect(page.get_by_text("squared: 10000")).to_be_visible()


async def test_leaving_ends_the_kernel(page: Page, serve: Serve) -> None:
    """The beacon closes the kernel at once, long before any timeout."""
    server = await serve(f"{APPS}:app")
    await page.goto(server.url)
    await expect(page.get_by_role("button", name="Click")).to_be_visible()
    await page.goto("about:blank")
    await wait_until(lambda: "closed\n" in server.log_text())
