"""The gallery itself."""

from playwright.async_api import expect

from integration.gallery.conftest import Shot, Visit


async def test_every_page_is_in_the_list(visit: Visit, shot: Shot) -> None:
    """And leads to it."""
    page = await visit("/")
    await expect(page.get_by_role("heading", name="Gallery")).to_be_visible()
    await shot(page)
    await page.get_by_role("link", name="A counter").click()
    await page.get_by_role("button", name="Click").click()
    await expect(page.get_by_text("1", exact=True)).to_be_visible()
    await shot(page)
