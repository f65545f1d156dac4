"""Ten of ipywidgets' own documentation notebooks show and answer as they do in Jupyter.

They are of ipywidgets 7, the last one whose source package has them, and run with the ipywidgets that is installed.
What is expected of each is what its own text and code say; test_beside_jupyter.py has what Jupyter makes of it.
"""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Locator, Page, Route, expect

from integration.gallery.conftest import Notebooks, Shot
from integration.support.watch import Watch

Read = Callable[[str], Awaitable[Page]]


@pytest.fixture
def read(notebooks: Notebooks, browse: Callable[[], Awaitable[Page]], watch: Watch) -> Read:
    """Open a notebook, and wait until its first heading or picture is there."""

    async def open_notebook(path: str) -> Page:
        page = await browse()
        # What two of them show comes from elsewhere.
        for host in ("www.youtube.com", "webrtc.github.io"):
            watch.allow(f"foreign host: https://{host}/")
            await page.route(f"https://{host}/**", a_film)
        await page.goto(f"{notebooks.server.url}/{path}")
        await expect(page.locator("h1, strong, img").first).to_be_visible(timeout=30_000)
        return page

    return open_notebook


async def a_film(route: Route) -> None:
    await route.fulfill(body="a film", content_type="text/html")


def control(within: Page | Locator, kind: str, label: str) -> Locator:
    """The widgets of a kind that have a description."""
    page = within if isinstance(within, Page) else within.page
    return within.locator(kind).filter(has=page.get_by_text(label, exact=True))


async def press(slider: Locator, key: str, times: int = 1) -> None:
    handle = slider.get_by_role("slider").first
    await handle.focus()
    for _ in range(times):
        await handle.press(key)


def readout(slider: Locator) -> Locator:
    return slider.locator(".widget-readout")


async def test_widget_basics(read: Read, shot: Shot) -> None:
    """The same slider shown twice is one; a link in the browser joins a text and a slider; a closed one is gone."""
    page = await read("widget-basics")
    readouts = page.locator(".widget-slider .widget-readout")
    await expect(readouts.filter(has_text="100")).to_have_count(1)
    text = page.locator(".widget-text input[type=number]")
    await text.fill("42.5")
    await text.press("Enter")
    await expect(readouts.filter(has_text="42.50")).to_have_count(1)
    await expect(page.get_by_text("'_dom_classes'")).to_be_visible()  # what w.keys is
    await shot(page)


async def test_widget_list(read: Read, shot: Shot) -> None:
    """One of each: a picture, a tab that a later cell selects, a toggle, a dropdown, an accordion."""
    page = await read("widget-list")
    await expect(page.locator(".widget-tab .lm-TabBar-tab.lm-mod-current").first).to_have_text("3")
    await page.get_by_role("button", name="Regular").click()
    await expect(page.get_by_role("button", name="Regular")).to_have_class(re.compile("mod-active"))
    await control(page, ".widget-dropdown", "Number:").first.get_by_role("combobox").select_option("3")
    test = control(page, ".widget-hslider", "Test:").first
    await press(test, "ArrowRight")
    await expect(readout(test)).to_have_text("8")
    picture = page.locator("img.widget-image")
    assert await picture.evaluate("image => image.naturalWidth") > 0
    await expect(page.locator(".widget-play")).to_be_visible()
    await shot(page)


async def test_widget_events(read: Read, shot: Shot) -> None:
    """Clicks and changes print into outputs; links of Python and of the browser join sliders, until they are undone."""
    page = await read("widget-events")
    await expect(page.get_by_text("Setup a handler to be called when a trait changes.")).to_be_visible()  # its help
    await page.get_by_role("button", name="Click Me!").click(click_count=2)
    await expect(page.get_by_text("Button clicked.\nButton clicked.")).to_be_visible()
    first, second = (control(page, ".widget-hslider", f"Range {number}") for number in (1, 2))
    await press(first, "ArrowRight", 3)
    await expect(readout(second)).to_have_text("3")
    signed = control(page, ".widget-hslider", "Slider")
    await press(signed, "ArrowLeft", 2)
    await expect(page.get_by_text("The slider value is negative")).to_be_visible()
    unlinked = control(page, ".widget-hslider", "Slider 1")
    await press(unlinked, "ArrowRight")
    await expect(readout(unlinked)).to_have_text("1")
    await expect(readout(control(page, ".widget-hslider", "Slider 2"))).to_have_text("0")
    continuous = control(page, ".widget-hslider", "Continuous")
    await press(continuous, "ArrowRight", 2)
    await expect(readout(control(page, ".widget-hslider", "Delayed"))).to_have_text("2")
    await shot(page)


async def test_widget_styling(read: Read, shot: Shot) -> None:
    """Layouts, styles, formulas and pictures of the notebook's folder."""
    page = await read("widget-styling")
    wide = page.get_by_role("button", name="(50% width, 80px height) button")
    box = await wide.bounding_box()
    assert box is not None
    assert box["height"] == pytest.approx(80, abs=3)
    colored = page.get_by_role("button", name="Custom color")
    assert await colored.evaluate("button => getComputedStyle(button).backgroundColor") == "rgb(144, 238, 144)"
    await expect(page.locator(".MathJax, mjx-container, .katex").first).to_be_visible()
    assert await page.locator("img.widget-image").first.evaluate("image => image.naturalWidth") == 600
    await shot(page)


async def test_media_widgets(read: Read, shot: Shot) -> None:
    """A picture, a film that runs in two places, and a sound, from files, whose bytes came through the websocket."""
    page = await read("media-widgets")
    assert await page.locator("img.widget-image").evaluate("image => image.naturalWidth") > 0
    films = page.locator("video[src^=blob]")
    await expect(films).to_have_count(2)
    for media in (films.first, films.last, page.locator("audio")):
        length_s = await media.evaluate(
            "media => media.readyState ? media.duration : new Promise(done =>"
            " media.addEventListener('loadedmetadata', () => done(media.duration)))"
        )
        assert length_s > 1
    await shot(page)


async def test_layout_templates(read: Read, shot: Shot, watch: Watch) -> None:
    """Not one of the ten: grids whose cells are replaced by later cells; a text and a slider in one, linked; plots.

    Two sliders are linked in the browser to the ends of a scale of bqplot, which are None, and a later line gives one
    of them a value. The kernel holds the same as Jupyter's (test_beside_jupyter.py). But there the browser makes each
    link when its line runs; here, as in JupyterLab after a reload, it makes them of what is in the end, and takes None
    to a slider, which ipywidgets 8 can't show: docs/widgets.md.
    """
    watch.allow("Could not create a view for model id")
    page = await read("layout-templates")
    await expect(page.get_by_role("button", name="I am the blue one")).to_be_visible()
    await expect(page.get_by_role("button", name="New button!!")).to_be_visible()
    slider = control(page, ".widget-hslider", "Bottom left")
    await expect(readout(slider)).to_have_text("25")
    await press(slider, "ArrowRight")
    await expect(control(page, ".widget-text", "Top left").locator("input")).to_have_value("26")
    await shot(page)


async def test_output_widget(read: Read, shot: Shot) -> None:
    """Printed, displayed, raised, logged, from a thread: each where it belongs."""
    page = await read("output-widget")
    await expect(page.get_by_text("9 Hello world!")).to_be_visible()
    # By the keyboard: the browser itself loses the first click in a page with a frame of another host.
    await page.get_by_role("button", name="click me to raise an exception").press("Enter")
    await expect(page.get_by_text("This is about to explode")).to_be_visible()
    await expect(page.get_by_text("ZeroDivisionError").last).to_be_visible()
    for label in ("a", "b", "c"):
        await press(control(page, ".widget-hslider", label), "ArrowRight", 2)
    await expect(page.get_by_text("2*2*2=8")).to_be_visible()
    await expect(page.get_by_text("[INFO] Starting program")).to_be_visible()
    await expect(page.get_by_text("4 ******** some text")).to_be_visible()
    await expect(page.get_by_text("All done!")).to_be_visible()
    await shot(page)


async def test_using_interact(read: Read, shot: Shot) -> None:
    """Functions are called as their controls change, when a button is clicked, and plot."""
    page = await read("using-interact")
    first = control(page, ".widget-interact", "x").first
    await press(first, "ArrowRight", 2)
    await expect(first.get_by_text("12", exact=True).last).to_be_visible()
    words = page.locator(".widget-interact").filter(has=page.locator("select")).first
    await words.get_by_role("combobox").select_option("oranges")
    await expect(words.get_by_text("'oranges'")).to_be_visible()
    await page.get_by_role("button", name="Run Interact").last.click()
    line = page.locator(".widget-interact").filter(has=page.get_by_role("img"))
    picture = line.get_by_role("img")
    before = await picture.get_attribute("src")
    await press(control(line, ".widget-hslider", "m"), "ArrowRight", 2)
    await expect(picture).not_to_have_attribute("src", before or "")
    await shot(page)


async def test_widget_asynchronous(read: Read, shot: Shot) -> None:
    """A task and a generator wait for sliders; a thread works on, and the page answers meanwhile.

    What the generator prints in the slider's callback is in the page's console, as it is in JupyterLab's log.
    """
    page = await read("widget-asynchronous")
    for number, kind in enumerate(("async", "generator")):
        slider = page.locator(".widget-hslider").nth(number)
        for value in (1, 2):
            await press(slider, "ArrowRight")
            await expect(page.get_by_text(f"{kind} function continued with value {value}")).to_be_attached()
    bar = page.locator(".progress-bar").last
    await expect(bar).not_to_have_attribute("style", "width: 0%;")
    await shot(page)


async def test_widget_alignment(read: Read, shot: Shot) -> None:
    """What `from ipywidgets import *` brings stands in rows; what later cells change has changed."""
    page = await read("widget-alignment")
    resized = await control(page, ".widget-dropdown", "Foobar").first.bounding_box()
    assert resized is not None
    assert resized["width"] == pytest.approx(148, abs=1)
    tabs = page.locator(".widget-tab .lm-TabBar-tab")
    await expect(tabs.nth(1)).to_have_class(re.compile("lm-mod-current"))
    await tabs.nth(0).click()
    await expect(page.locator(".widget-tab input[type=number]")).to_be_visible()
    await shot(page)


async def test_beat_frequencies(read: Read, shot: Shot) -> None:
    """A sound that can be played, and what pyplot has open at the end of a cell."""
    page = await read("beat-frequencies")
    sound = page.locator("audio")
    await expect(readout(control(page, ".widget-hslider", "f1"))).to_have_text("255.00")
    await expect(page.get_by_role("img")).to_be_visible()
    before = await sound.locator("source").or_(sound).first.get_attribute("src")
    await press(control(page, ".widget-hslider", "f1"), "ArrowRight")
    await expect(sound.locator("source").or_(sound).first).not_to_have_attribute("src", before or "")
    await shot(page)
