"""What is printed and displayed is seen in the page that it belongs to."""

from playwright.async_api import Locator, Page, expect

from integration.gallery.conftest import Provokes, Shot, Visit


def badge(page: Page, count: int) -> Locator:
    return page.get_by_role("button", name=f"Output ({count})")


async def test_the_console(visit: Visit, shot: Shot, provokes: Provokes) -> None:
    """A badge says how much there is; it opens a panel; the panel can be cleared and closed, also by the keyboard."""
    provokes("ZeroDivisionError")
    page = await visit("/output/console")
    await expect(page.get_by_role("heading", name="The console")).to_be_visible()
    log = page.get_by_role("log", name="Output")
    await expect(badge(page, 1)).to_be_visible()
    await expect(log).to_be_hidden()
    await page.get_by_role("button", name="Print a line").click()
    await badge(page, 2).click()
    await expect(log).to_contain_text("The page function says hello.")
    await expect(log).to_contain_text("A line on stderr.")
    await page.get_by_role("button", name="Display a slider").click()
    await expect(log.get_by_text("in there")).to_be_visible()
    await page.get_by_role("button", name="Fail").click()
    await expect(log).to_contain_text("Something failed here (ZeroDivisionError). The server's log says more.")
    await shot(page)
    await log.focus()
    await page.keyboard.press("Escape")
    await expect(badge(page, 4)).to_be_focused()
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Clear").click()
    await expect(log).to_be_empty()
    await page.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("button", name="Output (")).to_have_count(0)


async def test_two_users_see_their_own(visit: Visit) -> None:
    """What one prints is nothing to the other."""
    pages = [await visit("/output/console") for _ in range(2)]
    for page in pages:
        await expect(badge(page, 1)).to_be_visible()
    await pages[0].get_by_role("button", name="Print a line").click()
    await expect(badge(pages[0], 2)).to_be_visible()
    await pages[1].get_by_role("button", name="Display a slider").click()
    await expect(badge(pages[1], 2)).to_be_visible()
    await expect(pages[0].get_by_role("log", include_hidden=True)).not_to_contain_text("in there")
    await expect(pages[1].get_by_role("log", include_hidden=True)).not_to_contain_text("stderr")


async def test_a_flood(visit: Visit) -> None:
    """A hundred thousand lines leave the page alive, and the newest in it."""
    page = await visit("/output/console")
    await expect(badge(page, 1)).to_be_visible()
    await page.get_by_role("button", name="100,000 lines").click()
    log = page.get_by_role("log", include_hidden=True)
    await expect(log).to_contain_text("line 99999")
    await expect(log).to_contain_text("There was more; only the newest is kept.")
    await expect(log).not_to_contain_text("line 50000\n")
    await page.get_by_role("button", name="Print a line").click()
    await expect(log).to_contain_text("A line on stderr.")


async def test_a_page_function_that_fails_after_it_has_printed(visit: Visit, shot: Shot, provokes: Provokes) -> None:
    """The page says that it failed, and shows what was printed before."""
    provokes("LookupError")
    page = await visit("/output/fails")
    await expect(page.get_by_role("alert")).to_be_visible()
    await badge(page, 1).click()
    await expect(page.get_by_role("log")).to_contain_text("It went well until here.")
    await shot(page)


async def test_threads_and_tasks_print_where_they_were_started(visit: Visit, shot: Shot, provokes: Provokes) -> None:
    """Though the block has ended by then; the error of a thread is shown there, too."""
    provokes("TimeoutError")
    page = await visit("/output/started")
    await page.get_by_role("button", name="Start all").click()
    out = page.locator(".widget-output")
    for text in (
        "both are started",
        "the thread is at step 2",
        "the task is at step 2",
        "a thread of the task's is at work",
        "TimeoutError: and then it fails",
    ):
        await expect(out).to_contain_text(text)
    await expect(page.get_by_role("button", name="Output (")).to_have_count(0)
    await shot(page)


async def test_rich_objects(visit: Visit, shot: Shot) -> None:
    """Each as a notebook shows it; a script of IPython's is not run."""
    page = await visit("/output/rich")
    await page.set_viewport_size({"width": 800, "height": 1100})

    def of(name: str) -> Locator:
        return page.locator(f".shows-{name}")

    await expect(of("HTML").locator("mark")).to_have_text("marked")
    await expect(of("Markdown").locator("h1")).to_contain_text("A heading")
    await expect(of("A-script")).to_have_text("was run")
    for name in ("Markdown", "Math", "Latex"):
        await expect(of(name).locator(".katex").first).to_be_visible()
    for name, width in (("PNG", 64), ("JPEG", 24)):
        picture = of(name).locator("img")
        await expect(picture).to_be_visible()
        assert await picture.evaluate("image => [image.naturalWidth > 0, image.width]") == [True, width]
    await expect(of("SVG").locator("svg, img")).to_be_visible()
    await expect(of("Code")).to_contain_text("return 42")
    await expect(of("DataFrame").locator("table tbody tr")).to_have_count(2)
    await expect(of("repr_html").locator("em")).to_have_text("by its _repr_html_")
    await expect(of("repr_mimebundle").locator("code")).to_have_text("_repr_mimebundle_")
    await expect(of("ipython_display").locator("code")).to_have_text("_ipython_display_")
    await expect(of("A-widget").locator(".widget-readout")).to_have_text("7")
    await expect(of("An-object")).to_have_text("{'plain': ['repr', 1]}")
    await expect(of("Pretty")).to_have_text("pretty text")
    await expect(of("JSON")).to_contain_text('"a": [')
    await expect(of("GeoJSON")).to_contain_text('"type": "Point"')
    await expect(of("Javascript")).to_contain_text("Pages do not run scripts that are displayed.")
    await shot(page)
    assert await page.title() == "Rich"


async def test_displays_that_change(visit: Visit, shot: Shot) -> None:
    """By their handle, by their id, and by clearing."""
    page = await visit("/output/updates")
    await expect(page.get_by_text("step 0 of 3")).to_be_visible()
    await page.get_by_role("button", name="Change all").click()
    await expect(page.get_by_text("step 3 of 3")).to_be_visible()
    await expect(page.locator("strong", has_text="after")).to_be_visible()
    await expect(page.locator("b", has_text="after")).to_be_visible()
    await expect(page.get_by_text("before")).to_have_count(0)
    await shot(page)


async def test_figures(visit: Visit, shot: Shot) -> None:
    """As pictures: shown, displayed, without pyplot, and anew with each move of a slider; plotly's as it draws them."""
    page = await visit("/output/figures")
    for name in ("shown", "displayed", "alone", "slider"):
        picture = page.locator(f".figure-{name} img")
        await expect(picture).to_have_count(1)
        assert await picture.evaluate("image => image.naturalWidth") > 200
    await expect(page.locator(".figure-shown")).to_contain_text("open figures: []")
    slider = page.locator(".figure-slider")
    before = await slider.locator("img").get_attribute("src")
    await slider.locator(".noUi-handle").focus()
    await page.keyboard.press("ArrowRight")
    await expect(slider.locator("img")).not_to_have_attribute("src", before or "")
    await expect(slider.locator("img")).to_have_count(1)
    await expect(page.get_by_role("button", name="Output (")).to_have_count(0)
    await expect(page.locator(".figure-plotly .bars .point")).to_have_count(2)
    await shot(page)
