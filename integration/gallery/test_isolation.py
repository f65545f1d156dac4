"""Two users at once: what one sets is not the other's."""

import asyncio

from playwright.async_api import Page, expect

from integration.gallery.conftest import Shot, Visit


async def choose(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def test_each_page_plots_in_its_own_style(visit: Visit, shot: Shot) -> None:
    """Style, settings and figure numbers; both plot at the same time, again and again."""
    mine, theirs = await visit("/isolation/styles"), await visit("/isolation/styles")
    for page in (mine, theirs):
        await expect(page.get_by_role("img")).to_be_visible()
        await expect(page.get_by_text("figures: [1], width: 2")).to_be_visible()
    await mine.get_by_role("combobox").select_option("dark_background")
    await theirs.get_by_role("combobox").select_option("ggplot")
    slider = theirs.get_by_role("slider")
    await slider.focus()
    for _ in range(5):
        await slider.press("ArrowRight")
    for _ in range(3):
        await asyncio.gather(choose(mine, "Plot"), choose(theirs, "Plot"))
    await expect(mine.get_by_text("figures: [1], width: 2")).to_be_visible()
    await expect(theirs.get_by_text("figures: [1], width: 7")).to_be_visible()
    dark, light = await corner(mine), await corner(theirs)
    assert dark == [0, 0, 0]
    assert light == [255, 255, 255]
    await shot(mine)


async def corner(page: Page) -> object:
    """The colour of the picture's first pixel."""
    picture = page.get_by_role("img")
    await expect(picture).to_be_visible()
    return await picture.evaluate(
        """image => image.decode().then(() => {
            const canvas = document.createElement("canvas");
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
        })"""
    )


async def test_each_page_has_its_own_backend(visit: Visit, shot: Shot) -> None:
    """One with windows is refused, in words; plots of threads are shown where they were asked for."""
    mine, theirs = await visit("/isolation/backends"), await visit("/isolation/backends")
    await choose(mine, "svg")
    await choose(mine, "Plot in a thread")
    await choose(theirs, "Plot in a thread")
    await expect(mine.get_by_text("drawn with svg")).to_be_visible()
    await expect(theirs.get_by_text("drawn with agg")).to_be_visible()
    for page in (mine, theirs):
        await expect(page.get_by_role("img")).to_have_count(1)
    await choose(mine, "TkAgg")
    await choose(mine, "Plot in a thread")
    await expect(mine.get_by_text("it would open windows of TkAgg on the server")).to_be_visible()
    await expect(mine.get_by_text("drawn with svg")).to_be_visible()
    for page in (mine, theirs):
        await expect(page.get_by_role("img")).to_be_visible()
    await shot(mine)


async def test_each_page_says_what_becomes_of_its_warnings(visit: Visit, shot: Shot) -> None:
    """Shown, ignored, raised; in the page's output."""
    mine, theirs = await visit("/isolation/warnings"), await visit("/isolation/warnings")
    await choose(mine, "error")
    for page in (mine, theirs):
        await choose(page, "Warn")
    await expect(mine.get_by_text("raised: the coffee is cold")).to_be_visible()
    await expect(theirs.get_by_text("UserWarning: the coffee is cold")).to_be_visible()
    await choose(mine, "ignore")
    await choose(mine, "Warn")
    await expect(mine.get_by_text("warned")).to_be_visible()
    await expect(mine.get_by_text("UserWarning")).to_have_count(0)
    await shot(theirs)


async def test_what_all_pages_share(visit: Visit) -> None:
    """A module's global variable goes on counting."""

    async def count() -> int:
        page = await visit("/isolation/shared")
        return int(await page.locator("b").inner_text())

    first = await count()
    assert await count() == first + 1
