"""One kernel of one browser page: pages, restart, close."""

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
import weakref
from collections.abc import Awaitable, Callable

import pytest

from solara_ctx.context import VirtualKernelContext
from solara_ctx.current import get_current_context, has_current_context
from solara_ctx.errors import ContextClosed, WrongThread
from solara_ctx.lifecycle import CloseReason, Event, IllegalTransition, PageStatus, State
from solara_ctx.teardown import CloseReport
from tests.support.fakes import PATIENCE_S, FakeHost, RecordingSink
from tests.support.service import Service, eventually, serving, silent, turns

DAY_S = 86400.0


class Gate:
    """A place in user code where a thread waits until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(PATIENCE_S)

    async def is_reached(self) -> None:
        """Wait until a thread stands here."""
        assert await asyncio.to_thread(self.reached.wait, PATIENCE_S)


def state_of(context: VirtualKernelContext) -> State:
    """The state, asked for anew each time, as it changes behind the type checker's back."""
    return context.state


# What it is


async def test_a_fresh_context_shows_what_it_is() -> None:
    """Identity, kernel and pages; its repr names it as little as a log may."""
    async with serving() as service:
        context = await service.opened(session="session", sink=RecordingSink())
        host = service.hosts[0]
        host.widgets["model"] = "widget"
        assert context.id == "kernel-1.session"
        assert context.session_id == "session"
        assert state_of(context) is State.OPEN
        assert context.close_reason is None
        assert context.page_status == {"page": PageStatus.CONNECTED}
        assert context.host is host
        assert context.kernel is host.kernel
        assert context.widgets == {"model": "widget"}
        assert not context.closed_event.is_set()
        assert repr(context) == "<VirtualKernelContext kernel… open pages=1>"


async def test_a_closed_context_is_an_empty_shell() -> None:
    """Who keeps it finds that it is closed and why, and nothing that was in it."""
    async with serving(threads=False) as service:
        context = service.connect()
        await context.aclose("logged-out")
        assert state_of(context) is State.CLOSED
        assert context.close_reason == "logged-out"
        assert context.closed_event.is_set()
        assert context.host is context.kernel is None
        assert context.widgets == {}
        assert context.receive("page", "frame") is True
        told: list[str] = []
        context.when_drained(lambda: told.append("told"))
        assert told == ["told"]
        for use in (lambda: context.kernel_values, context.handle, context.restart):
            with pytest.raises(ContextClosed):
                use()


async def test_an_illegal_event_changes_nothing() -> None:
    """A context that gets an event which its state does not allow stays as it was."""
    async with serving(threads=False) as service:
        context = service.connect()
        with pytest.raises(IllegalTransition):
            context._life.fire(Event.TORN_DOWN)
        assert state_of(context) is State.OPEN


async def test_stats_are_a_snapshot_of_everything() -> None:
    """Each gauge is what it says, now."""
    async with serving(threads=False) as service:
        sink = RecordingSink()
        sink.put("12345")
        context = service.connect("a", sink=sink)
        service.connect("b", kernel_id=context.id)
        service.clock.advance(3.0)
        service.hosts[0].widgets["model"] = "widget"
        service.hosts[0].comm_count = 2
        context.receive("a", "frame")
        stats = context.stats()
        assert (stats.id, stats.session, stats.state) == ("kernel…", "sessio…", "open")
        assert stats.pages == {"connected": 2, "disconnected": 0, "closed": 0}
        assert (stats.age_seconds, stats.connected_seconds, stats.disconnected_seconds) == (3.0, 3.0, None)
        assert (stats.widgets, stats.comms, stats.threads, stats.tasks, stats.restarts) == (1, 2, 0, 0, 0)
        assert (stats.outbox_frames, stats.outbox_bytes, stats.mailbox_depth) == (1, 5, 2)
        assert stats.seconds_to_cull is None
        for page_id in "ab":
            _ = context.page_disconnect(page_id)
        service.clock.advance(2.0)
        stats = context.stats()
        assert (stats.connected_seconds, stats.disconnected_seconds) == (None, 2.0)
        assert stats.seconds_to_cull == DAY_S - 2.0
        await context.aclose()
        assert (context.stats().state, context.stats().widgets, context.stats().comms) == ("closed", 0, 0)


# Pages


async def test_a_page_s_connection_reaches_the_kernel() -> None:
    """The sink is handed to the kernel, and taken back at the end of the connection."""
    async with serving(threads=False) as service:
        sink = RecordingSink()
        context = service.connect(sink=sink)
        host = service.hosts[0]
        assert host.sinks == {"page": sink}
        _ = context.page_disconnect("page")
        assert host.sinks == {}
        assert context.page_status == {"page": PageStatus.DISCONNECTED}
        again = RecordingSink()
        service.connect(kernel_id=context.id, sink=again)
        assert host.sinks == {"page": again}


async def test_an_overlapping_reconnect_replaces_the_connection() -> None:
    """The new socket before the old one's end: the old one is told, and its end changes nothing."""
    async with serving(threads=False) as service:
        old, new = RecordingSink(), RecordingSink()
        context = service.connect(sink=old)
        first = context._presence.table.get("page").connection  # type: ignore[union-attr]
        second = context.page_connect("page", new)
        assert second > first
        assert old.closed == (4409, "replaced")
        late = context.page_disconnect("page", first)
        assert late.done()
        assert not late.cancelled()
        assert context.page_status == {"page": PageStatus.CONNECTED}
        assert service.hosts[0].sinks == {"page": new}
        assert service.registry.seconds_to_cull(context.id) is None
        service.clock.advance(2 * DAY_S)
        await turns()
        assert state_of(context) is State.OPEN
        # The same with a page that only counts: the old sink gets nothing more either.
        context.page_connect("page")
        assert new.closed == (4409, "replaced")
        assert service.hosts[0].sinks == {}


@pytest.mark.parametrize(("passed_s", "culled"), [(DAY_S - 0.1, False), (DAY_S, True), (DAY_S + 0.1, True)])
async def test_a_kernel_is_culled_after_the_timeout(passed_s: float, *, culled: bool) -> None:
    """Below the cull timeout it lives; at it and above it, it is closed, and the disconnect's future is done."""
    async with serving(threads=False) as service:
        context = service.connect()
        future = context.page_disconnect("page")
        assert not future.done()
        service.clock.advance(passed_s)
        await turns()
        assert future.done() is culled
        assert (state_of(context) is State.CLOSED) is culled
        assert context.close_reason == (CloseReason.CULLED if culled else None)
        if culled:
            assert not future.cancelled()
            assert context.closed_event.is_set()


async def test_a_reconnect_cancels_the_cull() -> None:
    """A page that comes back in time finds its kernel, and the future says that nothing was culled."""
    async with serving(threads=False) as service:
        context = service.connect()
        future = context.page_disconnect("page")
        service.clock.advance(DAY_S - 1)
        context.page_connect("page")
        assert future.cancelled()
        service.clock.advance(DAY_S)
        await turns()
        assert state_of(context) is State.OPEN


async def test_a_newer_disconnect_takes_the_cull_over() -> None:
    """The timeout counts from the last disconnect; the future of the one before it is cancelled."""
    async with serving(threads=False) as service:
        context = service.connect()
        first = context.page_disconnect("page")
        service.clock.advance(1.0)
        number = context.page_connect("page")
        second = context.page_disconnect("page", number)
        assert first.cancelled()
        assert not second.done()
        service.clock.advance(1.0)
        third = context.page_disconnect("page")
        assert second.cancelled()
        service.clock.advance(DAY_S)
        await third
        assert context.close_reason == CloseReason.CULLED


async def test_the_last_of_several_pages_counts() -> None:
    """While one page is connected nothing is culled, and a disconnect has nothing to wait for."""
    async with serving(threads=False) as service:
        context = service.connect("a")
        service.connect("b", kernel_id=context.id)
        first = context.page_disconnect("a")
        assert first.done()
        assert not first.cancelled()
        service.clock.advance(2 * DAY_S)
        await turns()
        assert state_of(context) is State.OPEN
        last = context.page_disconnect("b")
        service.clock.advance(DAY_S)
        await last
        assert state_of(context) is State.CLOSED


async def test_the_last_page_s_goodbye_closes_at_once() -> None:
    """A beacon of the only page ends the kernel; a second beacon, or one of an unknown page, is harmless."""
    async with serving(threads=False) as service:
        context = service.connect()
        context.page_close("unknown")
        assert state_of(context) is State.OPEN
        context.page_close("page")
        context.page_close("page")
        assert state_of(context) is State.CLOSING
        assert (await context.aclose()).reason == CloseReason.PAGE_CLOSED
        context.page_close("page")
        _ = context.page_disconnect("page")
        assert state_of(context) is State.CLOSED


async def test_a_goodbye_waits_for_pages_that_may_come_back() -> None:
    """With another page only disconnected the kernel is kept until the cull, or until that one says goodbye too."""
    async with serving(threads=False) as service:
        context = service.connect("a")
        service.connect("b", kernel_id=context.id)
        _ = context.page_disconnect("b")
        context.page_close("a")
        assert state_of(context) is State.OPEN
        assert service.registry.seconds_to_cull(context.id) == DAY_S
        context.page_close("b")
        assert context.close_reason == CloseReason.PAGE_CLOSED


async def test_a_goodbye_does_not_put_off_the_cull() -> None:
    """A beacon of a page that had left before changes neither the deadline nor the future of the last disconnect."""
    async with serving(threads=False) as service:
        context = service.connect("a")
        service.connect("b", kernel_id=context.id)
        _ = context.page_disconnect("a")
        culled = context.page_disconnect("b")
        service.clock.advance(DAY_S - 1)
        context.page_close("a")
        assert not culled.done()
        service.clock.advance(1)
        await culled
        assert context.close_reason == CloseReason.CULLED


async def test_a_page_that_said_goodbye_may_come_back() -> None:
    """While another page keeps the kernel, a restored page connects like any other."""
    async with serving(threads=False) as service:
        context = service.connect("a")
        service.connect("b", kernel_id=context.id)
        context.page_close("a")
        context.page_connect("a")
        context.page_close("b")
        assert state_of(context) is State.OPEN
        assert context.page_status == {"a": PageStatus.CONNECTED, "b": PageStatus.CLOSED}


async def test_pages_belong_to_the_loop() -> None:
    """From another thread each page method raises, says what to do instead, and changes nothing."""
    async with serving(threads=False) as service:
        context = service.connect()

        def use(method: Callable[[str], object]) -> None:
            with pytest.raises(WrongThread, match="call_soon_threadsafe"):
                method("page")

        for method in (context.page_connect, context.page_disconnect, context.page_close):
            await asyncio.to_thread(use, method)
        assert context.page_status == {"page": PageStatus.CONNECTED}


async def test_a_closing_kernel_takes_no_page() -> None:
    """Neither while it closes nor afterwards; the error says why it ends."""
    async with serving(threads=False) as service:
        context = service.connect()
        closing = asyncio.wrap_future(context.close("logged-out"))
        for _time in range(2):
            with pytest.raises(ContextClosed, match=r"is closed \(logged-out\) and can't take a page") as raised:
                context.page_connect("late")
            assert raised.value.reason == "logged-out"
            await closing
        assert context.page_status == {"page": PageStatus.CONNECTED}


async def test_a_page_that_ends_during_the_close_is_harmless() -> None:
    """Its disconnect and its goodbye have nothing to wait for, and nothing to start."""
    async with serving(threads=False) as service:
        context = service.connect("a")
        service.connect("b", kernel_id=context.id)
        closing = asyncio.wrap_future(context.close())
        future = context.page_disconnect("a")
        assert future.done()
        assert not future.cancelled()
        context.page_close("b")
        await closing
        assert service.clock.pending == []


# Close


async def test_close_takes_everything_down_in_its_order() -> None:
    """Jobs, hooks, tasks, app, widgets, kernel, websockets, registry, bindings, references, closed_event."""
    async with serving() as service:
        log = service.log
        context = await service.opened(sink=RecordingSink(log))
        handle = context.handle()
        began, gate = asyncio.Event(), Gate()

        def note(name: str) -> None:
            log.append(name)
            assert not context.closed_event.is_set()
            assert handle.peek() is context
            assert service.registry[context.id] is context

        async def task() -> None:
            began.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                note("task")

        def job(_host: FakeHost, frame: object) -> None:
            gate()
            note(f"job {frame}")

        service._act["receive"] = job
        context.on_close(lambda: note("hook"))
        future = context.create_task(task())
        await began.wait()
        context.receive("page", "running")
        context.receive("page", "dropped")
        await gate.is_reached()
        closing = context.close()
        with pytest.raises(ContextClosed):
            context.create_task(task())
        gate.open.set()
        report = await asyncio.wrap_future(closing)
        assert log == ["job running", "hook", "task", "app", "widgets", "kernel", "websocket"]
        assert [step.name.partition("(")[0] for step in report.steps] == [
            "running job",
            "hook test_close_takes_everything_down_in_its_order.<locals>.<lambda>",
            "tasks",
            "app",
            "widgets",
            "kernel",
            "websockets",
            "values",
            "registry",
            "bindings",
            "references",
        ]
        assert report.ok
        assert future.cancelled()
        assert context.id not in service.registry
        assert handle.peek() is None
        assert service.scrubbed == [set()]
        assert context.closed_event.is_set()
        assert context.host is None


async def test_what_waits_is_dropped_at_once() -> None:
    """A frame that was received before the close, and has not been begun with, is not handled any more."""
    async with serving(threads=False) as service:
        for end in (VirtualKernelContext.close, VirtualKernelContext.restart):
            context = service.connect()
            await turns()
            host = service.hosts[-1]
            context.receive("page", "frame")
            ending = end(context)
            assert context.stats().mailbox_depth == 0
            await asyncio.wrap_future(ending)
            assert host.names == ["show", "close_app", "close_widgets", "close_kernel"]


async def test_steps_of_the_kernel_run_on_a_worker_in_the_kernel() -> None:
    """App, widgets and kernel are closed off the loop, with the context current, as hooks are."""
    async with serving() as service:
        context = await service.opened()
        hooked: list[bool] = []
        context.on_close(lambda: hooked.append(get_current_context() is context))
        await context.aclose()
        closes = [call for call in service.hosts[0].calls if call.name.startswith("close")]
        assert len(closes) == 3
        assert all(call.current and call.thread != threading.get_ident() for call in closes)
        assert hooked == [True]


@pytest.mark.parametrize(
    ("reason", "code"), [("closed", 1000), ("culled", 1000), ("logged-out", 1000), ("server-shutdown", 1001)]
)
async def test_pages_are_told_why(reason: str, code: int) -> None:
    """Each websocket gets the close code and the word."""
    async with serving(threads=False) as service:
        sinks = [RecordingSink(), RecordingSink()]
        context = service.connect("a", sink=sinks[0])
        service.connect("b", kernel_id=context.id, sink=sinks[1])
        await context.aclose(reason)
        assert [sink.closed for sink in sinks] == [(code, reason)] * 2


async def test_the_first_reason_wins() -> None:
    """However often a close is asked for, there is one, and everybody gets its one report."""
    async with serving(threads=False) as service:
        context = service.connect()
        first = context.close("first")
        second = context.close("second")
        assert first is second
        report, other = await asyncio.gather(context.aclose("third"), asyncio.wrap_future(second))
        assert report is other
        assert report.reason == context.close_reason == "first"
        assert context.close("fourth") is first
        assert service.registry.stats().closed_total == {"first": 1}


async def test_the_one_future_cannot_be_cancelled() -> None:
    """One who loses patience takes the report from nobody."""
    async with serving(threads=False) as service:
        context = service.connect()
        future = context.close()
        assert not future.cancel()
        impatient = asyncio.create_task(context.aclose())
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await context.aclose()).ok


@pytest.mark.parametrize("reason", ["", "Logged-out", "two words", "x" * 65, "-x", "ümlaut", "a\nb", "a\n"])
async def test_a_reason_is_one_short_word(reason: str) -> None:
    """It has to fit into a close frame; what does not is refused, and nothing is closed."""
    async with serving(threads=False) as service:
        context = service.connect()
        with pytest.raises(ValueError, match="one lower-case word"):
            context.close(reason)
        assert state_of(context) is State.OPEN
        assert context.close_reason is None


async def test_restart_is_no_reason_to_close() -> None:
    """Pages that were told so would come back to a kernel that is not there."""
    async with serving(threads=False) as service:
        context = service.connect()
        with pytest.raises(ValueError, match=r"call restart\(\) for a fresh kernel"):
            context.close(CloseReason.RESTART)
        assert state_of(context) is State.OPEN


async def test_two_closes_at_once_from_threads() -> None:
    """A dozen threads close at the same moment: one close."""
    async with serving() as service:
        context = await service.opened()
        hooked: list[str] = []
        context.on_close(lambda: hooked.append("once"))
        together = threading.Barrier(12)
        futures: list[concurrent.futures.Future[CloseReport]] = []

        def close(number: int) -> None:
            together.wait(PATIENCE_S)
            futures.append(context.close(f"thread-{number}"))

        threads = [threading.Thread(target=close, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join, PATIENCE_S)
        assert len(futures) == 12
        assert len(set(futures)) == 1
        report = await asyncio.wrap_future(futures[0])
        assert report.reason == context.close_reason
        assert hooked == ["once"]


async def close_from_page_function(service: Service, reached: Callable[[], None]) -> VirtualKernelContext:
    """The page function closes its own kernel."""

    def page() -> None:
        get_current_context().close("asked")
        reached()

    return service.connect(function=page)


async def close_from_callback(service: Service, reached: Callable[[], None]) -> VirtualKernelContext:
    """A widget's callback does."""

    def receive(_host: FakeHost, _frame: object) -> None:
        get_current_context().close("asked")
        reached()

    service._act["receive"] = receive
    context = await service.opened()
    context.receive("page", "click")
    return context


async def close_from_worker(service: Service, reached: Callable[[], None]) -> VirtualKernelContext:
    """A thread does."""
    context = await service.opened()
    await asyncio.to_thread(context.close, "asked")
    reached()
    return context


async def close_from_task(service: Service, reached: Callable[[], None]) -> VirtualKernelContext:
    """A task of the kernel does, and goes on to wait for what will cancel it."""
    context = await service.opened()

    async def task() -> None:
        reached()
        await context.aclose("asked")

    context.create_task(task())
    return context


async def close_from_hook(service: Service, reached: Callable[[], None]) -> VirtualKernelContext:
    """An on_close hook asks for another close."""
    context = await service.opened()

    def hook() -> None:
        assert context.close("too-late") is context.close("later-still")
        reached()

    context.on_close(hook)
    context.close("asked")
    return context


async def close_during_page_function(service: Service, reached: Callable[[], None]) -> VirtualKernelContext:
    """The close comes while the page function runs."""
    gate = Gate()
    context = service.connect(function=gate)
    await gate.is_reached()
    context.close("asked")
    reached()
    await turns()
    assert not context.closed_event.is_set()
    gate.open.set()
    return context


async def close_while_reconnecting(service: Service, reached: Callable[[], None]) -> VirtualKernelContext:
    """A page comes back just as the kernel closes."""
    context = await service.opened(sink=RecordingSink())
    _ = context.page_disconnect("page")
    closing = asyncio.to_thread(context.close, "asked")
    context.page_connect("page", RecordingSink())
    await closing
    reached()
    with contextlib.suppress(ContextClosed):
        context.page_connect("page", RecordingSink())
    return context


async def close_during_restart(service: Service, reached: Callable[[], None]) -> VirtualKernelContext:
    """The old kernel is half-way down."""
    context = await service.opened()
    gate = Gate()
    context.on_close(gate)
    context.restart()
    await gate.is_reached()
    context.close("asked")
    assert state_of(context) is State.CLOSING
    reached()
    gate.open.set()
    return context


async def close_with_restart_asked(service: Service, reached: Callable[[], None]) -> VirtualKernelContext:
    """A worker asks for a restart and at once for the end."""
    context = await service.opened()

    def work() -> None:
        context.restart()
        context.close("asked")

    await asyncio.to_thread(work)
    reached()
    return context


@pytest.mark.parametrize(
    "close",
    [
        close_from_page_function,
        close_from_callback,
        close_from_worker,
        close_from_task,
        close_from_hook,
        close_during_page_function,
        close_while_reconnecting,
        close_during_restart,
        close_with_restart_asked,
    ],
)
async def test_one_clean_close_from_wherever_it_is_asked(
    close: Callable[[Service, Callable[[], None]], Awaitable[VirtualKernelContext]],
) -> None:
    """The event is set, the first reason counts, one close is on the books, and nothing is left."""
    async with serving() as service:
        reached = threading.Event()
        context = await close(service, reached.set)
        assert await asyncio.to_thread(reached.wait, PATIENCE_S)
        report = await context.aclose("too-late")
        assert context.closed_event.is_set()
        assert report.reason == context.close_reason == "asked"
        assert state_of(context) is State.CLOSED
        assert len(service.registry) == 0
        assert service.registry.stats().closed_total == {"asked": 1}
        assert all(host.names.count("close_kernel") == 1 for host in service.hosts)
        assert not has_current_context()
        gone = weakref.ref(context)
        del context
        await eventually(lambda: gone() is None)


def watch(event: threading.Event, gone: Callable[[], object], seen: list[object]) -> None:
    """Look what is left of a context the moment its event is set."""
    assert event.wait(PATIENCE_S)
    seen.append(gone())


async def test_whoever_waits_for_the_event_finds_nothing_left() -> None:
    """At the moment at which closed_event is set no frame of ours refers to the context any more."""
    async with serving() as service:
        context = await service.opened()
        event, gone = context.closed_event, weakref.ref(context)
        seen: list[object] = []
        watcher = threading.Thread(target=watch, args=(event, gone, seen))
        watcher.start()
        context.close()
        del context
        await asyncio.to_thread(watcher.join, PATIENCE_S)
        assert seen == [None]


async def test_a_culled_kernel_leaves_nothing_either() -> None:
    """The same where the clock has closed it."""
    async with serving() as service:
        context = await service.opened()
        event, gone = context.closed_event, weakref.ref(context)
        _ = context.page_disconnect("page")
        del context
        seen: list[object] = []
        watcher = threading.Thread(target=watch, args=(event, gone, seen))
        watcher.start()
        service.clock.advance(DAY_S)
        await asyncio.to_thread(watcher.join, PATIENCE_S)
        assert seen == [None]


async def test_the_cull_leaves_no_moment_for_a_page_to_be_cheated() -> None:
    """From the decision on, a page is refused; it is not let in and then closed."""
    async with serving(threads=False) as service:
        context = service.connect()
        _ = context.page_disconnect("page")
        service.clock.advance(DAY_S)
        with pytest.raises(ContextClosed, match="culled"):
            context.page_connect("page")


def test_a_close_after_the_loop_has_ended_says_so() -> None:
    """Nobody waits for ever for a loop that is gone."""

    async def main() -> VirtualKernelContext:
        service = Service()
        service.registry.start(clock=service.clock)
        context = await service.opened()
        await asyncio.to_thread(lambda: None)
        service.registry.workers.close()
        return context

    context = asyncio.run(main())
    with pytest.raises(RuntimeError, match="event loop of kernel kernel… has ended"):
        context.close().result(PATIENCE_S)


# Hooks


async def test_hooks_run_last_registered_first() -> None:
    """A hook that a hook registers is the next to run."""
    log: list[str] = []
    async with serving() as service:
        context = await service.opened()

        def registering() -> None:
            log.append("registering")
            context.on_close(lambda: log.append("registered by a hook"))

        context.on_close(lambda: log.append("first"))
        context.on_close(registering)
        off = context.on_close(lambda: log.append("taken off"))
        context.on_close(lambda: log.append("last"))
        off()
        off()
        await context.aclose()
        assert log == ["last", "registering", "registered by a hook", "first"]


async def test_a_raising_hook_stops_nothing() -> None:
    """Every other hook runs, the kernel goes, and the report names the one that failed."""
    log: list[str] = []

    def fail() -> None:
        raise ValueError("no")

    def leave() -> None:
        raise SystemExit(3)

    async with serving() as service:
        context = await service.opened()
        context.on_close(lambda: log.append("first"))
        context.on_close(fail)
        context.on_close(leave)
        with silent():
            report = await context.aclose()
        assert log == ["first"]
        assert {step.name.rpartition(".")[2]: step.error for step in report.steps if not step.ok} == {
            "leave": "SystemExit: 3",
            "fail": "ValueError: no",
        }
        assert context.closed_event.is_set()


async def test_a_blocking_hook_is_abandoned() -> None:
    """After its budget the others run; the report says where it is stuck; its late end harms nobody."""
    log: list[str] = []
    async with serving() as service:
        context = await service.opened()
        gate = Gate()
        context.on_close(lambda: log.append("first"))
        context.on_close(gate)
        with silent():
            closing = context.close()
            await gate.is_reached()
            service.clock.advance(5.0)
            report = await asyncio.wrap_future(closing)
        (stuck,) = (step for step in report.steps if not step.ok)
        assert stuck.name == "hook Gate"
        assert stuck.abandoned
        assert "self.open.wait(PATIENCE_S)" in str(stuck.stack)
        assert log == ["first"]
        assert context.closed_event.is_set()
        assert service.registry.worker_stats().stuck == 1
        gate.open.set()
        await eventually(lambda: service.registry.worker_stats().stuck == 0)


async def test_a_hook_that_waits_for_the_close_is_abandoned_too() -> None:
    """A deadlock of the user's is cut by the budget."""
    async with serving() as service:
        context = await service.opened()
        waiting = threading.Event()
        reasons: list[str] = []

        def hook() -> None:
            future = context.close()
            waiting.set()
            reasons.append(future.result(PATIENCE_S).reason)

        context.on_close(hook)
        with silent():
            closing = context.close("asked")
            assert await asyncio.to_thread(waiting.wait, PATIENCE_S)
            service.clock.advance(5.0)
            report = await asyncio.wrap_future(closing)
        assert [step.abandoned for step in report.steps if step.name.startswith("hook")] == [True]
        await eventually(lambda: reasons == ["asked"])


class Surly:
    """A hook that tells nobody about itself, such as a proxy for something that is not there."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    def __call__(self) -> None:
        self._log.append("surly")

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


async def test_a_hook_that_has_no_name_runs_like_the_others() -> None:
    """Whatever happens to whoever asks for its name: that is on the event loop, and outside all that is isolated."""
    log: list[str] = []
    async with serving() as service:
        context = await service.opened()
        context.on_close(lambda: log.append("first"))
        context.on_close(Surly(log))
        report = await asyncio.wait_for(context.aclose(), PATIENCE_S)
        assert log == ["surly", "first"]
        assert [step.name for step in report.steps if "Surly" in step.name] == ["hook Surly"]


async def test_what_is_no_hook_is_refused_at_once() -> None:
    """`on_close(save())` for `on_close(save)`: found out at the close, the hooks before it would not have run."""
    log: list[str] = []
    async with serving() as service:
        context = await service.opened()
        context.on_close(lambda: log.append("first"))
        with pytest.raises(TypeError, match="without a call, not an object of type NoneType"):
            context.on_close(None)  # type: ignore[arg-type]
        await context.aclose()
        assert log == ["first"]


class Dying:
    """Notes on which thread it goes."""

    def __init__(self, log: list[int]) -> None:
        self._log = log

    def __del__(self) -> None:
        self._log.append(threading.get_ident())

    def __call__(self) -> None:
        pass


async def test_what_a_hook_holds_goes_on_a_worker() -> None:
    """The end of a database connection may take its time, and the event loop is everybody's."""
    died_on: list[int] = []
    async with serving() as service:
        context = await service.opened()
        context.on_close(Dying(died_on))
        await context.aclose()
        assert len(died_on) == 1
        assert died_on != [threading.get_ident()]


async def test_on_close_after_the_close_runs_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """In the caller's thread; its error is logged, not raised; taking it off is harmless."""
    async with serving(threads=False) as service:
        context = service.connect()
        await context.aclose()
        ran: list[int] = []
        context.on_close(lambda: ran.append(threading.get_ident()))()
        assert ran == [threading.get_ident()]
        with caplog.at_level(logging.ERROR, "solara_ctx.context"):
            context.on_close(lambda: 1 / 0)
        assert [record.getMessage() for record in caplog.records] == ["an on_close hook of kernel kernel… failed"]


async def test_on_close_while_the_kernel_goes_runs_at_once() -> None:
    """Once all hooks have run, a later one is not lost: here the app's own end registers one."""
    log: list[str] = []

    def register(host: FakeHost, _argument: object) -> None:
        host.handle.context().on_close(lambda: log.append("late"))
        log.append("registered")

    async with serving(act={"close_app": register}) as service:
        context = await service.opened()
        context.on_close(lambda: log.append("hook"))
        await context.aclose()
        assert log == ["hook", "late", "registered"]


async def test_a_misbehaving_host_is_taken_down_to_the_end() -> None:
    """Whatever step raises, the ones after it run."""

    def fail(_host: FakeHost, _argument: object) -> None:
        raise ValueError("no")

    async with serving(act={"close_app": fail, "close_widgets": fail, "close_kernel": fail}) as service:
        context = await service.opened(sink=(sink := RecordingSink()))
        with silent():
            report = await context.aclose()
        assert [step.name for step in report.steps if not step.ok] == ["app", "widgets", "kernel"]
        assert sink.closed == (1000, "closed")
        assert len(service.registry) == 0
        assert context.closed_event.is_set()


# Tasks


async def test_a_task_sees_its_kernel() -> None:
    """Made from the loop or from a worker of another kernel: the kernel it was made on is current in it."""
    async with serving() as service:
        other = await service.opened()
        context = await service.opened()

        async def task() -> bool:
            await asyncio.sleep(0)
            return get_current_context() is context

        assert await asyncio.wrap_future(context.create_task(task(), name="named"))

        def worker() -> bool:
            with other:
                return context.create_task(task()).result(PATIENCE_S)

        assert await asyncio.to_thread(worker)
        assert not has_current_context()


async def test_a_thread_that_has_closed_can_start_no_task() -> None:
    """From the moment of the claim, also before the loop has heard of it; the error says why."""
    async with serving(threads=False) as service:
        context = service.connect()

        def close_and_go_on() -> None:
            context.close("logged-out")
            with pytest.raises(ContextClosed, match=r"\(logged-out\) and can't start a task"):
                context.create_task(asyncio.Event().wait())

        thread = threading.Thread(target=close_and_go_on)
        thread.start()
        thread.join(PATIENCE_S)
        assert state_of(context) is State.OPEN
        assert (await context.aclose()).reason == "logged-out"


async def test_a_task_that_does_not_end_is_abandoned_and_named() -> None:
    """A task that swallows its cancellation does not stop the close."""
    async with serving() as service:
        context = await service.opened()
        began, go_on = asyncio.Event(), asyncio.Event()

        async def stubborn() -> None:
            began.set()
            while not go_on.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await go_on.wait()

        context.create_task(stubborn(), name="stubborn")
        await began.wait()
        with silent():
            closing = context.close()
            await service.hosts[0].called("show")
            await eventually(lambda: len(service.clock.pending) == 1 and bool(service.registry))
            await turns()
            service.clock.advance(5.0)
            report = await asyncio.wrap_future(closing)
        (stuck,) = (step for step in report.steps if not step.ok)
        assert (stuck.name, stuck.abandoned) == ("tasks", True)
        assert "task 'stubborn'" in str(stuck.stack)
        go_on.set()
        await turns()


# Restart


async def test_a_restart_makes_a_fresh_kernel_under_the_same_id() -> None:
    """Teardown as for a close, then the page function again; pages are told to come back."""
    log: list[str] = []
    async with serving() as service:
        sink = RecordingSink(service.log)
        context = await service.opened(sink=sink, function=lambda: log.append("page"))
        context.on_close(lambda: log.append("hook"))
        handle, old = context.handle(), context.kernel
        report = await asyncio.wrap_future(context.restart())
        await service.hosts[1].called("show")
        assert report.reason == "restart"
        assert report.ok
        assert log == ["page", "hook", "page"]
        assert service.log == ["app", "widgets", "kernel", "websocket"]
        assert sink.closed == (1012, "restart")
        assert state_of(context) is State.OPEN
        assert service.registry[context.id] is context
        assert context.kernel is not old
        assert handle.peek() is None
        assert context.handle().peek() is context
        assert not context.closed_event.is_set()
        assert (context.stats().restarts, service.registry.stats().restarted_total) == (1, 1)
        assert service.registry.stats().closed_total == {}
        again = RecordingSink()
        context.page_connect("page", again)
        assert service.hosts[1].sinks == {"page": again}
        await context.aclose()
        assert log == ["page", "hook", "page"]


async def test_a_page_whose_socket_ends_for_the_restart_may_come_back_or_not() -> None:
    """Its disconnect starts the cull, its reconnect ends it, as ever."""
    async with serving(threads=False) as service:
        context = service.connect(sink=RecordingSink())
        number = context._presence.table.get("page").connection  # type: ignore[union-attr]
        await asyncio.wrap_future(context.restart())
        culled = context.page_disconnect("page", number)
        assert service.registry.seconds_to_cull(context.id) == DAY_S
        context.page_connect("page", RecordingSink())
        assert culled.cancelled()
        _ = context.page_disconnect("page")
        service.clock.advance(DAY_S)
        await eventually(context.closed_event.is_set)
        assert context.close_reason == CloseReason.CULLED


async def test_one_restart_at_a_time() -> None:
    """Who asks again meanwhile gets the same future; later there is another restart."""
    async with serving() as service:
        context = await service.opened()
        gate = Gate()
        context.on_close(gate)
        first = context.restart()
        assert state_of(context) is State.RESTARTING
        assert context.restart() is first
        await gate.is_reached()
        assert context.restart() is first
        gate.open.set()
        await asyncio.wrap_future(first)
        second = context.restart()
        assert second is not first
        await asyncio.wrap_future(second)
        assert len(service.hosts) == 3


async def test_a_restart_from_the_page_s_own_callback() -> None:
    """The teardown waits for the callback that asked, and then the fresh page runs."""
    futures: list[concurrent.futures.Future[CloseReport]] = []

    def receive(host: FakeHost, _frame: object) -> None:
        futures.append(host.handle.context().restart())

    async with serving(act={"receive": receive}) as service:
        context = await service.opened()
        context.receive("page", "click")
        await service.hosts[0].called("close_kernel")
        await eventually(lambda: len(service.hosts) == 2)
        await service.hosts[1].called("show")
        assert (await asyncio.wrap_future(futures[0])).ok


async def test_a_page_may_connect_during_a_restart() -> None:
    """It is sent away like the others once the old kernel is down, and comes back to the fresh one."""
    async with serving() as service:
        context = await service.opened()
        gate = Gate()
        context.on_close(gate)
        restarting = context.restart()
        await gate.is_reached()
        sink = RecordingSink()
        number = context.page_connect("late", sink)
        assert sink.closed != (1012, "restart")
        gate.open.set()
        await asyncio.wrap_future(restarting)
        assert sink.closed == (1012, "restart")
        _ = context.page_disconnect("late", number)
        again = RecordingSink()
        context.page_connect("late", again)
        assert service.hosts[1].sinks == {"late": again}
        assert again.closed is None


async def test_a_close_during_a_restart_makes_no_kernel_for_nothing() -> None:
    """The old kernel goes, hooks run once, and no fresh one begins."""
    async with serving() as service:
        ran: list[str] = []
        context = await service.opened(sink=(sink := RecordingSink()), function=lambda: ran.append("page"))
        gate = Gate()
        context.on_close(lambda: ran.append("hook"))
        context.on_close(gate)
        restarting = context.restart()
        await gate.is_reached()
        closing = context.close()
        with pytest.raises(ContextClosed, match="restart"):
            context.restart()
        gate.open.set()
        assert (await asyncio.wrap_future(restarting)).reason == "restart"
        assert (await asyncio.wrap_future(closing)).reason == "closed"
        assert ran == ["page", "hook"]
        assert len(service.hosts) == 1
        assert sink.closed is not None
        assert state_of(context) is State.CLOSED


async def test_a_restart_asked_too_late_is_refused() -> None:
    """A worker asked first, but its request reaches the loop behind the close."""
    async with serving(threads=False) as service:
        context = service.connect()
        asked: list[concurrent.futures.Future[CloseReport]] = []
        worker = threading.Thread(target=lambda: asked.append(context.restart()))
        worker.start()
        worker.join(PATIENCE_S)
        context.close("logged-out")
        with pytest.raises(ContextClosed, match=r"\(logged-out\) and can't restart"):
            await asyncio.wrap_future(asked[0])
        assert (await context.aclose()).reason == "logged-out"
        assert len(service.hosts) == 1


async def test_a_restart_that_cannot_make_a_kernel_closes() -> None:
    """Without a kernel the context is of no use: it ends, says why, and later closes do not wait for ever."""
    async with serving() as service:
        context = await service.opened(sink=RecordingSink())

        def fail(_handle: object) -> FakeHost:
            raise MemoryError("no room")

        service.registry._make_host = fail
        with silent():
            report = await asyncio.wrap_future(context.restart())
            assert [(step.name, step.error) for step in report.steps if not step.ok] == [
                ("fresh kernel", "MemoryError: no room")
            ]
            assert (await context.aclose()).reason == "restart-failed"
        assert context.closed_event.is_set()
        assert len(service.registry) == 0


async def test_a_cull_during_a_restart_closes() -> None:
    """Nobody came back in time: the kernel ends once the old one is down."""
    async with serving(kernel_cull_timeout=1) as service:
        context = await service.opened()
        gate = Gate()
        context.on_close(gate)
        culled = context.page_disconnect("page")
        restarting = context.restart()
        await gate.is_reached()
        service.clock.advance(1)
        assert state_of(context) is State.CLOSING
        gate.open.set()
        await culled
        assert restarting.done()
        assert context.close_reason == CloseReason.CULLED
        assert context.closed_event.is_set()
