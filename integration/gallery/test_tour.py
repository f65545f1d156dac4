"""From page to page of one app: the kernel stays, the page goes."""

from typing import Any

from playwright.async_api import Page, expect

from integration.gallery.conftest import Shot, Visit
from integration.support.server import ServerProcess


async def kernels(page: Page, gallery: ServerProcess) -> list[dict[str, Any]]:
    """Those of the page's browser session."""
    response = await page.request.get(f"{gallery.url}/api/kernels")
    found: list[dict[str, Any]] = await response.json()
    return found


async def test_a_link_keeps_the_kernel(visit: Visit, shot: Shot, gallery: ServerProcess) -> None:
    """And so do the way back and the way forth; the address, the title and what is shown go along."""
    page = await visit("/tour")
    loads: list[str] = []
    page.on("load", lambda it: loads.append(it.url))
    for _ in range(2):
        await page.get_by_role("button", name="Add").click()
    await expect(page.get_by_text("basket: apple, apple")).to_be_visible()
    await page.get_by_role("link", name="with coupon winter").click()
    await expect(page.get_by_text("coupon: winter")).to_be_visible()
    await expect(page.get_by_text("basket: apple, apple")).to_be_visible()
    await expect(page.get_by_role("heading", name="Shop")).to_have_count(0)
    await expect(page).to_have_url(f"{gallery.url}/tour/checkout?coupon=winter")
    await expect(page).to_have_title("Checkout")
    await shot(page)
    await page.get_by_role("link", name="back to the shop").click()
    await expect(page.get_by_role("heading", name="Shop")).to_be_visible()
    assert await page.evaluate("scrollY") == 0  # the link was far down
    await page.go_back()
    await expect(page.get_by_text("coupon: winter")).to_be_visible()
    await page.wait_for_function("scrollY > 100")
    await page.go_back()
    await expect(page.get_by_role("heading", name="Shop")).to_be_visible()
    await page.go_forward()
    await expect(page.get_by_text("coupon: winter")).to_be_visible()
    assert loads == []
    assert len(await kernels(page, gallery)) == 1


async def test_code_can_do_it_too(visit: Visit, gallery: ServerProcess) -> None:
    """The address follows; loaded anew there, it is the page that is shown, in a kernel of its own."""
    page = await visit("/tour")
    await page.get_by_role("button", name="Add").click()
    await page.get_by_role("button", name="Check out").click()
    await expect(page.get_by_text("coupon: spring")).to_be_visible()
    await expect(page.get_by_text("basket: apple")).to_be_visible()
    await expect(page).to_have_url(f"{gallery.url}/tour/checkout?coupon=spring")
    await page.reload()
    await expect(page.get_by_text("coupon: spring")).to_be_visible()
    await expect(page.get_by_text("basket: empty")).to_be_visible()


async def test_two_people_have_two_baskets(visit: Visit) -> None:
    """Nothing of one on the pages of the other."""
    one, other = await visit("/tour"), await visit("/tour")
    await one.get_by_role("button", name="Add").click()
    await expect(one.get_by_text("basket: apple")).to_be_visible()
    await other.get_by_role("link", name="with coupon autumn").click()
    await expect(other.get_by_text("basket: empty")).to_be_visible()
