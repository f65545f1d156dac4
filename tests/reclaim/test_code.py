"""Page functions and callbacks that are async, that are interrupted, that others follow in the same kernel."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any

import ipywidgets as widgets
import pytest

from solara_ctx import get_current_context, sleep
from tests.support.everything import all_widgets
from tests.support.reclaim import used, watched
from tests.support.service import eventually
from tests.support.visits import Visit, serving

pytestmark = pytest.mark.uncovered

begun = threading.Event()


@pytest.fixture(autouse=True)
def _not_begun() -> None:
    begun.clear()


async def forever(box: widgets.Widget) -> None:
    begun.set()
    await asyncio.get_running_loop().create_future()
    print(box)


async def in_a_group(box: widgets.Widget) -> None:
    async with asyncio.timeout(7200), asyncio.TaskGroup() as group:
        group.create_task(forever(box))
        group.create_task(asyncio.to_thread(len, box.children))


async def in_a_generator(box: widgets.Widget) -> None:
    async def steps() -> AsyncIterator[widgets.Widget]:
        try:
            while True:
                yield box
        finally:
            await asyncio.sleep(0)

    async for step in steps():
        await forever(step)


async def briefly(box: widgets.Widget) -> None:
    await asyncio.sleep(0)
    box.children = box.children[:-1]


Work = Callable[[Any], Coroutine[object, None, None]]
WORK = pytest.mark.parametrize("work", [briefly, forever, in_a_group, in_a_generator])


@WORK
async def test_an_async_page_function(work: Work) -> None:
    """That has returned, or that its page leaves in the midst of it."""

    async def page() -> widgets.Widget:
        box = all_widgets()
        await work(box)
        return box

    async with serving(page) as site:
        visit = await site.visit(wait=work is briefly)
        if work is not briefly:
            await eventually(begun.is_set)
        deaths = watched(visit)
        await visit.leave()
        await deaths.at_once()


def with_callback(callback: Callable[[Any], object]) -> widgets.Widget:
    """A page with a button that says when its callback has begun."""
    box = all_widgets()
    button = widgets.Button(description="go")
    button.on_click(lambda _: callback(box))
    return widgets.VBox([box, button])


async def clicked(visit: Visit) -> None:
    event = {"method": "custom", "content": {"event": "click"}}
    visit.say("comm_msg", {"comm_id": visit.model_id("go"), "data": event})
    await eventually(begun.is_set)


@WORK
async def test_an_async_callback(work: Work) -> None:
    """The same."""

    async def callback(box: widgets.Widget) -> None:
        await work(box)
        begun.set()

    async with serving(partial(with_callback, callback)) as site:
        visit, _ = await used(site)
        await clicked(visit)
        deaths = watched(visit)
        await visit.leave()
        await deaths.at_once()


def spins(box: widgets.Widget) -> None:
    begun.set()
    while True:
        len(box.children)


def dozes(box: widgets.Widget) -> None:
    begun.set()
    sleep(3600)
    print(box)


@pytest.mark.usefixtures("locks_of_c")
@pytest.mark.parametrize("work", [spins, dozes])
async def test_an_interrupted_callback(work: Callable[[Any], None], caplog: pytest.LogCaptureFixture) -> None:
    """What it was about is let go of with the kernel, and not kept by the interrupt."""
    with caplog.at_level(logging.INFO, "solara_ctx.jupyter"):
        async with serving(partial(with_callback, work)) as site:
            visit, deaths = await used(site)
            await clicked(visit)
            visit.context.interrupt()
            await visit.until(lambda: any(message["header"]["msg_type"] == "error" for message in visit.heard))
            await visit.leave()
            await deaths.at_once()
    assert [r.getMessage().endswith("was interrupted") for r in caplog.records if r.levelno == logging.INFO] == [True]


async def test_pages_that_follow_each_other() -> None:
    """Each with all widgets, a task, a hook and a file; the kernel goes with the last."""

    def page() -> widgets.Widget:
        box = all_widgets()
        context = get_current_context()
        context.on_close(lambda: box.children)
        _ = context.create_task(forever(box))
        context.files.add(lambda: repr(box), "a.txt")
        return box

    async with serving({"/": page, "/other": page}) as site:
        visit, first = await used(site)
        visit.context.navigate("/other")
        await visit.shown()
        second = watched(visit)
        first_widgets = [name for name in first.names if name.startswith(("VBox", "Panel", "IntSlider", "file"))]
        first.end_now()
        assert len(first_widgets) > 3
        await first.at_once(*first_widgets)
        await visit.leave()
        await second.at_once()


async def test_an_upload_that_is_under_way() -> None:
    """Half of a file has come."""

    def page() -> widgets.Widget:
        upload = widgets.FileUpload(description="files")
        upload.observe(lambda change: print(upload, change), "value")
        return widgets.VBox([upload, all_widgets()])

    async with serving(page) as site:
        visit, _ = await used(site)
        data = {
            "widget": visit.model_id("files"),
            "files": [{"name": "a.txt", "type": "text/plain", "size": 1_000, "last_modified": 0}],
        }
        visit.say("comm_open", {"comm_id": "up", "target_name": "solara_ctx.upload", "data": data})
        assert await visit.answer("up") == {"status": "ready"}
        deaths = watched(visit)
        assert any(name.startswith("comm solara_ctx.upload") for name in deaths.names)
        await visit.leave()
        await deaths.at_once()
