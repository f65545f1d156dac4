"""What pages see of code that changes while they are open."""

import asyncio
import gc
import logging
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import solara_ctx
from tests.reload.conftest import APP, HOME, Served
from tests.support.kernels import Json
from tests.support.reclaim import Deaths
from tests.support.visits import Visit

RELOADS = 100


def words(visit: Visit) -> list[str]:
    return [widget.value for widget in visit.context.widgets.values() if hasattr(widget, "value")]


async def back(visit: Visit) -> None:
    """The page was told of the restart, and comes back."""
    await visit.disconnected()
    assert visit.closed == (1012, "restart")
    await visit.connect()
    await visit.shown()


async def test_only_pages_whose_code_has_changed_begin_afresh(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """The other page goes on with what it has counted."""
    caplog.set_level(logging.INFO)
    home, counter = await served.site.visit("/"), await served.site.visit("/counter")
    await counter.click("Click")
    await served.change("home.py", HOME.replace("one", "two"))
    await back(home)
    assert words(home) == ["home two"]
    await counter.click("Click")
    assert words(counter) == ["2"]
    assert (home.context.stats().restarts, counter.context.stats().restarts) == (1, 0)
    assert "home reloaded in" in caplog.text
    assert "1 of 2 kernels begun afresh" in caplog.text
    assert served.restarts == []


async def test_code_that_fails_is_shown_where_the_old_page_goes_on(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """In every page, those that come later included; the log has it once, and the next good save ends it."""
    home, counter = await served.site.visit("/"), await served.site.visit("/counter")
    for _ in range(2):
        await served.change("home.py", f"{HOME}\ndef (")
    error = await told(home)
    assert error["ename"] == "SyntaxError"
    assert error["explained"][0]["frames"][-1]["file"].endswith("home.py")
    assert (await told(counter)) == error
    late = await served.site.visit("/")
    assert (await told(late)) == error
    assert words(late) == ["home one"]
    assert caplog.text.count("the changed code could not be loaded") == 1
    await counter.click("Click")
    assert words(counter) == ["1"]
    await served.change("home.py", HOME)
    await mended(counter)
    await served.change("home.py", f"{HOME}\ndef (")
    await told(counter)
    await served.change("home.py", HOME.replace("one", "three"))
    await mended(counter)
    await back(home)
    assert words(home) == ["home three"]


async def told(visit: Visit) -> Json:
    """What the page is told of its code that fails."""
    error: Json = await heard(visit, lambda error: error is not None)
    return error


async def mended(visit: Visit) -> None:
    """The page is told that it does no more."""
    await heard(visit, lambda error: error is None)


async def heard(visit: Visit, wanted: Callable[[Json | None], bool]) -> Any:
    def found() -> list[Json | None] | None:
        for message in visit.heard:
            data = message["content"].get("data", {})
            if "code_error" in data and wanted(data["code_error"]):
                visit.heard.remove(message)
                return [data["code_error"]]
        return None

    (error,) = await visit.until(found)
    return error


async def test_pages_may_come_and_go(served: Served) -> None:
    """A new path has a page at once; a kernel whose page is gone ends, and says so."""
    counter = await served.site.visit("/counter")
    await served.change("app.py", APP.replace('"/counter": counter.page', '"/other": counter.page'))
    await counter.disconnected()
    assert counter.closed == (1000, "no-such-page")
    other = await served.site.visit("/other")
    assert words(other) == ["0"]
    assert (await other.http.get("/counter")).status_code == 404


async def test_the_new_module_finds_the_running_app(served: Served) -> None:
    """What it calls its app is the one that is served, with its kernels; its start hooks are the new ones."""
    await served.change("app.py", APP + "\nhooked = []\npage.on_kernel_start(lambda: hooked.append(1))\n")
    visit = await served.site.visit("/")
    fresh = sys.modules["app"]
    assert fresh.page is not served.site.app
    assert fresh.page.registry is served.site.app.registry
    assert fresh.hooked == [1]
    assert visit.kernel_id in fresh.page.registry
    await served.change("app.py", APP)
    assert not served.site.app.registry.start_hooks()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (APP.replace("debug=True", "debug=True, kernel_max_count=3"), "the settings of the KernelApp have changed"),
        (
            APP
            + "from starlette.applications import Starlette\nfrom starlette.routing import Mount\n"
            + 'page = Starlette(routes=[Mount("/", page)])',
            "a whole app can't be replaced",
        ),
    ],
)
async def test_what_cant_be_taken_over_begins_in_a_new_process(served: Served, change: str, reason: str) -> None:
    """And says why; nothing is half of it."""
    visit = await served.site.visit("/")
    await served.change("app.py", change)
    (said,) = served.restarts
    assert said.startswith(reason)
    assert words(visit) == ["home one"]
    assert visit.context.stats().restarts == 0


async def test_a_change_of_this_library_begins_in_a_new_process(served: Served) -> None:
    """Its modules can't be replaced: everything is made with them."""
    await served.changed(Path(solara_ctx.__file__))
    assert served.restarts == ["a part of solara_ctx itself has changed"]


async def test_another_file_begins_all_pages_afresh(served: Served, working_folder: Path) -> None:
    """Such as a template: any module may have read it."""
    home, counter = await served.site.visit("/"), await served.site.visit("/counter")
    await served.changed(working_folder / "words.html")
    await back(home)
    await back(counter)


async def test_a_change_that_comes_to_a_stopped_server_is_nothing(served: Served) -> None:
    """It is on its way down."""
    app = served.site.app
    loop = asyncio.new_event_loop()
    loop.close()
    app.registry._loop, running = loop, app.registry._loop
    await served.change("home.py", HOME.replace("one", "two"))
    await served.change("home.py", "def (")
    app.registry._loop = running


@pytest.fixture(params=[True, False], ids=["automatic", "no automatic collection"])
def collector(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whether Python collects by itself."""
    if not request.param:
        gc.disable()
    yield
    gc.enable()


@pytest.mark.slow
@pytest.mark.uncovered
@pytest.mark.usefixtures("collector")
async def test_a_hundred_reloads_keep_nothing(served: Served) -> None:
    """Neither old modules, functions and classes, nor kernels, nor anything else that there would be ever more of."""
    home, counter = await served.site.visit("/"), await served.site.visit("/counter")
    old: list[weakref.ref[object]] = []
    sizes: list[int] = []
    logging.disable()
    for number in range(RELOADS):
        module = sys.modules["home"]
        old += [weakref.ref(module), weakref.ref(module.page), weakref.ref(module.Heading)]
        old += [weakref.ref(home.context.host), *map(weakref.ref, home.context.widgets.values())]
        del module
        await served.change("home.py", HOME.replace("one", f"number {number}"))
        await back(home)
        home.heard.clear()
        old = [reference for reference in old if reference() is not None]
        sizes.append(len(gc.get_objects()))
    logging.disable(logging.NOTSET)
    assert words(home) == [f"home number {RELOADS - 1}"]
    assert words(counter) == ["0"]
    assert old == []
    assert served.site.app.leaks.stats().zombies == 0
    # The first ones fill caches of Python's own.
    assert abs(sizes[-1] - sizes[RELOADS // 5]) < RELOADS, sizes


async def test_a_kernel_that_begins_afresh_is_freed_by_reference_counting(served: Served) -> None:
    """All of the old run, by the time it has been taken down; with the app's own class of widget, whose module
    is a cycle like every module, and goes with the one collection that follows.
    """
    home = await served.site.visit("/")
    await home.states()
    gc.disable()
    deaths = Deaths()
    deaths.watch_run(home.context)
    old = weakref.ref(sys.modules["home"])
    collected = gc.callbacks.copy()
    collections: list[bool] = []

    def collecting(phase: str, _info: object) -> None:
        if phase == "start":
            collections.append(not deaths.alive)

    gc.callbacks.append(collecting)
    try:
        await served.change("home.py", HOME.replace("one", "two"))
    finally:
        gc.callbacks[:] = collected
        gc.enable()
    assert collections == [True], f"alive when the collection began: {deaths.alive}"
    assert old() is None
    await back(home)
