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
from tests.support.service import eventually, serving, turns

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
