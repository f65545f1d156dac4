"""Page functions and their code, as a person would use them."""

from playwright.async_api import Page, expect

from integration.gallery.conftest import Shot, Visit


async def click(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def test_an_async_page_function(visit: Visit, shot: Shot) -> None:
    """All parts are there."""
    page = await visit("/awaits")
    for number in range(3):
        await expect(page.get_by_text(f"part {number}")).to_be_visible()
    await shot(page)


async def test_several_things(visit: Visit, shot: Shot) -> None:
    """Each as Jupyter shows it, in order."""
    page = await visit("/several")
    await expect(page.locator("b")).to_have_text("a widget")
    await expect(page.locator("strong")).to_have_text("Markdown")
    await expect(page.locator(".katex").first).to_be_visible()
    await expect(page.locator("em")).to_have_text("HTML")
    await expect(page.get_by_text("plain text")).to_be_visible()
    await expect(page.get_by_text("42")).to_be_visible()
    await shot(page)


async def test_a_reacton_component(visit: Visit, shot: Shot) -> None:
    """Two people have a list each; a thread renders meanwhile."""
    page, other = await visit("/reacton"), await visit("/reacton")
    await page.get_by_placeholder("what else?").fill("harvest")
    await click(page, "Add")
    await expect(page.get_by_text("harvest")).to_be_visible()
    await expect(page.get_by_text("open for 2 s")).to_be_visible()
    await expect(other.get_by_text("water")).to_be_visible()
    await expect(other.get_by_text("harvest")).to_have_count(0)
    await expect(page.get_by_placeholder("what else?")).to_have_value("")
    await shot(page)


async def test_async_callbacks(visit: Visit, shot: Shot) -> None:
    """While one counts down, the other answers, and knows its page."""
    page = await visit("/callbacks")
    await click(page, "Start")
    await click(page, "Ping")
    await expect(page.get_by_text("pong from")).to_be_visible()
    await expect(page.get_by_text("lift off")).to_be_visible()
    await shot(page)


async def test_long_work_is_stopped(visit: Visit, shot: Shot) -> None:
    """The page says that it works, and stops when asked; another page of the same server knows nothing of that."""
    page, other = await visit("/long-work"), await visit("/long-work")
    await click(other, "Compute")
    for begin, doing, done in (("Compute", "computing", "stopped at 1.6"), ("Sleep", "asleep", "awake")):
        await click(page, begin)
        await expect(page.get_by_text(doing)).to_be_visible()
        await expect(page.get_by_text("Working…")).to_be_visible()
        await shot(page)
        await click(page, "Stop")
        await expect(page.get_by_text(done)).to_be_visible()
        await expect(page.locator(".solara-notice-busy")).to_have_count(0)
    await click(page, "Quick")
    await expect(page.get_by_text("quick at")).to_be_visible()
    await expect(other.get_by_text("computing")).to_be_visible()
    await click(other, "Stop")
    await expect(other.get_by_text("stopped at 1.6")).to_be_visible()


async def test_threads(visit: Visit, shot: Shot) -> None:
    """A thread drives a bar."""
    page = await visit("/threads")
    await click(page, "Start")
    await expect(page.get_by_text("step 1", exact=False)).to_be_visible()
    await shot(page)


async def test_variables(visit: Visit, shot: Shot) -> None:
    """One value per page."""
    page, other = await visit("/variables"), await visit("/variables")
    for _ in range(3):
        await click(page, "Visit")
    await click(other, "Visit")
    await expect(page.get_by_text("3 visits")).to_be_visible()
    await expect(other.get_by_text("1 visits")).to_be_visible()
    await shot(page)
