"""User code that does what it should not: its page says so or goes on, the others feel nothing, nothing is left."""

import signal
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from integration.conftest import Serve
from integration.faults.support.ground import WAIT_S, Ground, Incident
from integration.faults.support.measures import MEMORY, PIXELS, UPDATES
from integration.faults.support.raising import RAISES, SECRET
from integration.support.server import ServerProcess, uvicorn_command
from integration.support.waiting import wait_until

APP = "integration.faults.support.misbehaving:app"
ENV = {"SOLARA_KERNEL_CLOSE_TIMEOUT": "1s", "SOLARA_KERNEL_ZOMBIE_AFTER": "4s"}
OFTEN = {"Exception", "SystemExit", "CancelledError", "RecursionError", "Exiting"}
KINDS = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in OFTEN else pytest.mark.thorough) for kind in RAISES]
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """One server for all that can be survived, so that what is left of one is there at the next."""
    server = ServerProcess(uvicorn_command(APP), tmp_path_factory.mktemp("ground") / "server.log", ENV)
    try:
        await server.ready("/readyz")
        async with Ground(server, chromium).entered() as ground:
            yield ground
            print("\n".join(f"{ms:6.0f} ms {path}" for path, ms in sorted(ground.slowest.items())))
    finally:
        await server.stop()
        print(server.log_text())


@KINDS
async def test_a_page_function_that_raises(ground: Ground, kind: str) -> None:
    """An error page without any detail; the log has the traceback."""
    async with ground.incident(f"/page/{kind}") as incident:
        await expect(incident.page.get_by_role("alert")).to_contain_text("could not be shown")
        assert SECRET not in await incident.page.content()
        await incident.logged(f"the page function of kernel {incident.shown_id} failed", "Traceback", kind)


@KINDS
async def test_a_start_hook_that_raises(ground: Ground, kind: str) -> None:
    """The same: what a hook was to prepare is missing."""
    async with ground.incident("/bystander", start=kind) as incident:
        await expect(incident.page.get_by_role("alert")).to_contain_text("could not be shown")
        assert SECRET not in await incident.page.content()
        await incident.logged(f"the page function of kernel {incident.shown_id} failed", "Traceback", kind)


@pytest.mark.parametrize("where", ["click", "observer"])
async def test_a_callback_that_raises(ground: Ground, where: str) -> None:
    """The next click is answered, whatever came before."""
    async with ground.incident(f"/{where}") as incident:
        for kind in RAISES:
            if where == "click":
                await incident.click(kind)
            else:
                await incident.page.get_by_label(kind, exact=True).check()
            await incident.answers()
            await incident.logged(f"of kernel {incident.shown_id} failed", "Traceback", kind)
        assert SECRET not in await incident.page.content()


@pytest.mark.parametrize(("what", "silent"), [("thread", "SystemExit"), ("task", "CancelledError")])
async def test_what_raises_beside_the_page(ground: Ground, what: str, silent: str) -> None:
    """A thread or a task ends, and nothing else does; the silent one is how it may end."""
    async with ground.incident(f"/{what}") as incident:
        for kind in RAISES:
            await incident.click(kind)
            await incident.answers()
            if kind != silent:
                await incident.logged(f"{what} '{kind}' of kernel {incident.shown_id} failed", "Traceback", kind)


async def test_hooks_that_raise(ground: Ground) -> None:
    """Each is named, and the next one runs."""
    async with ground.incident("/hook") as incident:
        await incident.answers()
        await incident.page.close()
        for kind, hook in reversed(RAISES.items()):
            said = f"closing kernel {incident.shown_id}: hook {hook.__name__} failed"
            await incident.logged(said, "Traceback", kind)
        await incident.logged("the last hook has run")


async def test_what_raises_when_it_goes(ground: Ground) -> None:
    """`__del__` of what a callback, a hook and a variable of the kernel have held."""
    async with ground.incident("/grudges") as incident:
        await incident.answers()
        await incident.page.close()
        await incident.logged(*3 * ["Exception ignored in: <function Grudge.__del__"])


BLOCKING = {
    "page": "running job",
    "start": "running job",
    "click": "running job",
    "observer": "running job",
    "hook": "hook wait",
    "widget": "widgets",
}
"""By where: the step of the close that is abandoned."""


@pytest.mark.parametrize("where", BLOCKING)
async def test_what_blocks(ground: Ground, where: str) -> None:
    """It is blocked alone; where its close can't end it, it is counted and named, until it ends after all."""
    path, control = ("/bystander", {"start": "wait"}) if where == "start" else (f"/blocking/{where}", {})
    async with ground.incident(path, **control) as incident:
        page = incident.page
        if where in {"page", "start"}:
            await expect(page.get_by_role("status")).to_contain_text("Connecting…")
        else:
            await incident.answers()
        if where == "click":
            await incident.click("Block")
        elif where == "observer":
            await page.get_by_label("Block").check()
        if where in {"click", "observer"}:
            await incident.click("Click")
            await ground.bystander_answers()
            await expect(page.get_by_text("1 clicks", exact=True)).to_be_visible()
        await page.close()
        await ground.is_stuck(1)
        await incident.logged(abandoned(incident, BLOCKING[where]), "in wait\n")
        await ground.bystander_answers()
        await ground.control(release=True)


async def test_a_blocked_page_goes_on_when_it_can(ground: Ground) -> None:
    """What was clicked meanwhile is not lost."""
    async with ground.incident("/blocking/click") as incident:
        await incident.is_quiet()
        await incident.click("Block")
        for _ in range(3):
            await incident.click("Click")
        await ground.bystander_answers()
        await expect(incident.page.get_by_text("0 clicks", exact=True)).to_be_visible()
        await ground.control(release=True)
        await expect(incident.page.get_by_text("3 clicks", exact=True)).to_be_visible()


async def test_a_hook_that_sleeps_too_long(ground: Ground) -> None:
    """Its kernel is gone before it wakes."""
    async with ground.incident("/sleeping/hook") as incident:
        await incident.answers()
        await incident.page.close()
        await incident.logged(abandoned(incident, "hook sleep"), "in sleep\n")
        await incident.logged(f"kernel {incident.shown_id}: page-closed, taken down")


async def test_what_takes_long_to_go(ground: Ground) -> None:
    """`__del__` of what a callback, a hook and a variable of the kernel have held: none of it on the event loop."""
    async with ground.incident("/blocking/grudge") as incident:
        await incident.answers()
        await incident.page.close()
        for step in ("hook partial", "widgets", "values"):
            await incident.logged(abandoned(incident, step), "in __del__\n")
        await ground.is_stuck(3)
        await ground.bystander_answers()
        await ground.control(release=True)


async def test_a_task_that_refuses_to_be_cancelled(ground: Ground) -> None:
    """It is named with the line at which it is, and its kernel goes without it."""
    async with ground.incident("/refusing/task") as incident:
        await incident.answers()
        await incident.page.close()
        await incident.logged("I will not")
        await incident.logged(abandoned(incident, "tasks"), "task 'refusing'", "in refuse\n", "in sleep\n")
        await ground.bystander_answers()
        await ground.control(release=True)


async def test_much_memory(ground: Ground) -> None:
    """What a page has taken is back with its end."""
    before = await ground.resident_bytes()
    async with ground.incident("/memory") as incident:
        await incident.click("Take")
        await expect(incident.page.get_by_text(f"{MEMORY} bytes")).to_be_visible()
        assert await ground.resident_bytes() > before + 0.9 * MEMORY
        await incident.answers()
    assert await ground.resident_bytes() < before + 0.2 * MEMORY


async def test_many_updates_in_one_callback(ground: Ground) -> None:
    """The page shows the last, and goes on."""
    async with ground.incident("/updates") as incident:
        await incident.click("Update")
        await expect(incident.page.get_by_text(f"update {UPDATES}", exact=True)).to_be_visible(timeout=60_000)
        await incident.answers()


async def test_a_large_value(ground: Ground) -> None:
    """A picture of 20 MB is seen, and the page goes on."""
    async with ground.incident("/large") as incident:
        await incident.click("Show")
        await incident.page.wait_for_function(f"document.querySelector('#solara-app img').naturalWidth === {PIXELS}")
        await incident.answers()


@pytest.mark.parametrize(
    "how", ["Close", "Wait", "Twice", *(pytest.param(how, marks=pytest.mark.thorough) for how in ("Thread", "Task"))]
)
async def test_a_callback_that_closes_its_own_kernel(ground: Ground, how: str) -> None:
    """The page says that its session has ended, and offers to start afresh, which works."""
    async with ground.incident("/hands") as incident:
        await incident.answers()
        await incident.click(how)
        await expect(incident.page.get_by_role("alert")).to_contain_text("has ended")
        await incident.logged(f"kernel {incident.shown_id}: suicide, taken down")
        await incident.click("Start afresh")
        await incident.answers()


async def test_a_callback_that_restarts_its_own_kernel(ground: Ground) -> None:
    """The page shows the new run, which answers."""
    async with ground.incident("/hands") as incident:
        await incident.answers()
        await incident.click("Restart")
        await expect(incident.page.get_by_text("0 clicks", exact=True)).to_be_visible()
        await incident.answers()
        await incident.logged(f"kernel {incident.shown_id}: restart, taken down")


async def test_a_page_function_that_closes_its_own_kernel(ground: Ground) -> None:
    """It returns to nobody, and the page says so."""
    async with ground.incident("/hands/closing-page") as incident:
        await expect(incident.page.get_by_role("alert")).to_contain_text("has ended")
        await incident.logged(f"kernel {incident.shown_id}: suicide, taken down")


async def test_a_page_function_that_restarts_its_own_kernel(ground: Ground) -> None:
    """Again and again, and nobody else feels it; as soon as it does so no more, its page is there."""
    async with ground.incident("/hands/restarting-page") as incident:
        for _ in range(3):
            await incident.logged(f"kernel {incident.shown_id}: restart, taken down")
        await ground.bystander_answers()
        await ground.control(release=True)
        await incident.answers()


@pytest.mark.parametrize("what", ["close", "restart"])
async def test_a_start_hook_that_lays_hands_on_its_kernel(ground: Ground, what: str) -> None:
    """The page says that it has ended; or it shows the next run, for which the hook has nothing to do any more."""
    async with ground.incident("/bystander", start=what) as incident:
        if what == "close":
            await expect(incident.page.get_by_role("alert")).to_contain_text("has ended")
        else:
            await incident.answers()


async def test_a_hook_that_clings_to_its_kernel(ground: Ground) -> None:
    """One more close is the same one; what begins something new is told that it is too late, and the close goes on."""
    async with ground.incident("/hands/hook") as incident:
        await incident.answers()
        await incident.page.close()
        await incident.logged("is closed (page-closed) and can't start a task", "is closed", "restart")
        await incident.logged("the late hook has run", f"kernel {incident.shown_id}: page-closed, taken down")


async def test_threads_that_outlive_their_page(ground: Ground) -> None:
    """One goes on to set a widget that is closed; one that makes new ones learns that its kernel is gone, and ends."""
    async with ground.incident("/outliving/thread") as incident:
        await incident.answers()
        threads = (await ground.truth())["threads"]
        assert (threads["outliving update"], threads["outliving make"]) == (1, 1)
        await incident.page.close()
        await incident.logged(f"kernel {incident.shown_id}: page-closed, taken down")

        async def has_ended() -> bool:
            return "outliving make" not in (await ground.truth())["threads"]

        await wait_until(has_ended, WAIT_S, "the end of the thread that makes widgets")
        await ground.bystander_answers()
        assert (await ground.truth())["threads"]["outliving update"] == 1
        await ground.control(release=True)


CARELESS = ["Fork", "SelfExit", "NoContext", "Loop", "Rename", "NoCollector", "Collector", "NoComm", "NoTraits"]


async def test_a_program_that_believes_to_be_alone(ground: Ground) -> None:
    """It goes on after each, and others do not notice."""
    async with ground.incident("/careless") as incident:
        for what in CARELESS:
            await incident.click(what)
            await incident.answers()
        await incident.click("CloseAll")
        await expect(incident.page.get_by_text("clicks")).to_be_hidden()
        await ground.bystander_answers()


async def test_what_never_ends(page: Page, serve: Serve) -> None:
    """A callback and a hook that wait for a lock that nobody releases, a task that refuses: counted and named for good,
    and nothing else is left of them; the server ends all the same.
    """
    server = await serve(APP, env={**ENV, "SOLARA_KERNEL_ZOMBIE_AFTER": "1s"})
    server.allow_traceback = True
    await page.goto(f"{server.url}/locked")
    await page.get_by_role("button", name="Block").click()
    await wait_until(lambda: "blocked now" in server.log_text(), WAIT_S)
    await page.close()
    async with httpx2.AsyncClient(base_url=server.url) as http:

        async def are_stuck() -> bool:
            said = (await http.get("/resourcez")).json()
            kernels, workers, leaks = said["kernels"], said["threads"]["workers"], said["leaks"]
            nobody = not kernels["total"] and not said["websocket"]["open"] and not leaks["watched"]
            return bool(nobody and workers["stuck"] == 2 and kernels["abandoned_steps_total"] == 3)

        await wait_until(are_stuck, WAIT_S, "two stuck threads and a kernel that is gone")
    assert server.log_text().count("in take_a_lock_that_is_taken\n") == 2
    assert "in refuse_for_ever\n" in server.log_text()
    assert await server.stop() == -signal.SIGTERM


def abandoned(incident: Incident, step: str) -> str:
    """What the log says of a step of a close that takes too long."""
    return f"closing kernel {incident.shown_id}: {step} did not end within 1 s and was abandoned; it is stuck here:"
