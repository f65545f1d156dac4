"""However a kernel ends, everything of it is gone at once."""

import asyncio
import threading
from collections.abc import Callable, Mapping

import httpx2
import ipywidgets as widgets
import pytest

from solara_ctx import CloseReason, VirtualKernelContext, get_current_context
from tests.support.everything import everything, one_button
from tests.support.fakes import PATIENCE_S
from tests.support.reclaim import Deaths, used, watched
from tests.support.visits import Site, Visit, serving

pytestmark = pytest.mark.uncovered

CLICK = {"method": "custom", "content": {"event": "click"}}


def closed_for(site: Site) -> Mapping[str, int]:
    return site.app.registry.stats().closed_total


async def test_closed_by_the_beacon() -> None:
    """The page is navigated away from."""
    async with serving(everything) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
        assert closed_for(site) == {CloseReason.PAGE_CLOSED: 1}


async def test_culled() -> None:
    """The page's connection is lost, and nobody comes back."""
    async with serving(everything, kernel_cull_timeout="10ms") as site:
        visit, deaths = await used(site)
        visit.vanish()
        await deaths.at_once()
        assert closed_for(site) == {CloseReason.CULLED: 1}


async def test_culled_after_it_has_come_back() -> None:
    """The connections that a page has had before go, too."""
    async with serving(everything, kernel_cull_timeout="10s") as site:
        visit, deaths = await used(site)
        visit.vanish()
        await visit.disconnected()
        await visit.connect()
        await visit.shown()
        deaths.watch_connection(visit)
        await visit.leave()
        await deaths.at_once()


async def close_in_thread(visit: Visit) -> None:
    thread = threading.Thread(target=visit.context.close)
    thread.start()
    await asyncio.to_thread(thread.join, PATIENCE_S)


async def close_here(visit: Visit) -> None:
    visit.context.close("logged-out")


async def aclose(visit: Visit) -> None:
    assert (await visit.context.aclose()).ok


async def shut_down(visit: Visit) -> None:
    visit.say("shutdown_request", {"restart": False})


async def delete(visit: Visit) -> None:
    response = await visit.http.delete(f"/api/kernels/{visit.kernel_id}")
    assert response.status_code == httpx2.codes.NO_CONTENT


@pytest.mark.parametrize("close", [close_here, close_in_thread, aclose, shut_down, delete])
async def test_closed_on_request(close: Callable[[Visit], "asyncio.Future[None]"]) -> None:
    """`close()` on the loop or in a thread, `aclose()`, and what a client may ask for."""
    async with serving(everything) as site:
        visit, deaths = await used(site)
        await close(visit)
        await deaths.at_once()
        assert len(site.app.registry) == 0


async def test_closed_by_its_own_callback() -> None:
    """A callback that closes its own kernel runs while the close waits for it."""

    def page() -> widgets.VBox:
        button = widgets.Button(description="log out")
        button.on_click(lambda clicked: get_current_context().close("logged-out"))
        return widgets.VBox([everything(), button])

    async with serving(page) as site:
        visit, deaths = await used(site)
        visit.say("comm_msg", {"comm_id": visit.model_id("log out"), "data": CLICK})
        await deaths.at_once()
        assert closed_for(site) == {"logged-out": 1}


async def test_a_restart_frees_the_old_kernel() -> None:
    """Nothing but the context lives on, and at the end that goes, too."""
    async with serving(everything) as site:
        visit = await site.visit()
        assert len(await visit.states()) > 150
        old = Deaths()
        old.watch_run(visit.context)
        old.watch_connection(visit)
        restarted = visit.context.restart()
        restarted.add_done_callback(lambda _: old.end_now())
        assert (await asyncio.wrap_future(restarted)).ok
        await old.at_once()
        await visit.disconnected()
        await visit.connect()
        await visit.shown()
        deaths = watched(visit)
        await visit.leave()
        await deaths.at_once()


async def test_the_server_stops() -> None:
    """Under a connected page and under one that is away."""
    async with serving(everything) as site:
        _, connected = await used(site)
        away, disconnected = await used(site)
        away.vanish()
        await away.disconnected()
    await connected.at_once()
    await disconnected.at_once()
    assert closed_for(site) == {CloseReason.SERVER_SHUTDOWN: 2}


def failing_page() -> None:
    """Everything, and an error whose frames hold it; the test's log handlers keep the record.

    Raises:
        LookupError: always.
    """
    box = everything()
    raise LookupError(str(len(box.children)))


async def test_the_page_function_has_raised(caplog: pytest.LogCaptureFixture) -> None:
    """What it had made until then goes as of any page, though the log has kept its error."""
    async with serving(failing_page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
    (record,) = [record for record in caplog.records if "the page function" in record.getMessage()]
    assert record.exc_info is not None


class Blocked:
    """A page function that does everything, and then waits."""

    def __init__(self) -> None:
        self.inside, self.go_on = threading.Event(), threading.Event()

    def __call__(self) -> widgets.Widget:
        box = everything()
        self.inside.set()
        assert self.go_on.wait(PATIENCE_S)
        return box


async def test_the_connection_dies_during_the_page_function() -> None:
    """The cull waits for the page function, and everything goes when that has returned."""
    blocked = Blocked()
    async with serving(blocked, kernel_cull_timeout="10ms") as site:
        visit = await site.visit(wait=False)
        assert await asyncio.to_thread(blocked.inside.wait, PATIENCE_S)
        deaths = watched(visit)
        visit.vanish()
        await visit.disconnected()
        blocked.go_on.set()
        await deaths.at_once()


async def test_the_connection_dies_during_a_page_function_that_raises() -> None:
    """Its error comes when nobody is there any more to show it to."""
    blocked = Blocked()

    def page() -> None:
        box = blocked()
        raise LookupError(str(len(box.children)))

    async with serving(page, kernel_cull_timeout="10ms") as site:
        visit = await site.visit(wait=False)
        assert await asyncio.to_thread(blocked.inside.wait, PATIENCE_S)
        deaths = watched(visit)
        visit.vanish()
        blocked.go_on.set()
        await deaths.at_once()


async def test_closed_in_the_midst_of_a_page_function_that_does_not_return() -> None:
    """The page function is abandoned; what only the server holds goes at once, the rest as the function returns."""
    blocked = Blocked()
    async with serving(blocked, kernel_close_timeout="500ms") as site:
        visit = await site.visit(wait=False)
        assert await asyncio.to_thread(blocked.inside.wait, PATIENCE_S)
        deaths = watched(visit)
        visit.context.close()
        await deaths.at_once("context", "claims", "page", "outbox", "websocket", "connection")
        blocked.go_on.set()
        deaths.end_now()
        await deaths.at_once()


async def test_ten_at_once() -> None:
    """Ten kernels that close in the same turn of the loop; counted from the end of the last: it is busy until then."""
    async with serving(everything) as site:
        pages = [await used(site) for _ in range(10)]
        contexts: list[VirtualKernelContext] = [visit.context for visit, _ in pages]
        while contexts:
            contexts.pop().close()
        for _, deaths in pages:
            await deaths.ended()
        for _, deaths in pages:
            deaths.end_now()
        for _, deaths in pages:
            await deaths.at_once()


async def test_a_page_that_connects_and_vanishes() -> None:
    """It never asked for anything; its kernel goes all the same, page function and all."""
    async with serving(one_button, kernel_cull_timeout="10ms") as site:
        visit = await (await Visit(site.app).load()).connect()
        deaths = watched(visit)
        visit.vanish()
        await deaths.at_once()
        await visit.end()


async def test_a_page_that_never_connects_has_made_nothing() -> None:
    """Its id costs nothing."""
    async with serving(one_button) as site:
        visit = await Visit(site.app).load()
        assert len(site.app.registry) == 0
        await visit.leave()
        assert site.app.registry.stats().started_total == 0
        await visit.end()
