"""What is around the widgets."""

import asyncio
import re

from playwright.async_api import Page, expect

from integration.gallery.conftest import Shot, Visit
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until
from integration.support.watch import Watch

OPEN = "[data-solara-root][data-solara-state=open]"
PAPER = "() => getComputedStyle(document.body).backgroundColor"


async def is_dark(page: Page) -> bool:
    """Whether the page is dark, in what is painted and in what widgets are told."""
    red = int(re.findall(r"\d+", await page.evaluate(PAPER))[0])
    told = await page.evaluate("() => document.body.dataset.jpThemeLight")
    assert told == ("true" if red > 128 else "false")
    return red < 128


async def test_title_icon_and_theme_change_while_the_page_is_open(visit: Visit, shot: Shot) -> None:
    """For this page only."""
    page, other = await visit("/look"), await visit("/look")
    icon = page.locator("link[rel=icon]")
    for each in (page, other):
        await expect(each.locator(OPEN)).to_be_visible()
        await expect(each).to_have_title("A page with a look")
        assert not await is_dark(each)
    await page.get_by_label("Title").fill("3 new messages")
    await expect(page).to_have_title("3 new messages")
    fox = await icon.get_attribute("href")
    await page.get_by_role("button", name="🐙").click()
    await expect(icon).not_to_have_attribute("href", str(fox))
    await page.get_by_role("button", name="dark", exact=True).click()
    await expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    assert await is_dark(page)
    await shot(page)
    await expect(other).to_have_title("A page with a look")
    assert not await is_dark(other)
    await shot(other)


async def test_by_default_the_theme_is_what_the_user_prefers(visit: Visit) -> None:
    """And follows when that changes, as in the evening."""
    page = await visit("/look")
    await expect(page.locator(OPEN)).to_be_visible()
    assert not await is_dark(page)
    await page.emulate_media(color_scheme="dark")
    await expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    assert await is_dark(page)
    await page.get_by_role("button", name="light", exact=True).click()
    await expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "true")
    assert not await is_dark(page)


async def test_a_dark_page_is_dark_from_its_first_frame(visit: Visit, watch: Watch, shot: Shot) -> None:
    """Before any script has run."""
    page = await visit("/dark")
    await expect(page.locator(OPEN)).to_be_visible()
    await expect(page).to_have_title("Dark")
    await shot(page)
    icon = await page.locator("link[rel=icon]").get_attribute("href")
    served = await page.request.get(f"{page.url.removesuffix('/dark')}{icon}")
    assert served.headers["content-type"] == "image/svg+xml"
    watch.allow("ERR_FAILED")
    await page.route(re.compile(r"\.js$"), lambda route: route.abort())
    await page.reload()
    assert int(re.findall(r"\d+", await page.evaluate(PAPER))[0]) < 128


async def test_the_widgets_are_where_the_template_says(visit: Visit, shot: Shot) -> None:
    """In several places of one page, and of one kernel."""
    page = await visit("/places?name=<b>Ada</b>")
    await expect(page).to_have_title("Acme: Sales")
    await expect(page.get_by_role("banner")).to_contain_text("Sales for <b>Ada</b>")
    await expect(page.locator("main")).to_have_text("Sales of 2024")
    await page.locator("aside").get_by_role("slider").press("ArrowRight")
    await expect(page.locator("main")).to_have_text("Sales of 2025")
    await expect(page.locator("footer")).to_have_text("25 years of sales")
    await shot(page)
    await page.emulate_media(color_scheme="dark")
    await expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    await shot(page)
    assert await is_dark(page)


async def test_a_place_that_is_missing_is_an_error_in_the_page(visit: Visit, watch: Watch, shot: Shot) -> None:
    """Nobody wonders where the widgets are."""
    watch.allow('no element with data-solara-root="nowhere"')
    page = await visit("/lost")
    await expect(page.locator("[data-solara-state=error]")).to_be_attached()
    await expect(page.get_by_role("alert")).to_be_visible()
    await shot(page)


async def test_files_are_downloaded(visit: Visit, shot: Shot, gallery: ServerProcess) -> None:
    """By their names, as they are when asked for; by this browser only, and no longer than they are offered."""
    page, other = await visit("/files"), await visit("/files")
    await expect(page.locator(OPEN)).to_be_visible()
    await expect(page.get_by_role("img", name="A circle")).to_have_js_property("naturalWidth", 90)
    await shot(page)

    async def downloaded(link: str) -> tuple[str, bytes]:
        async with page.expect_download() as began:
            await page.get_by_role("link", name=link).click()
        download = await began.value
        return download.suggested_filename, await asyncio.to_thread((await download.path()).read_bytes)

    assert await downloaded("Text") == ("Größe.txt", "Größe: 7\n".encode())
    await page.get_by_role("slider").press("ArrowLeft")
    await expect(page.locator(".widget-readout")).to_have_text("4")
    assert await downloaded("Table") == ("squares.csv", b"n,square\n0,0\n1,1\n2,4\n3,9\n")
    name, content = await downloaded("This file")
    assert name == "around.py"
    assert b"def files()" in content
    assert await page.locator("#solara-app").get_attribute("data-solara-state") == "open"
    url = f"{gallery.url}{await page.get_by_role('link', name='Text').get_attribute('href')}"
    assert (await page.request.get(url)).status == 200
    assert (await other.request.get(url)).status == 403
    await page.get_by_role("button", name="Withdraw").click()
    await page.wait_for_function("() => !document.getElementById('solara-app').solaraBusy")
    assert (await page.request.get(url)).status == 404
    kept = f"{gallery.url}{await page.get_by_role('link', name='Table').get_attribute('href')}"
    await page.goto("about:blank")

    async def is_gone() -> bool:
        return (await page.request.get(kept)).status == 404

    await wait_until(is_gone, what="the file is gone")


async def test_a_page_in_a_frame_has_a_kernel_of_its_own(visit: Visit, shot: Shot, gallery: ServerProcess) -> None:
    """Both work, and the inner one ends when its frame goes."""
    page = await visit("/frame")
    inside = page.frame_locator("iframe")
    await inside.get_by_role("button", name="Click").click()
    await inside.get_by_role("button", name="Click").click()
    await expect(inside.get_by_text("2", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Outside").click()
    await expect(page.get_by_text("1", exact=True)).to_be_visible()
    await shot(page)

    async def kernels() -> int:
        return len(await (await page.request.get(f"{gallery.url}/api/kernels")).json())

    assert await kernels() == 2
    await page.get_by_role("button", name="Close the frame").click()

    async def is_gone() -> bool:
        return await kernels() == 1

    await wait_until(is_gone, what="the kernel of the frame has gone")
    await page.get_by_role("button", name="Outside").click()
    await expect(page.get_by_text("2", exact=True)).to_be_visible()


async def test_a_page_reads_its_address(visit: Visit, shot: Shot) -> None:
    """Each its own."""
    page, other = await visit("/asked?year=2025&name=<i>Ada"), await visit("/asked")
    await expect(page.get_by_role("row", name="year 2025")).to_be_visible()
    await expect(page.get_by_role("row", name="name <i>Ada")).to_be_visible()
    await expect(other.get_by_text("nothing")).to_be_visible()
    await shot(page)
