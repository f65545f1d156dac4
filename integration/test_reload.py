"""`solara-ctx run --reload`: code that changes is shown in the pages that are open, where the person is."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from integration.conftest import Launch
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until
from integration.support.watch import Watch

HOME = '''
import ipywidgets as widgets


def page():
    """Long, with a list of its own that scrolls, and a field."""
    rows = [widgets.Label(f"one {number}") for number in range(60)]
    inner = widgets.VBox(rows[:30], layout=widgets.Layout(height="120px", overflow_y="auto", display="block"))
    return widgets.VBox([*rows[30:], inner, widgets.Text(placeholder="name"), *[widgets.Label("end")] * 40])
'''
COUNTER = """
import ipywidgets as widgets


def page():
    label, button = widgets.Label("0"), widgets.Button(description="Click")
    button.on_click(lambda _: setattr(label, "value", str(int(label.value) + 1)))
    return widgets.VBox([button, label])
"""
APP = """
import counter, home
from solara_ctx import KernelApp

page = KernelApp({"/": home.page, "/counter": counter.page})
"""
# Fast enough that nobody waits for it: a tenth of this, on a machine that does nothing else.
CTRL_C_WITHIN_S = 5.0
Reloading = Callable[..., Awaitable[ServerProcess]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With an app of two pages."""
    for name, text in {"home.py": HOME, "counter.py": COUNTER, "app.py": APP}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def reloading(launch: Launch, folder: Path) -> Reloading:
    """Serves the app with `--reload`."""

    async def serve(target: str = "app.py", *options: str) -> ServerProcess:
        return await launch("solara_ctx", "run", str(folder / target), "--port", "0", "--reload", *options)

    return serve


def save(path: Path, text: str) -> None:
    """As many editors do: a file beside, which then takes the place."""
    beside = path.with_name(f"{path.name}.tmp")
    beside.write_text(text)
    beside.replace(path)


async def test_a_page_shows_the_change_where_the_person_is(
    browse: Callable[[], Awaitable[Page]], reloading: Reloading, folder: Path
) -> None:
    """Its scroll position, that of a list in it, and the field that has the focus stay; the other page goes on."""
    server = await reloading()
    home, counter = await browse(), await browse()
    await home.goto(server.url)
    await counter.goto(f"{server.url}/counter")
    await counter.get_by_role("button", name="Click").click()
    await expect(counter.get_by_text("1", exact=True)).to_be_visible()
    await home.evaluate("window.sameDocument = true")
    await home.get_by_placeholder("name").focus()
    await home.evaluate("document.querySelector('.widget-vbox .widget-vbox').scrollTop = 200")
    await home.evaluate("window.scrollTo(0, 500)")
    for number, word in enumerate(("two", "three", "four")):
        save(folder / "home.py", HOME.replace("one", word))
        await expect(home.get_by_text(f"{word} 40", exact=True)).to_be_attached()
        await wait_until(lambda: is_where_it_was(home), what=f"the place on the page after {number + 1} reloads")
    assert await home.evaluate("window.sameDocument") is True
    assert await home.get_by_text("one 40", exact=True).count() == 0
    await counter.get_by_role("button", name="Click").click()
    await expect(counter.get_by_text("2", exact=True)).to_be_visible()
    assert "1 of 2 kernels begun afresh" in server.log_text()


async def is_where_it_was(page: Page) -> bool:
    """Whether everything is scrolled as it was, and the field has the focus."""
    place = await page.evaluate(
        "[scrollY, document.querySelector('.widget-vbox .widget-vbox').scrollTop, document.activeElement.placeholder]"
    )
    return bool(place == [500, 200, "name"])


async def picture(page: Page, name: str) -> None:
    """Keep it for people to look at, where SOLARA_CTX_SCREENSHOTS names a folder."""
    folder = os.environ.get("SOLARA_CTX_SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def test_code_that_fails_is_shown_with_its_line(page: Page, reloading: Reloading, folder: Path) -> None:
    """The old page stays and works; the next good save shows the new one, in the same document."""
    server = await reloading()
    await page.goto(f"{server.url}/counter")
    await page.evaluate("window.sameDocument = true")
    server.allow_traceback = True
    save(folder / "counter.py", COUNTER.replace("def page():", "def page(:"))
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("The changed code could not be loaded")
    await expect(alert).to_contain_text("SyntaxError")
    await expect(alert.locator(".solara-traceback-failed").first).to_contain_text("def page(:")
    await picture(page, "reload-syntax-error")
    await page.get_by_role("button", name="Click").click()
    await expect(page.locator("#solara-app").get_by_text("1", exact=True)).to_be_visible()
    save(folder / "counter.py", COUNTER.replace('Label("0")', "Label(str(10 // 0))"))
    await expect(alert).to_contain_text("ZeroDivisionError")
    await expect(alert.locator(".solara-traceback-failed mark")).to_have_text("10 // 0")
    await picture(page, "reload-page-error")
    save(folder / "counter.py", COUNTER.replace('Label("0")', 'Label("5")'))
    await expect(page.get_by_text("5", exact=True)).to_be_visible()
    await expect(alert).to_have_count(0)
    assert await page.evaluate("window.sameDocument") is True
    assert server.log_text().count("the changed code could not be loaded") == 1


async def test_what_cant_be_replaced_begins_in_a_new_process(
    page: Page, watch: Watch, reloading: Reloading, folder: Path
) -> None:
    """A whole app: the page is told, and comes back to the same port."""
    mounted = 'app = Starlette(routes=[Mount("/", page)], lifespan=page.lifespan)'
    imports = "from starlette.applications import Starlette\nfrom starlette.routing import Mount\n"
    (folder / "app.py").write_text(f"{imports}{APP}\n{mounted}\n")
    server = await reloading("app.py:app")
    await page.goto(f"{server.url}/counter")
    watch.allow("WebSocket|ERR_|403|404")
    save(folder / "counter.py", COUNTER.replace('Label("0")', 'Label("5")'))
    await expect(page.get_by_role("button", name="Start afresh")).to_be_visible()
    assert "starting the process anew" in server.log_text()
    await page.get_by_role("button", name="Start afresh").click()
    await expect(page.get_by_text("5", exact=True)).to_be_visible()


async def test_code_that_fails_at_the_start_is_waited_for(page: Page, launch: Launch, folder: Path) -> None:
    """The log says what is wrong, and the server begins with the next save that can be loaded."""
    (folder / "counter.py").write_text("def page(:")

    async def mend() -> None:
        await wait_until(lambda: "waiting for a change" in log.read_text(), what="the complaint")
        save(folder / "counter.py", COUNTER)

    log = folder.parent / "server.log"
    server = ServerProcess(("solara_ctx", "run", str(folder / "app.py"), "--port", "0", "--reload"), log)
    try:
        await asyncio.gather(mend(), server.ready("/readyz"))
        await page.goto(f"{server.url}/counter")
        await expect(page.get_by_role("button", name="Click")).to_be_visible()
        assert "SyntaxError" in server.log_text()
    finally:
        await page.close()  # it would complain of a server that is gone
        began = time.monotonic()
        os.kill(server.process.pid, signal.SIGINT)
        assert await server.ended() == 0
    assert time.monotonic() - began < CTRL_C_WITHIN_S
