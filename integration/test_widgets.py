"""Every core control of ipywidgets 8: it shows, it is heard by the server, and what the server says is seen."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from integration.conftest import Serve
from integration.support.apps.gallery import controls

APP = "integration.support.apps.gallery:app"
Act = Callable[[Page, Locator], Awaitable[Any]]


async def right(page: Page, control: Locator) -> None:
    await control.locator(".noUi-handle").last.focus()
    await page.keyboard.press("ArrowRight")


async def left(page: Page, control: Locator) -> None:
    await control.locator(".noUi-handle").last.focus()
    await page.keyboard.press("ArrowLeft")


def fill(text: str, *, field: str = "input") -> Act:
    async def act(page: Page, control: Locator) -> None:
        await control.locator(field).first.fill(text)
        await page.keyboard.press("Tab")

    return act


def add(text: str) -> Act:
    async def act(page: Page, control: Locator) -> None:
        await control.dispatch_event("click")  # beside its tags; the field shows once the control is used
        await page.keyboard.type(text)
        await page.keyboard.press("Enter")

    return act


def click(text: str) -> Act:
    async def act(page: Page, control: Locator) -> None:
        await control.get_by_text(text, exact=True).first.click()

    return act


def select(*options: str) -> Act:
    async def act(page: Page, control: Locator) -> None:
        await control.locator("select").select_option(list(options))

    return act


async def check(page: Page, control: Locator) -> None:
    await control.locator("input[type=checkbox]").click()


async def press(page: Page, control: Locator) -> None:
    await control.click()


async def play_once(page: Page, control: Locator) -> None:
    await control.locator("button").first.click()


# What a person does with each control, and what the server then holds.
ACTS: dict[str, tuple[Act, str]] = {
    "IntSlider": (right, "4"),
    "FloatSlider": (right, "2.6"),
    "FloatLogSlider": (right, "12.58"),
    "IntRangeSlider": (left, "(2, 7)"),
    "FloatRangeSlider": (left, "(1.5, 7.4)"),
    "SelectionSlider": (right, "pear"),
    "BoundedIntText": (fill("7"), "7"),
    "IntText": (fill("8"), "8"),
    "BoundedFloatText": (fill("3.25"), "3.25"),
    "FloatText": (fill("4.5"), "4.5"),
    "Text": (fill("typed"), "typed"),
    "Password": (fill("swordfish"), "swordfish"),
    "Textarea": (fill("a new line", field="textarea"), "a new line"),
    "Combobox": (fill("plum"), "plum"),
    "Checkbox": (check, "False"),
    "ToggleButton": (press, "True"),
    "ToggleButtons": (click("plum"), "plum"),
    "Dropdown": (select("plum"), "plum"),
    "RadioButtons": (click("pear"), "pear"),
    "Select": (select("plum"), "plum"),
    "SelectMultiple": (select("apple", "plum"), "('apple', 'plum')"),
    "ColorPicker": (fill("#00ff00", field="input[type=text]"), "#00ff00"),
    "DatePicker": (fill("2027-05-06"), "2027-05-06"),
    "TimePicker": (fill("08:15"), "08:15:00"),
    "DatetimePicker": (fill("2027-05-06T07:08"), "2027-05-06 07:08"),
    "NaiveDatetimePicker": (fill("2027-05-06T07:08"), "2027-05-06 07:08:00"),
    "TagsInput": (add("plum"), "['apple', 'pear', 'plum']"),
    "ColorsInput": (add("lime"), "['red', '#336699', 'lime']"),
    "IntsInput": (add("3"), "[1, 2, 3]"),
    "FloatsInput": (add("3.5"), "[1.5, 2.5, 3.5]"),
}
ONLY_SHOWN = {"IntProgress", "FloatProgress", "Valid", "SelectionRangeSlider", "Play"}


async def test_every_control_shows_and_is_heard(page: Page, serve: Serve) -> None:
    """Each control is used as a person does, and the server's answer is read on the page."""
    assert {type(control).__name__ for control in controls()} == set(ACTS) | ONLY_SHOWN
    server = await serve(APP)
    await page.set_viewport_size({"width": 1400, "height": 1900})
    await page.goto(server.url)
    await expect(page.locator(".control-IntSlider")).to_be_visible()
    silent = []
    for name, (act, expected) in ACTS.items():
        await act(page, page.locator(f".control-{name}").first)
        try:
            await expect(page.locator(f".echo-{name}")).to_contain_text(expected, timeout=4000)
        except AssertionError:
            silent.append((name, expected, await page.locator(f".echo-{name}").text_content()))
    assert silent == []
    for name in ONLY_SHOWN:
        box = await page.locator(f".control-{name}").first.bounding_box()
        assert box is not None
        assert box["width"] > 20
        assert box["height"] > 10


async def test_play_runs_by_itself(page: Page, serve: Serve) -> None:
    """Play counts on in the browser, and the server hears every step."""
    server = await serve(APP)
    await page.goto(server.url)
    await play_once(page, page.locator(".control-Play"))
    await expect(page.locator(".echo-Play")).not_to_have_text("0")


async def test_what_has_no_value_shows_too(page: Page, serve: Serve, tmp_path: Path) -> None:
    """Text, pictures, output, upload, links in the browser and on the server, and every layout."""
    server = await serve(APP)
    server.allow_traceback = True  # "print more" raises inside an Output
    await page.set_viewport_size({"width": 1400, "height": 1900})
    await page.goto(server.url)
    for text in (
        "printed into the output",
        "displayed HTML",
        "displayed Markdown",
        "a widget in it",
        "in the accordion",
        "first tab",
        "stacked",
        "top left",
        "bottom right",
        "centre",
    ):
        await expect(page.get_by_text(text, exact=True).first).to_be_visible()
    await expect(page.get_by_text("below it")).to_be_hidden()
    await expect(page.locator("img.widget-image, .widget-image img").first).to_be_visible()
    await expect(page.locator(".katex").first).to_be_visible()
    await page.get_by_role("button", name="print more").click()
    await expect(page.get_by_text("printed later")).to_be_visible()
    await expect(page.get_by_text("raised in the output").first).to_be_visible()
    async with page.expect_file_chooser() as choosing:
        await page.get_by_role("button", name="upload").click()
    chooser = await choosing.value
    file = tmp_path / "hello.txt"
    file.write_bytes(b"hello")
    await chooser.set_files(file)
    await expect(page.get_by_text("hello.txt: b'hello'")).to_be_visible()
    await page.get_by_text("two", exact=True).click()
    await expect(page.get_by_text("second tab")).to_be_visible()


async def test_a_strict_policy_lets_the_page_through(page: Page, serve: Serve) -> None:
    """The one of the documentation; what it forbids is a complaint of the browser's, which fails the test."""
    server = await serve("integration.support.apps.gallery:strict")
    await page.goto(server.url)
    for name in ("IntSlider", "ColorPicker", "Textarea"):
        act, expected = ACTS[name]
        await act(page, page.locator(f".control-{name}").first)
        await expect(page.locator(f".echo-{name}")).to_contain_text(expected)
    await page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("width", [400, 1400])
async def test_the_gallery_has_no_foreign_host(page: Page, serve: Serve, width: int) -> None:
    """The whole page loads from our server alone; the fixture that watches the browser fails it otherwise."""
    server = await serve(APP)
    await page.set_viewport_size({"width": width, "height": 900})
    await page.goto(server.url)
    await page.wait_for_load_state("networkidle")
    await expect(page.locator(".control-IntSlider")).to_be_visible()


async def test_widgets_that_go_while_an_async_page_function_runs(page: Page, serve: Serve) -> None:
    """The page never hears of them: of the end of one that it does not know, the browser would complain."""
    server = await serve("integration.support.apps.coming_and_going:app")
    await page.goto(server.url)
    await expect(page.get_by_text("stays")).to_be_visible()
    await expect(page.locator(".widget-readout")).to_have_text("7")
    await expect(page.get_by_text("gone")).to_have_count(0)
