"""Other people's widgets, each seen to answer both ways; that nothing is asked of another host, `watch` holds."""

import re

import pytest
from playwright.async_api import Locator, Page, expect

from integration.gallery.conftest import Shot, Visit
from integration.support.waiting import wait_until

WITHIN_S = 30.0
PAGES = [
    "/anywidget",
    "/plotly",
    "/bqplot",
    "/ipyleaflet",
    "/ipyvuetify",
    "/ipydatagrid",
    "/itables",
    "/ipympl",
    "/altair",
    "/missing",
]


async def said(page: Page, text: str | re.Pattern[str]) -> None:
    """Python has heard of it."""
    await expect(page.locator(".widget-label", has_text=text)).to_be_visible()


async def press(page: Page, name: str) -> None:
    """A button of Python's."""
    await page.get_by_role("button", name=name, exact=True).click()


async def centre(place: Locator) -> tuple[float, float]:
    """Where the mouse has to go."""
    box = await place.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse, as a hand does: not in one step."""
    await page.mouse.move(*start)
    await page.mouse.down()
    await page.mouse.move(*end, steps=8)
    await page.mouse.up()


async def test_anywidget(visit: Visit, shot: Shot) -> None:
    """Its program comes with the widget."""
    page = await visit("/anywidget")
    await page.get_by_label("3 of 5").click()
    await said(page, "3 stars")
    await expect(page.get_by_text("★")).to_have_count(3)
    await shot(page)
    await press(page, "All of them")
    await expect(page.get_by_text("★")).to_have_count(5)
    await said(page, "5 stars")


async def test_plotly(visit: Visit, shot: Shot) -> None:
    """A click on a point is told, and new values move the points."""
    page = await visit("/plotly")
    points = page.locator(".scatterlayer .point")
    await expect(points).to_have_count(4)
    third = await centre(points.nth(2))
    # The mouse is noticed by what lies above the points, once it has moved there.
    await page.mouse.move(third[0] - 3, third[1])
    await page.mouse.move(*third)
    await expect(page.locator(".hoverlayer .hovertext")).to_be_visible()
    await page.mouse.down()
    await page.mouse.up()
    await said(page, "point 2 at 12")
    await shot(page)
    first = await centre(points.nth(0))
    await press(page, "Turn it over")
    await wait_until(lambda: is_above(points.nth(0), first[1] - 50), WITHIN_S, "the first point at the top")


async def is_above(place: Locator, y: float) -> bool:
    return (await centre(place))[1] < y


async def test_bqplot(visit: Visit, shot: Shot) -> None:
    """A brush selects points, and new values move them."""
    page = await visit("/bqplot")
    dots = page.locator(".bqplot path.dot")
    await expect(dots).to_have_count(11)
    second, fourth = await centre(dots.nth(1)), await centre(dots.nth(3))
    await drag(page, (second[0] - 12, fourth[1] - 12), (fourth[0] + 12, second[1] + 12))
    await said(page, "selected 3 points")
    await shot(page)
    await press(page, "Upside down")
    await wait_until(lambda: is_above(dots.nth(1), fourth[1] - 50), WITHIN_S, "the second point near the top")


async def test_ipyleaflet(visit: Visit, shot: Shot) -> None:
    """A click on the map is told, and the map goes where Python sends it."""
    page = await visit("/ipyleaflet")
    chart = page.locator(".leaflet-container")
    await expect(chart.locator("img.leaflet-tile-loaded").first).to_be_visible()
    marker = chart.get_by_title("here")
    middle = await centre(chart)
    await page.mouse.click(middle[0] + 100, middle[1] + 60)
    await said(page, re.compile(r"clicked near 5\d, [67]"))
    await shot(page)
    before = await centre(marker)
    await press(page, "To the west")

    async def has_moved() -> bool:
        return (await centre(marker))[0] > before[0] + 100

    await wait_until(has_moved, WITHIN_S, "a map that has gone west")


async def test_ipyvuetify(visit: Visit, shot: Shot) -> None:
    """A template calls Python, which changes what the template shows."""
    page = await visit("/ipyvuetify")
    await page.get_by_role("button", name="Add two").click()
    await said(page, "2 in all")
    await expect(page.get_by_text("Counted 2", exact=True)).to_be_visible()
    await page.get_by_role("button", name="A button of Vuetify's").click()
    await said(page, "the button was clicked")
    await shot(page)
    await press(page, "Forty")
    await expect(page.get_by_text("Counted 40", exact=True)).to_be_visible()


async def test_ipydatagrid(visit: Visit, shot: Shot) -> None:
    """A cell is changed in place, and by Python: what the canvas shows is another picture then."""
    page = await visit("/ipydatagrid")
    canvas = page.locator(".ipydatagrid-widget canvas").first
    await expect(canvas).to_be_visible()
    before = await picture(canvas)
    box = await canvas.bounding_box()
    assert box is not None
    await page.mouse.dblclick(box["x"] + 150, box["y"] + 50)
    editor = page.locator(".ipydatagrid-widget input")
    await editor.fill("4321")
    await editor.press("Enter")
    await said(page, "people is 4321 now")
    await shot(page)
    edited = await picture(canvas)
    assert edited != before
    await press(page, "Oslo grows")
    await said(page, "people is 9000 now")

    async def is_redrawn() -> bool:
        return await picture(canvas) not in {before, edited}

    await wait_until(is_redrawn, WITHIN_S, "a grid that shows what Python has set")


async def picture(canvas: Locator) -> str:
    url: str = await canvas.evaluate("canvas => canvas.toDataURL()")
    return url


async def test_itables(visit: Visit, shot: Shot) -> None:
    """Rows are selected in the page and by Python."""
    page = await visit("/itables")
    await page.get_by_role("cell", name="Rome").click()
    await said(page, "rows [1]")
    await shot(page)
    await press(page, "Select Bern")
    await expect(page.locator("tr.selected")).to_have_text(re.compile("Bern"))


async def test_ipympl(visit: Visit, shot: Shot) -> None:
    """A click is told in the figure's own coordinates, a drag moves what is seen, and Python draws anew."""
    page = await visit("/ipympl")
    canvas = page.locator(".jupyter-matplotlib-canvas-div canvas").first
    await expect(canvas).to_be_visible()

    async def is_drawn() -> bool:
        # Blue is the line.
        return await has_color(canvas, 31, 119, 180)

    await wait_until(is_drawn, WITHIN_S, "a figure that is drawn")
    middle = await centre(canvas)
    await page.mouse.click(*middle)
    await said(page, "clicked at 1.")
    await shot(page)
    await page.mouse.move(*middle)  # shows the toolbar
    await page.locator(".jupyter-matplotlib-toolbar .fa-arrows").click()
    await drag(page, middle, (middle[0] + 120, middle[1]))
    await said(page, re.compile(r"from -0\.\d to"))
    await press(page, "Turn it over")

    async def is_red() -> bool:
        return await has_color(canvas, 220, 20, 60)

    await wait_until(is_red, WITHIN_S, "a figure that is drawn in red")


async def has_color(canvas: Locator, red: int, green: int, blue: int) -> bool:
    found: bool = await canvas.evaluate(
        """(canvas, [red, green, blue]) => {
          const context = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
          context.drawImage(canvas, 0, 0);
          const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
          for (let i = 0; i < data.length; i += 4)
            if (data[i] === red && data[i + 1] === green && data[i + 2] === blue) return true;
          return false;
        }""",
        [red, green, blue],
    )
    return found


async def test_altair(visit: Visit, shot: Shot) -> None:
    """A click on a point is a selection in Python, and a parameter that Python sets changes the drawing."""
    page = await visit("/altair")
    points = page.locator(".mark-symbol path")
    await expect(points).to_have_count(4)
    await points.nth(2).click()
    await said(page, "picked ['c']")
    await expect(points.nth(2)).to_have_attribute("fill", "teal")
    await expect(points.nth(0)).to_have_attribute("fill", "silver")
    await shot(page)
    small = await points.nth(0).get_attribute("d")
    assert small is not None
    await press(page, "Larger")
    await expect(points.nth(0)).not_to_have_attribute("d", small)


async def test_missing(visit: Visit, shot: Shot) -> None:
    """Each box says what is not there, and what to install where anybody knows; the rest of the page works."""
    page = await visit("/missing")
    unheard, threejs = page.get_by_role("note").nth(0), page.get_by_role("note").nth(1)
    await expect(unheard).to_have_text(
        "Unheard can't be shown: its module unheard-of ^1.2.0 is not installed where the server runs."
    )
    await expect(threejs).to_contain_text("its module jupyter-threejs")
    await expect(threejs).to_contain_text("Try pip install pythreejs.")
    await press(page, "Say something")
    await said(page, "The rest works")
    await shot(page)


@pytest.mark.parametrize("path", PAGES)
async def test_two_users_share_nothing(visit: Visit, path: str) -> None:
    """What one of them has Python do changes that one's page, and not a dot of the other's."""
    first, second = await visit(path), await visit(path)
    before = await still(first), await still(second)
    await first.locator(".widget-button").click()

    async def has_changed() -> bool:
        # The button has the focus, which shows.
        return await first.locator(".widget-vbox").first.screenshot() != before[0]

    await wait_until(has_changed, WITHIN_S, "a page that has changed")
    await expect(second.get_by_text("Nothing yet")).to_be_visible()
    assert await still(second) == before[1]


async def still(page: Page) -> bytes:
    """What a page shows, once that stays as it is."""
    shown = page.locator(".widget-vbox").first
    await expect(shown).to_be_visible()
    seen: list[bytes] = [b""]

    async def is_still() -> bool:
        seen.append(await shown.screenshot())
        return seen[-1] == seen[-2]

    await wait_until(is_still, WITHIN_S, "a page that stays as it is")
    return seen[-1]
