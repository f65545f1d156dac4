"""Arrays, there and back."""

import pytest
from playwright.async_api import Locator, expect

from integration.gallery.conftest import Shot, Visit
from integration.support.waiting import wait_until

WITHIN_S = 30.0


async def corner(canvas: Locator) -> object:
    """The colour of the picture's upper right corner."""
    return await canvas.evaluate(
        """canvas => {
          const context = new OffscreenCanvas(1, 1).getContext("2d");
          context.drawImage(canvas, 1 - canvas.width, 0);
          return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
        }"""
    )


@pytest.mark.parametrize(("size", "side"), [("1 MB", 500), pytest.param("50 MB", 3536, marks=pytest.mark.thorough)])
async def test_an_array_is_a_picture(visit: Visit, shot: Shot, size: str, side: int) -> None:
    """Red in the upper right corner; what comes back is its negative, bit by bit."""
    page = await visit("/array")
    canvas = page.locator("canvas")
    await page.get_by_role("button", name=size, exact=True).click()
    await expect(canvas).to_have_js_property("width", side)
    assert await corner(canvas) == [255, 60, 0]
    await canvas.click()
    await expect(page.get_by_text(f"{size}, the upper right corner is 0, 195, 255")).to_be_visible()

    async def is_negative() -> bool:
        return await corner(canvas) == [0, 195, 255]

    await wait_until(is_negative, WITHIN_S, "the negative")
    await shot(page)
