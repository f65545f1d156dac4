"""From one page of an app to another, in the same kernel."""

import asyncio
import gc
import threading
import weakref
from typing import Any

import ipywidgets as widgets
import pytest

from solara_ctx import (
    ContextClosed,
    KernelVar,
    NoCurrentContext,
    get_current_context,
    navigate,
    sleep,
)
from tests.support.fakes import PATIENCE_S
from tests.support.service import eventually, silent
from tests.support.visits import Visit, serving

memory: KernelVar[str] = KernelVar("memory", default="nothing")
log: list[str] = []


@pytest.fixture(autouse=True)
def nothing_logged() -> None:
    log.clear()


def first() -> widgets.Widget:
    """A page with a button that goes to the other one."""
    button = widgets.Button(description="Go")
    button.on_click(lambda _: navigate("/second?from=first"))
    memory.set("of the first page")
    get_current_context().on_close(lambda: log.append("first is left"))
    return button


def second(connection: Any) -> widgets.Widget:
    """The other one."""
    get_current_context().on_close(lambda: log.append("second is left"))
    return widgets.VBox([widgets.Label(f"{memory.get()}, {connection.query_params.get('from')}")])


PAGES: Any = {"/": first, "/second": second}


async def labels(visit: Visit) -> list[str]:
    """What the page's labels say."""
    await visit.shown()
    states = await visit.states()
    return [state["state"]["value"] for state in states.values() if state["model_name"] == "LabelModel"]


async def navigated(visit: Visit, path: str, query: str = "") -> None:
    """The page was told that it is there now."""
    told = {"method": "navigated", "path": path, "query": query}
    await visit.until(lambda: any(message["content"].get("data") == told for message in visit.heard))


def ask(visit: Visit, data: dict[str, object]) -> str:
    """Say something on a page's own comm; its id."""
    visit.say("comm_open", {"comm_id": "mine", "target_name": "solara_ctx.page", "data": {}})
    visit.say("comm_msg", {"comm_id": "mine", "data": data})
    return "mine"


async def test_code_goes_to_another_page_in_the_same_kernel() -> None:
    """Its hooks run, its widgets go, variables stay; the page is told the address."""
    async with serving(PAGES) as site:
        visit = await site.visit()
        context, kernel = visit.context, visit.context.kernel
        await visit.click("Go")
        await navigated(visit, "/second", "from=first")
        assert await labels(visit) == ["of the first page, first"]
        assert log == ["first is left"]
        assert visit.context is context
        assert context.kernel is kernel
        assert "Button" not in {type(widget).__name__ for widget in context.widgets.values()}
        await context.aclose()
        assert log == ["first is left", "second is left"]


async def test_a_page_asks_for_another() -> None:
    """By its comm, as the browser does for a link; a page of the kernel that comes later hears where it is."""
    async with serving(PAGES) as site:
        visit = await site.visit()
        ask(visit, {"method": "navigate", "path": "/second", "query": "from=link"})
        await navigated(visit, "/second", "from=link")
        assert await labels(visit) == ["of the first page, link"]
        ask(visit, {"method": "navigate", "path": "/"})
        await navigated(visit, "/")
        await visit.shown()
        assert visit.model_id("Go")


@pytest.mark.parametrize(
    "data",
    [
        {"method": "navigate", "path": "/nowhere"},
        {"method": "navigate", "path": "//elsewhere/x"},
        {"method": "navigate", "path": "/\ud83d"},
        {"method": "navigate", "path": "/second", "query": "\ud83d"},
        {"method": "navigate", "path": 1},
        {"method": "navigate", "path": "/second", "query": 2},
        {"method": "navigate"},
        {"method": "fly", "path": "/second"},
        {},
        [],
    ],
    ids=str,
)
async def test_bad_wishes_are_answered_and_nothing_changes(data: dict[str, object]) -> None:
    """The page that sent them is told; the kernel and its page live on."""
    async with serving(PAGES) as site:
        visit = await site.visit()
        with silent():
            ask(visit, data)
            await visit.until(lambda: any(message["content"].get("ename") == "BadMessage" for message in visit.heard))
        assert visit.model_id("Go")
        assert log == []


async def test_code_that_asks_for_no_page_is_told() -> None:
    """At once; and nobody goes anywhere without a kernel."""
    with pytest.raises(NoCurrentContext):
        navigate("/")
    async with serving(PAGES) as site:
        visit = await site.visit()
        context = visit.context
        with pytest.raises(ValueError, match="no page of this app"):
            context.navigate("/nowhere")
        await context.aclose()
        with pytest.raises(ContextClosed):
            context.navigate("/second")


async def test_what_a_page_has_begun_ends_when_it_is_left() -> None:
    """Tasks, threads and an async page function that has not returned; what start hooks have begun goes on."""
    told = threading.Event()

    async def waits(name: str) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.append(f"{name} cancelled")

    def thread() -> None:
        try:
            sleep(3600)
        except ContextClosed:
            log.append("thread told")
            told.set()

    async def busy() -> None:
        threading.Thread(target=thread).start()
        _ = asyncio.create_task(waits("own task"))  # noqa: RUF006 - its kernel keeps it
        get_current_context().create_task(waits("task"))
        await waits("page function")

    def start() -> None:
        get_current_context().create_task(waits("kernel's task"))

    async with serving({"/": busy, "/second": second}) as site:
        site.app.on_kernel_start(start)
        visit = await site.visit(wait=False)
        context = visit.context
        await eventually(lambda: context.stats().tasks == 4 and context.stats().threads == 1)
        context.navigate("/second")
        assert await labels(visit) == ["nothing, None"]
        assert await asyncio.to_thread(told.wait, PATIENCE_S)
        await eventually(lambda: context.stats().tasks == 1)
        assert sorted(log) == [
            "own task cancelled",
            "page function cancelled",
            "task cancelled",
            "thread told",
        ]
        await context.aclose()
        assert log[-2:] == ["second is left", "kernel's task cancelled"]


async def test_what_is_left_is_freed_at_once() -> None:
    """A hundred pages one after the other: each goes by reference counting, and the kernel does not grow."""
    living: weakref.WeakSet[widgets.Widget] = weakref.WeakSet()

    def page(connection: Any) -> widgets.Widget:
        button, label = widgets.Button(description="Go"), widgets.Label(connection.url.query)
        box = widgets.VBox([button, label])
        button.on_click(lambda _: label.set_trait("value", str(len(box.children))))
        get_current_context().on_close(lambda: box.children)
        for widget in (box, button, label):
            living.add(widget)
        return box

    async with serving({"/": page}) as site:
        visit = await site.visit()
        context = visit.context
        await visit.shown()
        gc.disable()
        try:
            for number in range(100):
                context.navigate(f"/?{number}")
            await eventually(lambda: any(getattr(it, "value", "") == "99" for it in list(living)))
            await visit.shown()
            await eventually(lambda: len(living) == 3)
        finally:
            gc.enable()
        assert len(context.widgets) == 3 + 5


async def test_a_hook_that_fails_does_not_hold_the_page() -> None:
    """It is logged; an async one is awaited in the kernel, which goes on meanwhile."""

    async def saves() -> None:
        await asyncio.sleep(0)
        log.append(f"saved in {get_current_context().id}")

    def page() -> None:
        context = get_current_context()
        context.on_close(saves)
        context.on_close(lambda: 1 / 0)

    async with serving({"/": page, "/second": second}) as site:
        visit = await site.visit()
        with silent():
            visit.context.navigate("/second")
            assert await labels(visit) == ["nothing, None"]
        await eventually(lambda: log == [f"saved in {visit.kernel_id}"])


async def test_only_the_last_of_many_wishes_is_shown() -> None:
    """Who clicks quickly does not wait for pages that are left already."""
    shown: list[str] = []
    gate = threading.Event()

    def page(connection: Any) -> None:
        shown.append(connection.url.query)
        if not connection.url.query:
            gate.wait(PATIENCE_S)

    async with serving({"/": page}) as site:
        visit = await site.visit(wait=False)
        await eventually(lambda: shown == [""])
        for number in range(5):
            visit.context.navigate(f"/?{number}")
        await asyncio.sleep(0)
        gate.set()
        await visit.shown()
        await eventually(lambda: shown == ["", "4"])


async def test_a_restart_and_a_close_on_the_way() -> None:
    """A fresh kernel shows the page that was navigated to; a kernel that closes shows none."""
    async with serving(PAGES) as site:
        visit = await site.visit()
        context = visit.context
        restarting = asyncio.wrap_future(context.restart())
        context.navigate("/second?from=restart")
        await restarting
        await eventually(lambda: len(context.widgets) > 0)
        await eventually(lambda: any(getattr(it, "value", "") == "nothing, restart" for it in context.widgets.values()))
        context.navigate("/")
        await context.aclose()
    assert "second is left" in log


async def test_code_of_a_page_that_is_left_is_told_so_and_starts_nothing_more() -> None:
    """Neither the callback that runs just then, nor one of a click that waits in line behind it."""
    outcomes: list[str] = []

    def start_one() -> None:
        context = get_current_context()
        outcomes.append(f"closing {context.closing_event.is_set()}")
        try:
            context.create_task(asyncio.sleep(PATIENCE_S), name="of the page that is left")
        except ContextClosed:
            outcomes.append("refused")

    def going() -> widgets.Widget:
        def leave(_: widgets.Button) -> None:
            closing = get_current_context().closing_event
            second_click.set()
            assert release.wait(PATIENCE_S)
            navigate("/second")
            assert closing.wait(PATIENCE_S)
            start_one()

        go, late = widgets.Button(description="Go"), widgets.Button(description="Late")
        go.on_click(leave)
        late.on_click(lambda _: start_one())
        return widgets.VBox([go, late])

    second_click, release = threading.Event(), threading.Event()
    async with serving({"/": going, "/second": second}) as site:
        visit = await site.visit()
        going_there = asyncio.ensure_future(visit.click("Go"))
        await eventually(second_click.is_set)
        late = asyncio.ensure_future(visit.click("Late"))
        await eventually(lambda: visit.context.stats().mailbox_depth == 3)  # each asks what is shown, too
        release.set()
        await asyncio.gather(going_there, late)
        await navigated(visit, "/second")
        assert outcomes == ["closing True", "refused"] * 2
        assert visit.context.stats().tasks == 0
