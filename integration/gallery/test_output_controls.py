"""Functions with controls, uploads and links, as people use them."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from integration.gallery.conftest import Provokes, Shot, Visit
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until


async def drag(page: Page, slider: Locator, key: str, times: int = 1) -> None:
    """Move a slider by the keyboard."""
    await slider.locator(".noUi-handle").focus()
    for _ in range(times):
        await page.keyboard.press(key)


async def test_interact(visit: Visit, shot: Shot, provokes: Provokes) -> None:
    """A function runs with what its controls say; what it prints, returns and raises is beneath them."""
    provokes("ZeroDivisionError")
    page = await visit("/output/interact")
    await expect(page.get_by_text("5 times apple")).to_be_visible()
    sliders = page.locator(".widget-slider")
    await drag(page, sliders.nth(0), "ArrowRight")
    await expect(page.get_by_text("6 times apple")).to_be_visible()
    await page.locator("select").select_option("pear")
    await page.locator("input[type=checkbox]").check()
    await expect(page.get_by_text("6 times PEAR")).to_be_visible()
    await page.get_by_role("button", name="Run Interact").click()
    await expect(page.get_by_text("9", exact=True)).to_be_visible()
    await expect(page.get_by_text("sum: 5")).to_be_visible()
    await drag(page, sliders.nth(2), "ArrowRight")
    await expect(page.get_by_text("sum: 6")).to_be_visible()
    await expect(page.get_by_text("product: 20")).to_be_visible()
    await drag(page, sliders.nth(5), "Home")
    await expect(page.get_by_text("product: 0")).to_be_visible()
    await expect(page.get_by_text("ZeroDivisionError: shown where it belongs")).to_be_visible()
    await shot(page)
    # The next run takes the error away.
    await drag(page, sliders.nth(5), "ArrowRight")
    await expect(page.get_by_text("product: 4")).to_be_visible()
    await expect(page.get_by_text("ZeroDivisionError")).to_have_count(0)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def choose(page: Page, button: str, *files: Path) -> None:
    async with page.expect_file_chooser() as choosing:
        await page.get_by_role("button", name=button).click()
    await (await choosing.value).set_files(list(files))


def write(path: Path, size: int, byte: bytes = b"x") -> Path:
    path.write_bytes(byte * size)
    return path


async def test_several_files(visit: Visit, shot: Shot, tmp_path: Path) -> None:
    """One, several with an empty one among them, and the same one once more."""
    page = await visit("/output/upload")
    first = write(tmp_path / "first.txt", 5)
    await choose(page, "One file (0)", first)
    await expect(page.get_by_text(f"first.txt: 5 bytes, sha256 {digest(b'xxxxx')}")).to_be_visible()
    empty, second = write(tmp_path / "empty.txt", 0), write(tmp_path / "second.bin", 700_000, b"\0")
    await choose(page, "Several (0)", first, empty, second)
    await expect(page.get_by_text(f"second.bin: 700000 bytes, sha256 {digest(bytes(700_000))}")).to_be_visible()
    await expect(page.get_by_text(f"empty.txt: 0 bytes, sha256 {digest(b'')}")).to_be_visible()
    await expect(page.get_by_role("button", name="Several (3)")).to_be_visible()
    first.write_bytes(b"changed")
    await choose(page, "One file (1)", first)
    await expect(page.get_by_text(f"first.txt: 7 bytes, sha256 {digest(b'changed')}")).to_be_visible()
    await shot(page)


async def test_too_large_a_file(visit: Visit, shot: Shot, tmp_path: Path) -> None:
    """The page says why it is refused; what was there stays, and a smaller one goes."""
    page = await visit("/output/upload")
    small = write(tmp_path / "small.txt", 3)
    await choose(page, "One file (0)", small)
    await expect(page.get_by_role("button", name="One file (1)")).to_be_visible()
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(200_000_001)
    await choose(page, "One file (1)", large)
    await expect(page.get_by_role("alert")).to_contain_text("200.0 MB at most")
    await expect(page.get_by_text("small.txt: 3 bytes")).to_be_visible()
    await shot(page)
    small.write_bytes(b"four")
    await choose(page, "One file (1)", small)
    await expect(page.get_by_text("small.txt: 4 bytes")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.slow
async def test_a_hundred_megabytes(visit: Visit, shot: Shot, tmp_path: Path) -> None:
    """With progress; the page and the kernel do other things meanwhile; the kernel has them bit by bit."""
    page = await visit("/output/upload")
    await expect(page.get_by_role("button", name="Clicked 0 times")).to_be_visible()
    content = bytes(range(256)) * 390_625
    large = tmp_path / "large.bin"
    large.write_bytes(content)
    await choose(page, "One file (0)", large)
    running = page.get_by_role("button", name="Uploading")
    seen: set[str] = set()

    async def halfway() -> bool:
        text = await running.text_content() or ""
        seen.add(text)
        return int(text.split()[1]) >= 40

    await wait_until(halfway, 60, "an upload that is under way")
    await page.get_by_role("button", name="Clicked 0 times").click()
    await expect(page.get_by_role("button", name="Clicked 1 times")).to_be_visible()
    await shot(page)
    await expect(page.get_by_text(f"large.bin: 100000000 bytes, sha256 {digest(content)}")).to_be_visible(
        timeout=60_000
    )
    assert len(seen) > 1


async def test_an_upload_is_stopped(visit: Visit, tmp_path: Path) -> None:
    """By a click; the next one goes."""
    page = await visit("/output/upload")
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(150_000_000)
    await choose(page, "One file (0)", large)
    await page.get_by_title("Stop the upload").click()
    await expect(page.get_by_role("button", name="One file (0)")).to_be_visible()
    await choose(page, "One file (0)", write(tmp_path / "small.txt", 3))
    await expect(page.get_by_text("small.txt: 3 bytes")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_links(visit: Visit, shot: Shot) -> None:
    """In the browser, on the server, one way and both; what plays is heard."""
    page = await visit("/output/linked")
    await page.locator(".play-0 button").first.click()
    await expect(page.locator(".play-2")).to_have_text("20")
    await expect(page.locator(".play-1 .progress-bar")).to_have_attribute("style", re.compile("width: 100%"))
    await drag(page, page.locator(".link-0"), "ArrowRight", 2)
    await expect(page.locator(".link-1 input")).to_have_value("2")
    await page.locator(".link-1 input").fill("7")
    await page.keyboard.press("Tab")
    await expect(page.locator(".link-0 .widget-readout")).to_have_text("7")
    await drag(page, page.locator(".jsdlink-0"), "ArrowRight", 3)
    await expect(page.locator(".jsdlink-1 input")).to_have_value("3")
    await page.locator(".jsdlink-1 input").fill("9")
    await page.keyboard.press("Tab")
    await expect(page.locator(".jsdlink-0 .widget-readout")).to_have_text("3")
    await expect(page.locator(".pad-0")).to_contain_text("Connect gamepad and press any button")
    await shot(page)


async def test_a_gamepad(browse: Callable[[], Awaitable[Page]], gallery: ServerProcess, shot: Shot) -> None:
    """A new one becomes widgets of buttons and axes, made by the page, which Python hears of.

    The browser knows of none here: it is told of one.
    """
    page = await browse()
    await page.add_init_script("navigator.getGamepads = () => [window.pad ?? null]")
    await page.goto(f"{gallery.url}/output/linked")
    await expect(page.locator(".pad-0")).to_contain_text("Connect gamepad and press any button")
    await page.evaluate(
        """() => {
          const buttons = Array.from({ length: 3 }, () => ({ value: 0, pressed: false }));
          window.pad = { index: 0, id: "A pad", mapping: "", connected: true, timestamp: 1, axes: [0, 0], buttons };
        }"""
    )
    await expect(page.locator(".pad-1")).to_have_text("A pad: 3 buttons, 2 axes")
    await page.evaluate("Object.assign(window.pad.buttons[2], { value: 1, pressed: true })")
    await expect(page.locator(".pad-1")).to_have_text("button 2 is down")
    await page.evaluate("window.pad.axes[0] = -0.5")
    await expect(page.locator(".jupyter-widget-controller-axis, .widget-controller-axis")).to_have_count(2)
    await shot(page)
    await page.evaluate("Object.assign(window.pad.buttons[2], { value: 0, pressed: false })")
    await expect(page.locator(".pad-1")).to_have_text("button 2 is up")


async def test_two_users(visit: Visit, tmp_path: Path) -> None:
    """Nothing of one is in the other's page."""
    pages = [await visit("/output/upload") for _ in range(2)]
    await choose(pages[0], "One file (0)", write(tmp_path / "mine.txt", 3))
    await expect(pages[0].get_by_text("mine.txt: 3 bytes")).to_be_visible()
    await expect(pages[1].get_by_text("nothing yet")).to_be_visible()
    await expect(pages[1].get_by_role("button", name="One file (0)")).to_be_visible()
