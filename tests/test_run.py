"""One run of a page function."""

import asyncio
import contextvars
import logging
import threading

import pytest

from solara_ctx import current
from solara_ctx.current import get_current_context, set_current_context
from solara_ctx.lifecycle import State
from solara_ctx.run import ONE_MESSAGE_BYTES
from tests.support.fakes import PATIENCE_S, FakeHost
from tests.support.service import eventually, serving, silent, turns

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="empty")


async def test_the_page_function_runs_once_on_a_worker_in_its_kernel() -> None:
    """What it returns is shown; a second page of the kernel does not run it again."""
    ran: list[tuple[object, int]] = []

    def page() -> str:
        ran.append((get_current_context(), threading.get_ident()))
        return "a widget"

    async with serving() as service:
        context = await service.opened(function=page)
        service.connect("another page", kernel_id=context.id, function=page)
        context.receive("another page", "frame")
        await service.hosts[0].called("receive")
        ((seen, thread),) = ran
        assert seen is context
        assert thread != threading.get_ident()
        assert service.hosts[0].shown == ["a widget"]
        assert len(service.hosts) == 1


async def test_start_hooks_run_first_and_their_clean_ups_at_the_close() -> None:
    """In the order of registration, in the kernel, before the page function; clean-ups in reverse, like other hooks."""
    log: list[str] = []

    async with serving() as service:

        def start(name: str) -> None:
            def hook() -> object:
                assert get_current_context() is not None
                log.append(f"start {name}")
                return lambda: log.append(f"end {name}")

            service.registry.on_start(hook)  # type: ignore[arg-type]

        start("a")
        start("b")
        service.registry.on_start(lambda: None)
        context = await service.opened(function=lambda: log.append("page"))
        assert log == ["start a", "start b", "page"]
        await context.aclose()
        assert log == ["start a", "start b", "page", "end b", "end a"]


@pytest.mark.parametrize("error", [ValueError("no good"), SystemExit(3), KeyboardInterrupt()])
async def test_a_page_function_that_raises_is_shown_and_logged_once(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """The page gets the error, the log names the kernel redacted, and the kernel lives on."""

    def page() -> None:
        raise error

    with caplog.at_level(logging.ERROR, "solara_ctx"):
        async with serving() as service:
            context = service.connect(function=page)
            await service.hosts[0].called("show_error")
            context.receive("page", "frame")
            await service.hosts[0].called("receive")
            assert context.state is State.OPEN
            assert service.hosts[0].calls[0].argument == repr(error)
    (record,) = caplog.records
    assert record.getMessage() == "the page function of kernel kernel… failed"
    assert context.id not in caplog.text


async def test_a_result_that_cannot_be_shown_is_an_error_of_the_page(caplog: pytest.LogCaptureFixture) -> None:
    """A page function that returns nonsense is answered like one that raises."""

    def refuse(_host: FakeHost, result: object) -> None:
        raise TypeError(f"{result!r} is no widget")

    with caplog.at_level(logging.ERROR, "solara_ctx"):
        async with serving(act={"show": refuse}) as service:
            service.connect(function=lambda: 42)
            await service.hosts[0].called("show_error")
            assert service.hosts[0].calls[-1].argument == "TypeError('42 is no widget')"
    assert len(caplog.records) == 1


async def test_a_start_hook_that_raises_is_an_error_of_the_page(caplog: pytest.LogCaptureFixture) -> None:
    """Without what the hook sets up the page function could not work, and is not run."""
    ran: list[str] = []

    with caplog.at_level(logging.ERROR, "solara_ctx"):
        async with serving() as service:
            service.registry.on_start(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
            service.connect(function=lambda: ran.append("page"))
            await service.hosts[0].called("show_error")
    assert ran == []
    assert len(caplog.records) == 1


async def test_frames_are_handled_in_order_after_the_page_function() -> None:
    """What a page sends while the page function runs waits for it."""
    begun, go_on = threading.Event(), threading.Event()

    def page() -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)

    async with serving() as service:
        context = service.connect(function=page)
        assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        for number in range(3):
            context.receive("page", str(number))
        go_on.set()
        host = service.hosts[0]
        await host.called("receive", 3)
        assert [(call.name, call.argument) for call in host.calls] == [
            ("show", None),
            ("receive", "0"),
            ("receive", "1"),
            ("receive", "2"),
        ]
        assert all(call.current for call in host.calls)


async def test_large_frames_fill_the_mailbox_sooner() -> None:
    """A thousand frames may wait, and not a thousand of the largest that a server takes."""
    begun, go_on = threading.Event(), threading.Event()

    def page() -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)

    async with serving(kernel_mailbox_limit=4) as service:
        context = service.connect(function=page)
        assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        assert context.receive("page", "small") is True
        assert context.receive("page", b"x" * (2 * ONE_MESSAGE_BYTES)) is False
        go_on.set()
        await service.hosts[0].called("receive", 2)


async def test_every_job_finds_its_own_kernel_current() -> None:
    """Whatever an earlier job has made current, or entered and not left."""
    async with serving() as service:
        other = await service.opened(page_id="other")

        def disturb(host: FakeHost, frame: object) -> None:
            if frame == "set":
                set_current_context(None)
            elif frame == "enter":
                current.push(other.handle())

        service._act["receive"] = disturb
        context = await service.opened()
        for frame in ("set", "look", "enter", "look"):
            context.receive("page", frame)
        host = service.hosts[-1]
        await host.called("receive", 4)
        assert [call.current for call in host.calls if call.argument == "look"] == [True, True]


async def test_the_jobs_of_a_kernel_share_their_context_variables() -> None:
    """As the cells of a notebook do; no other kernel and no worker sees them."""
    seen: list[tuple[str, str]] = []

    def look(host: FakeHost, frame: object) -> None:
        seen.append((host.run_id, variable.get()))

    async with serving(act={"receive": look}, kernel_threads=1) as service:
        first = await service.opened(function=lambda: variable.set("first"))
        second = await service.opened()
        for context in (first, second):
            context.receive("page", "frame")
        for host in service.hosts:
            await host.called("receive")
    assert seen == [("run-0", "first"), ("run-1", "empty")]


async def test_a_stuck_job_is_made_up_for(caplog: pytest.LogCaptureFixture) -> None:
    """A callback that never ends costs its own kernel its end in time, and the others no thread."""
    begun, go_on = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)

    async with serving(kernel_threads=1) as service:
        context = service.connect("stuck", function=block)
        assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        closing = asyncio.wrap_future(context.close())
        await turns()
        with caplog.at_level(logging.ERROR, "solara_ctx.teardown"):
            service.clock.advance(5.0)
            report = await closing
        assert [step.name for step in report.steps if step.abandoned] == ["running job"]
        assert "go_on.wait(PATIENCE_S)" in str(report.steps[0].stack)
        assert (service.registry.stats().abandoned_steps_total, service.registry.worker_stats().stuck) == (1, 1)
        await service.opened()
        go_on.set()
        await eventually(lambda: service.registry.worker_stats().stuck == 0)


async def test_a_stuck_job_does_not_hold_up_the_steps_after_it() -> None:
    """Hooks, app, widgets and kernel are closed although the job is still inside."""
    begun, go_on = threading.Event(), threading.Event()
    hooked: list[object] = []

    def block() -> None:
        get_current_context().on_close(lambda: hooked.append(current.peek_handle()))
        begun.set()
        assert go_on.wait(PATIENCE_S)

    logging.getLogger("solara_ctx.teardown").disabled = True
    try:
        async with serving() as service:
            context = service.connect(function=block)
            handle = context.handle()
            assert await asyncio.to_thread(begun.wait, PATIENCE_S)
            closing = asyncio.wrap_future(context.close())
            await turns()
            service.clock.advance(5.0)
            await closing
            assert hooked == [handle]
            assert service.hosts[0].names == ["close_app", "close_widgets", "close_kernel"]
            go_on.set()
    finally:
        logging.getLogger("solara_ctx.teardown").disabled = False


async def test_an_async_page_function_is_awaited_and_shown_by_a_worker() -> None:
    """It runs on the loop in its kernel; frames are handled meanwhile, and what it returns is shown on a worker."""
    go_on = asyncio.Event()
    threads: list[int] = []

    async def page() -> str:
        threads.append(threading.get_ident())
        await go_on.wait()
        return "a widget"

    async with serving(act={"show": lambda *_: threads.append(threading.get_ident())}) as service:
        context = service.connect(function=page)
        context.receive("page", "frame")
        await service.hosts[0].called("receive")
        assert service.hosts[0].shown == []
        go_on.set()
        await service.hosts[0].called("show")
        assert service.hosts[0].shown == ["a widget"]
    assert threads[0] == threading.get_ident()
    assert threads[1] != threading.get_ident()


@pytest.mark.parametrize("error", [ValueError("no good"), asyncio.CancelledError("by itself")])
async def test_an_async_page_function_that_fails_is_shown_and_logged_once(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """As one that is not async; also one that has cancelled itself, as it would be waited for in vain."""

    async def page() -> None:
        await asyncio.sleep(0)
        raise error

    with caplog.at_level(logging.ERROR, "solara_ctx"):
        async with serving() as service:
            context = service.connect(function=page)
            await service.hosts[0].called("show_error")
            assert service.hosts[0].calls[0].argument == repr(error)
            assert context.state is State.OPEN
    assert [record.getMessage() for record in caplog.records] == ["the page function of kernel kernel… failed"]


async def test_an_async_page_function_ends_with_its_kernel(caplog: pytest.LogCaptureFixture) -> None:
    """It is cancelled and awaited as every task, and nothing is shown or logged; one that has not begun never does."""
    begun = asyncio.Event()
    ended: list[str] = []

    async def page() -> None:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            ended.append("page")

    async def closes_first() -> None:
        ended.append("never")

    def closing() -> object:
        get_current_context().close()
        return closes_first()

    with caplog.at_level(logging.ERROR, "solara_ctx"):
        async with serving() as service:
            context = service.connect(function=page)
            await begun.wait()
            assert (await context.aclose()).ok
            assert ended == ["page"]
            await service.connect(function=closing).aclose()
        assert [host.names.count("show") + host.names.count("show_error") for host in service.hosts] == [0, 0]
    assert ended == ["page"]
    assert caplog.records == []


async def test_an_async_hook_is_awaited_in_its_kernel_before_the_next() -> None:
    """Also after it has failed: the report says so."""
    log: list[str] = []

    async def saves() -> None:
        await asyncio.sleep(0)
        log.append(f"saved in {get_current_context().id}")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no good")

    def page() -> None:
        context = get_current_context()
        context.on_close(lambda: log.append("last"))
        context.on_close(saves)
        context.on_close(fails)

    async with serving() as service:
        with silent():
            context = await service.opened(function=page)
            kernel_id = context.id
            report = await context.aclose()
    assert log == [f"saved in {kernel_id}", "last"]
    assert [step.error for step in report.steps if step.name.endswith("fails, awaited")] == ["ValueError: no good"]


async def test_an_async_hook_that_does_not_end_is_abandoned_and_cancelled() -> None:
    """The report says where it waits."""
    waiting = asyncio.Event()
    cancelled = asyncio.Event()

    async def never_ends() -> None:
        waiting.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with serving() as service:
        context = await service.opened(function=lambda: get_current_context().on_close(never_ends))
        with silent():
            closing = asyncio.wrap_future(context.close())
            await waiting.wait()
            await turns()
            service.clock.advance(5.0)
            report = await closing
        await cancelled.wait()
    (stuck,) = (step for step in report.steps if step.abandoned)
    assert stuck.name.endswith("never_ends, awaited")
    assert "in never_ends" in (stuck.stack or "")


async def test_the_end_is_told_before_the_hooks_run() -> None:
    """Threads that look for it let go by the time that hooks take things away; a restart is an end, too."""
    events: list[threading.Event] = []
    told: list[bool] = []

    def page() -> None:
        events.append(get_current_context().closing_event)
        get_current_context().on_close(lambda: told.append(events[-1].is_set()))

    async with serving() as service:
        context = await service.opened(function=page)
        assert not events[0].is_set()
        await asyncio.wrap_future(context.restart())
        await service.hosts[1].called("show")
        assert [event.is_set() for event in events] == [True, False]
        assert context.closing_event is events[1]
        await context.aclose()
    assert told == [True, True]
    assert context.closing_event.is_set()


def spin(until: threading.Event | None = None) -> None:
    """Python code that takes its time."""
    while until is None or not until.is_set():
        pass


async def test_a_callback_is_interrupted_and_the_kernel_lives_on() -> None:
    """What waits in line is done next; another kernel in the midst of something hears nothing."""
    begun: list[str] = []
    go_on = threading.Event()

    def receive(host: FakeHost, frame: object) -> None:
        begun.append(str(frame))
        if frame == "spin":
            spin()
        if frame == "wait":
            spin(go_on)

    async with serving(act={"receive": receive}) as service:
        mine, other = await service.opened(), await service.opened()
        other.receive("page", "wait")
        mine.receive("page", "spin")
        mine.receive("page", "next")
        await eventually(lambda: sorted(begun) == ["spin", "wait"])
        with silent():  # a host that lets it through
            await asyncio.to_thread(mine.interrupt)
            await eventually(lambda: service.clock.pending != [] or "next" in begun)
            while "next" not in begun:
                service.clock.advance(0.05)
                await asyncio.sleep(0)
        go_on.set()
        other.receive("page", "after")
        await eventually(lambda: "after" in begun)
        assert service.hosts[1].names.count("receive") == 2


async def test_a_page_function_is_interrupted(caplog: pytest.LogCaptureFixture) -> None:
    """The page is told; the log has a line and no traceback, as it is no error."""
    begun = threading.Event()

    def page() -> None:
        begun.set()
        spin()

    with caplog.at_level(logging.INFO, "solara_ctx.run"):
        async with serving() as service:
            context = service.connect(function=page)
            assert await asyncio.to_thread(begun.wait, PATIENCE_S)
            context.interrupt()
            while "show_error" not in service.hosts[0].names:
                service.clock.advance(0.05)
                await asyncio.sleep(0)
            assert service.hosts[0].calls[-1].argument == "Interrupted()"
    assert [(record.getMessage(), record.exc_info) for record in caplog.records] == [
        ("the page function of kernel kernel… was interrupted", None)
    ]


async def test_an_async_page_function_is_interrupted() -> None:
    """It is cancelled; one that has returned is not."""
    begun = asyncio.Event()

    async def page() -> None:
        begun.set()
        await asyncio.get_running_loop().create_future()

    async with serving() as service:
        context = service.connect(function=page)
        await begun.wait()
        with silent():
            context.interrupt()
            await service.hosts[0].called("show_error")
        assert service.hosts[0].calls[-1].argument == "CancelledError()"
        context.interrupt()
        await context.aclose()
        context.interrupt()
