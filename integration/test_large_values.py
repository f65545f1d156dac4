"""A large array goes to the page and comes back, and the memory that this took is given back."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from integration.conftest import Launch
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until

APP = "integration.support.apps.large:app"
SIZE_MB = 50
SLACK_MB = 30


def memory_mb(server: ServerProcess, field: str) -> int:
    """Of the server's process, as Linux counts it: VmRSS now, VmHWM at most so far."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) // 1000


def forget_peak(server: ServerProcess) -> None:
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak")
async def test_a_large_array_goes_both_ways(launch: Launch, page: Page) -> None:
    """With the settings as they are: there with one copy, back with two or three; nothing of it stays."""
    server = await launch("solara_ctx", "run", APP, "--port", "0")
    await page.goto(server.url)
    give, drop = (page.get_by_role("button", name=name, exact=True) for name in ("Give", "Drop"))
    await expect(give).to_be_visible()
    before = memory_mb(server, "VmRSS")
    for _ in range(2):
        forget_peak(server)
        await give.click()
        await expect(page.locator("output")).to_have_text("12500000 numbers, the last is 7")
        # The array itself, and the frame.
        assert memory_mb(server, "VmHWM") - before < 2 * SIZE_MB + SLACK_MB
        forget_peak(server)
        await page.get_by_role("button", name="Give it back").click()
        await expect(page.locator(".widget-label")).to_have_text("12500000 numbers, the last is 8")
        # The array that was there; what has come, which websockets takes out of its buffer and unmasks in copies.
        assert memory_mb(server, "VmHWM") - before < 4 * SIZE_MB + SLACK_MB
        await drop.click()
        await expect(page.locator(".widget-label")).to_have_text("nothing")

        def is_given_back() -> bool:
            return memory_mb(server, "VmRSS") - before < SLACK_MB

        await wait_until(is_given_back, 30.0, "the memory of the array")
    assert server.log_text().count("connection open") == 1


async def test_what_is_too_large_for_the_server_is_refused_by_name(launch: Launch, page: Page) -> None:
    """The log says which setting it was, and the page goes on with what the kernel holds."""
    env = {"SOLARA_WEBSOCKET_MAX_FRAME": "1MB"}
    server = await launch("solara_ctx", "run", APP, "--port", "0", env=env)
    await page.goto(server.url)
    await page.get_by_role("button", name="Give", exact=True).click()
    await expect(page.locator("output")).to_have_text("12500000 numbers, the last is 7")
    await page.get_by_role("button", name="Give it back").click()
    await wait_until(lambda: "SOLARA_WEBSOCKET_MAX_FRAME" in server.log_text(), 30.0, "a line in the log")
    await page.get_by_role("button", name="Drop").click()
    await expect(page.locator(".widget-label")).to_have_text("nothing")


@pytest.mark.thorough
async def test_what_is_larger_than_all_that_may_wait_gets_there(launch: Launch, page: Page) -> None:
    """And is sent once: it is not cut off to come again."""
    env = {"SOLARA_KERNEL_OUTBOX_LIMIT": "1MB"}
    server = await launch("solara_ctx", "run", APP, "--port", "0", env=env)
    await page.goto(server.url)
    await page.get_by_role("button", name="Give", exact=True).click()
    await expect(page.locator("output")).to_have_text("12500000 numbers, the last is 7")
    await page.reload()
    await expect(page.get_by_role("button", name="Give it back")).to_be_visible()
    assert server.log_text().count("connection open") == 2
