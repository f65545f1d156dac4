"""Which kernels there are."""

import asyncio
import concurrent.futures
import logging
import threading
from functools import partial

import pytest

from solara_ctx import current
from solara_ctx.admission import Admission
from solara_ctx.clock import PER_TURN
from solara_ctx.context import VirtualKernelContext
from solara_ctx.current import get_current_context
from solara_ctx.errors import (
    ContextClosed,
    InvalidKernelId,
    KernelContextError,
    KernelLimitReached,
    SessionMismatch,
    UserMismatch,
)
from solara_ctx.lifecycle import CloseReason, State
from solara_ctx.registry import KernelRegistry
from solara_ctx.settings import Settings
from solara_ctx.teardown import CloseReport
from tests.support.fakes import PATIENCE_S, FakeIds, RecordingSink
from tests.support.service import Service, eventually, nothing, serving, turns

DAY_S = 86400.0


# The mapping


async def test_the_registry_is_a_mapping_of_the_living() -> None:
    """Kernels by id, from their first connection to their end."""
    async with serving(threads=False) as service:
        registry = service.registry
        assert (len(registry), list(registry)) == (0, [])
        a, b = service.connect("a"), service.connect("b")
        assert registry[a.id] is a
        assert list(registry) == list(registry.keys()) == [a.id, b.id]
        assert list(registry.values()) == [a, b]
        assert dict(registry.items()) == {a.id: a, b.id: b}
        assert a.id in registry
        assert registry.get("unknown") is None
        with pytest.raises(KeyError):
            registry["unknown"]
        assert repr(registry) == "<KernelRegistry kernels=2>"
        await a.aclose()
        assert list(registry) == [b.id]


async def test_the_mapping_may_be_read_while_kernels_come_and_go() -> None:
    """Another thread walks through it and meets neither a changed size nor a missing key."""
    async with serving(threads=False) as service:
        stop = threading.Event()

        def walk() -> int:
            walks = 0
            while not stop.is_set():
                assert all(context.id == kernel_id for kernel_id, context in service.registry.items())
                assert all(context.id for context in service.registry.values())
                assert all(list(service.registry))
                walks += 1
            return walks

        walking = asyncio.create_task(asyncio.to_thread(walk))
        for _time in range(30):
            contexts = [service.connect() for _number in range(10)]
            await asyncio.gather(*(context.aclose() for context in contexts))
        stop.set()
        assert await walking > 0


# Letting in


async def test_an_id_that_is_never_used_costs_nothing() -> None:
    """Issuing makes no kernel and leaves nothing behind."""
    async with serving(threads=False) as service:
        ids = [service.registry.issue("session") for _number in range(100)]
        assert len(set(ids)) == 100
        assert len(service.registry) == 0
        assert service.hosts == []
        assert service.registry.stats().started_total == 0
        assert service.registry.find(ids[0], "session") is None


async def test_the_first_connection_starts_the_kernel_and_the_next_finds_it() -> None:
    """One kernel per id; connections are numbered."""
    async with serving(threads=False) as service:
        kernel_id = service.registry.issue("session")
        first = service.registry.connect(kernel_id, "session", "page", sink=None, page=nothing)
        second = service.registry.connect(kernel_id, "session", "page", sink=None, page=nothing)
        assert first.context is second.context
        assert second.number > first.number
        assert service.registry.find(kernel_id, "session") is first.context
        assert len(service.hosts) == service.registry.stats().started_total == 1


async def test_a_session_sees_only_its_own_kernels() -> None:
    """A foreign id is refused, started or not, and the message names nobody else's session."""
    async with serving(threads=False) as service:
        context = service.connect(session="session-of-alice")
        with pytest.raises(SessionMismatch) as mismatch:
            service.registry.find(context.id, "session-of-mallory")
        assert "alice" not in str(mismatch.value)
        with pytest.raises(SessionMismatch):
            service.registry.connect(context.id, "session-of-mallory", "page", sink=None, page=nothing)
        unused = service.registry.issue("session-of-alice")
        with pytest.raises(InvalidKernelId):
            service.registry.find(unused, "session-of-mallory")
        with pytest.raises(InvalidKernelId):
            service.connect(kernel_id="forged", session="session-of-mallory")
        assert len(service.registry) == 1
        assert list(context.page_status) == ["page"]
        service.connect(session="session-of-bob")
        assert service.registry.of_session("session-of-alice") == [context]
        assert service.registry.of_session("nobody") == []


async def test_an_ended_kernel_does_not_come_back() -> None:
    """Its id is answered with why it ended, also long after."""
    async with serving(threads=False) as service:
        context = service.connect()
        kernel_id = context.id
        await context.aclose("logged-out")
        for _time in range(2):
            with pytest.raises(ContextClosed, match=r"\(logged-out\)") as closed:
                service.connect(kernel_id=kernel_id)
            assert closed.value.reason == "logged-out"
            service.clock.advance(DAY_S)
        assert len(service.hosts) == 1
        with pytest.raises(InvalidKernelId):
            service.registry.find(kernel_id, "another session")


async def test_a_page_that_comes_back_is_given_no_other_kernel() -> None:
    """Its own was another process's, under the same key; what was done in it is gone, and the page has to hear that."""
    async with serving() as service:
        kernel_id = service.registry.issue("session")
        with pytest.raises(ContextClosed, match=r"\(gone\)"):
            service.registry.connect(kernel_id, "session", "page", sink=None, page=lambda: None, returns=True)
        assert len(service.registry) == 0
        service.registry.connect(kernel_id, "session", "page", sink=None, page=lambda: None)
        service.registry.connect(kernel_id, "session", "page", sink=None, page=lambda: None, returns=True)
        assert len(service.registry) == 1


async def test_an_id_that_was_not_used_in_time_has_expired() -> None:
    """A kernel can't be started under it any more; one that was started lives on."""
    async with serving(threads=False) as service:
        unused, used = service.registry.issue("session"), service.connect()
        service.ids.expired |= {unused, used.id}
        with pytest.raises(ContextClosed, match=r"\(expired\)"):
            service.connect(kernel_id=unused)
        assert service.connect("again", kernel_id=used.id) is used


async def test_ended_kernels_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten once there are too many, unless their ids could still start a kernel."""
    monkeypatch.setattr("solara_ctx.ended._REMEMBERED", 2)
    async with serving(threads=False, kernel_connect_timeout=10) as service:
        ended = []
        for _number in range(4):
            context = service.connect()
            ended.append(context.id)
            await context.aclose("gone")
        assert len(service.registry._ended) == 4
        service.clock.advance(10.1)
        await service.connect().aclose()
        assert len(service.registry._ended) == 2
        assert service.registry.find(ended[0], "session") is None
        with pytest.raises(ContextClosed, match="gone"):
            service.registry.find(ended[3], "session")


@pytest.mark.parametrize(
    ("setting", "variable"),
    [("kernel_max_count", "SOLARA_KERNEL_MAX_COUNT"), ("kernel_max_per_session", "SOLARA_KERNEL_MAX_PER_SESSION")],
)
async def test_the_limit_holds_at_the_limit(setting: str, variable: str) -> None:
    """Below it a kernel is let in, at it one more is refused, with the setting's name and when to ask again."""
    async with serving(threads=False, settings={setting: 2}) as service:
        reserved = service.registry.issue("session")
        a, b = service.connect("a"), service.connect("b")
        for refused in (
            lambda: service.registry.issue("session"),
            lambda: service.connect(kernel_id=reserved),
        ):
            with pytest.raises(KernelLimitReached, match=rf"limit of 2 kernels \({variable}\)") as limit:
                refused()
            assert limit.value.retry_after_s == 10
        assert service.registry.stats().refused_total == 2
        assert service.connect("again", kernel_id=a.id) is a
        if setting == "kernel_max_per_session":
            service.connect(session="another")
        closing = asyncio.wrap_future(b.close())
        with pytest.raises(KernelLimitReached):
            service.registry.issue("session")  # it is still there
        await closing
        service.connect(kernel_id=reserved)
        await a.aclose()


async def test_sessions_are_counted_exactly() -> None:
    """When all kernels of a session have ended, nothing of the count is left."""
    async with serving(threads=False, kernel_max_per_session=1) as service:
        for _time in range(3):
            context = service.connect()
            with pytest.raises(KernelLimitReached):
                service.registry.issue("session")
            await context.aclose()
        assert len(service.registry._admission) == 0


# Users


async def test_a_kernel_belongs_to_its_first_user() -> None:
    """Nobody else gets at it, not even one who is nobody, and it does not belong to whom comes later."""
    async with serving(threads=False) as service:
        registry = service.registry
        ids = {user: registry.issue("session") for user in ("ann", None)}
        for user, kernel_id in ids.items():
            context = registry.connect(kernel_id, "session", "page", sink=None, page=nothing, user=user).context
            assert context.user == user
            assert registry.find(kernel_id, "session", user) is context
            for other in {"ann", "bob", None} - {user}:
                with pytest.raises(UserMismatch):
                    registry.find(kernel_id, "session", other)
                with pytest.raises(UserMismatch):
                    registry.connect(kernel_id, "session", "page", sink=None, page=nothing, user=other)


async def test_all_kernels_of_a_user_may_be_ended_at_once() -> None:
    """From any thread, of whatever session; the others' stay."""
    async with serving(threads=False) as service:
        registry = service.registry
        users = {registry.issue(session): (session, user) for session in ("a", "b") for user in ("ann", "bob", None)}
        for kernel_id, (session, user) in users.items():
            registry.connect(kernel_id, session, "page", sink=None, page=nothing, user=user)
        closings = await asyncio.to_thread(registry.invalidate, "ann")
        reports = [await asyncio.wrap_future(closing) for closing in closings]
        assert [report.reason for report in reports] == ["signed-out", "signed-out"]
        assert {users[kernel_id][1] for kernel_id in registry} == {"bob", None}
        with pytest.raises(ValueError, match="close reason"):
            registry.invalidate("bob", "No Such Word")
        for nobody in (None, 42):
            with pytest.raises(TypeError, match="by a string"):
                registry.invalidate(nobody)  # type: ignore[arg-type]


async def test_a_page_that_was_loaded_before_the_user_signed_out_starts_nothing() -> None:
    """One that is loaded afterwards does, and so do the others'; nothing is remembered for longer than ids are good."""
    async with serving(threads=False, kernel_connect_timeout=300) as service:
        registry = service.registry

        def start(kernel_id: str, user: str) -> object:
            return registry.connect(kernel_id, "session", "page", sink=None, page=nothing, user=user)

        before = registry.issue("session")
        registry.invalidate("ann")
        with pytest.raises(ContextClosed, match="signed-out"):
            start(before, "ann")
        assert start(before, "bob")
        service.clock.advance(1)  # the ids here do not age
        assert start(registry.issue("session"), "ann")
        service.clock.advance(300)
        registry.invalidate("bob")
        assert set(registry._signed_out) == {"bob"}


# Making room


def leave(context: VirtualKernelContext) -> None:
    """Let its one page lose its connection."""
    _ = context.page_disconnect("page")


async def test_the_one_that_has_waited_longest_makes_room() -> None:
    """At the limit: a full close, with hooks and a reason that its page will see; a page that is connected stays."""
    ran: list[str] = []
    async with serving(threads=False, kernel_max_count=3) as service:
        stays, first, second = (service.connect() for _ in range(3))
        first.on_close(lambda: ran.append("hook"))
        leave(first)
        service.clock.advance(1)
        leave(second)
        newcomer = service.connect()
        assert (first.state, first.close_reason) == (State.CLOSING, "evicted")
        await first.aclose()
        assert ran == ["hook"]
        assert set(service.registry.values()) == {stays, second, newcomer}
        stats = service.registry.stats()
        assert (stats.total, stats.retained, stats.refused_total, stats.closed_total) == (3, 1, 0, {"evicted": 1})
        with pytest.raises(ContextClosed, match="evicted"):
            service.registry.find(first.id, "session")


async def test_nobody_waits_for_the_hooks_of_one_that_makes_room() -> None:
    """It counts no more from the moment on in which it was chosen, and is not chosen twice."""
    gate = threading.Event()
    async with serving(kernel_max_count=1) as service:
        slow = await service.opened()
        slow.on_close(lambda: gate.wait(PATIENCE_S))
        leave(slow)
        newcomer = service.connect()
        assert slow.state is State.CLOSING
        with pytest.raises(KernelLimitReached):
            service.connect()
        gate.set()
        await slow.aclose()
        with pytest.raises(KernelLimitReached):
            service.connect()
        await newcomer.aclose()
        assert len(service.registry._admission) == 0


async def test_a_session_makes_room_for_itself() -> None:
    """At its own limit none of the others' kernels goes, however long it has waited; and one makes room for all."""
    async with serving(threads=False, kernel_max_per_session=1, kernel_max_count=2) as service:
        of_another, own = service.connect(session="another"), service.connect()
        leave(of_another)
        service.clock.advance(1)
        leave(own)
        service.connect()
        assert (of_another.state, own.state) == (State.OPEN, State.CLOSING)


async def test_an_id_is_issued_where_somebody_can_make_room() -> None:
    """Nobody goes for it yet: its page may never come."""
    async with serving(threads=False, kernel_max_count=1) as service:
        context = service.connect()
        with pytest.raises(KernelLimitReached):
            service.registry.issue("session")
        assert not service.registry.has_room()
        leave(context)
        assert service.registry.has_room()
        service.registry.issue("session")
        assert context.state is State.OPEN


async def test_above_the_memory_limit_each_that_comes_replaces_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process takes hardly falls, so not all go at once; with nobody to go, nobody comes."""
    memory = [999]
    monkeypatch.setattr("solara_ctx.registry.Admission", partial(Admission, resident=lambda: memory[0]))
    async with serving(threads=False, memory_limit=1000) as service:
        first, second = service.connect(), service.connect()
        memory[0] = 1000
        with pytest.raises(KernelLimitReached, match=r"limit of 1000 bytes of memory \(SOLARA_MEMORY_LIMIT\)"):
            service.connect()
        leave(first)
        leave(second)
        service.connect()
        assert (first.state, second.state) == (State.CLOSING, State.OPEN)


async def test_memory_that_does_not_fall_shuts_nobody_out_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fitted may come again when they have gone, and more once it has fallen after all."""
    memory = [0]
    monkeypatch.setattr("solara_ctx.registry.Admission", partial(Admission, resident=lambda: memory[0]))
    async with serving(threads=False, memory_limit=1000) as service:
        contexts = [service.connect(), service.connect()]
        memory[0] = 2000
        assert not service.registry.has_room()
        for context in contexts:
            await context.aclose()
        service.connect()
        service.connect()
        with pytest.raises(KernelLimitReached):
            service.connect()
        memory[0] = 999
        service.connect()


async def test_who_comes_and_goes_too_fast_piles_nothing_up() -> None:
    """No more make room at a time than there may be kernels."""
    gate = threading.Event()
    async with serving(kernel_max_count=2) as service:
        for _ in range(4):
            context = await service.opened()
            context.on_close(lambda: gate.wait(PATIENCE_S))
            leave(context)
        assert len(service.registry) == 4
        with pytest.raises(KernelLimitReached):
            service.connect()
        gate.set()
        await eventually(lambda: len(service.registry) == 2)
        service.connect()


async def test_one_that_a_thread_has_closed_makes_room_once() -> None:
    """Although its end has not begun yet."""
    async with serving(threads=False, kernel_max_count=2) as service:
        closed, stays = service.connect(), service.connect()
        leave(closed)
        thread = threading.Thread(target=closed.close)
        thread.start()
        thread.join()
        service.connect()
        with pytest.raises(KernelLimitReached):
            service.connect()
        assert stays.state is State.OPEN


async def test_one_that_restarts_does_not_make_room() -> None:
    """Its pages were sent away by that, and come back in a moment."""
    gate = threading.Event()
    async with serving(kernel_max_count=2, kernel_max_disconnected=1) as service:
        restarts, waits = await service.opened(), await service.opened()
        restarts.on_close(lambda: gate.wait(PATIENCE_S))
        restarting = asyncio.wrap_future(restarts.restart())
        leave(restarts)
        service.clock.advance(1)
        leave(waits)
        assert waits.state is State.OPEN
        service.connect()
        assert (restarts.state, waits.state) == (State.RESTARTING, State.CLOSING)
        gate.set()
        await restarting


async def test_nobody_goes_for_one_that_cannot_be_made() -> None:
    """The error reaches the caller, and the one that waits goes on waiting."""

    def fail(_handle: object) -> object:
        raise MemoryError("no room")

    async with serving(threads=False, kernel_max_count=1) as service:
        context = service.connect()
        leave(context)
        service.registry._make_host = fail  # type: ignore[assignment]
        with pytest.raises(MemoryError):
            service.connect()
        assert context.state is State.OPEN


async def test_no_more_kernels_wait_than_may() -> None:
    """The one that has waited longest goes when another begins to wait; who comes back waits no more."""
    async with serving(threads=False, kernel_max_disconnected=2) as service:
        contexts = [service.connect() for _ in range(4)]
        for context in contexts[:2]:
            leave(context)
        service.connect(kernel_id=contexts[0].id)
        leave(contexts[2])
        assert all(context.state is State.OPEN for context in contexts)
        leave(contexts[3])
        assert [context.state for context in contexts] == [State.OPEN, State.CLOSING, State.OPEN, State.OPEN]
        assert contexts[1].close_reason == "evicted"


async def test_a_host_that_cannot_be_made_leaves_nothing() -> None:
    """The error reaches the caller, and no kernel counts."""

    def fail(_handle: object) -> object:
        raise MemoryError("no room")

    async with serving(threads=False) as service:
        service.registry._make_host = fail  # type: ignore[assignment]
        with pytest.raises(MemoryError):
            service.connect()
        assert len(service.registry) == 0
        assert service.registry.stats().started_total == 0


async def test_a_start_hook_that_is_taken_off_no_longer_runs() -> None:
    """One registration, not every one of the same function; for kernels yet to come."""
    ran: list[str] = []

    def hook() -> None:
        ran.append("hook")

    async with serving() as service:
        off = service.registry.on_start(hook)
        service.registry.on_start(hook)
        await service.opened()
        assert ran == ["hook", "hook"]
        off()
        off()
        ran.clear()
        await service.opened()
        assert ran == ["hook"]


def test_a_registry_that_was_not_started_says_how() -> None:
    """The message names the line that is missing."""
    registry = KernelRegistry(Settings(), ids=FakeIds(), make_host=lambda _handle: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(KernelContextError, match=r"lifespan=kernels\.lifespan"):
        _ = registry.loop


# Culling


async def test_kernels_are_culled_each_at_its_time() -> None:
    """One timer serves them all: the next due."""
    async with serving(threads=False, kernel_cull_timeout=10) as service:
        contexts = []
        for _number in range(3):
            contexts.append(service.connect())
            _ = contexts[-1].page_disconnect("page")
            service.clock.advance(1)
        assert len(service.clock.pending) == 1
        assert service.registry.stats().retained == 3
        service.clock.advance(7)
        await turns()
        assert [context.state for context in contexts] == [State.CLOSED, State.OPEN, State.OPEN]
        contexts[1].page_connect("page")
        service.clock.advance(2)
        await turns()
        assert [context.state for context in contexts] == [State.CLOSED, State.OPEN, State.CLOSED]
        assert service.registry.stats().closed_total == {"culled": 2}
        assert service.clock.pending == []


async def test_kernels_due_at_once_are_all_culled() -> None:
    """A few per turn of the loop, so that the others' messages get through."""
    async with serving(threads=False, kernel_cull_timeout=10) as service:
        culls = [service.connect().page_disconnect("page") for _number in range(100)]
        service.clock.advance(10)
        assert service.registry.stats().closing == PER_TURN
        await asyncio.gather(*culls)
        assert len(service.registry) == 0


async def test_without_timeout_a_kernel_goes_at_once() -> None:
    """Zero is a timeout like any other."""
    async with serving(threads=False, kernel_cull_timeout=0) as service:
        context = service.connect()
        await context.page_disconnect("page")
        assert context.close_reason == CloseReason.CULLED


# Closing


async def test_a_close_survives_the_cancellation_of_everything() -> None:
    """Every task is cancelled, also before its first step: the teardown goes on to its end."""
    async with serving() as service:
        begun, gate = threading.Event(), threading.Event()

        def hook() -> None:
            begun.set()
            assert gate.wait(PATIENCE_S)

        early, late = await service.opened(), await service.opened()
        late.on_close(hook)
        late.close()
        assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        early.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        gate.set()
        await eventually(lambda: early.closed_event.is_set() and late.closed_event.is_set())
        assert service.hosts[0].names[-1] == service.hosts[1].names[-1] == "close_kernel"


def test_asyncio_run_that_ends_lets_a_close_finish() -> None:
    """Its main coroutine returns while a close has just been asked for, and while another is in a hook."""
    contexts: list[VirtualKernelContext] = []
    gate, begun = threading.Event(), threading.Event()

    def hook() -> None:
        begun.set()
        assert gate.wait(PATIENCE_S)

    async def main() -> Service:
        service = Service()
        service.registry.start(clock=service.clock)
        contexts.extend([await service.opened(), await service.opened()])
        contexts[0].on_close(hook)
        contexts[0].close()
        assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        contexts[1].close()
        asyncio.get_running_loop().call_later(0, gate.set)
        return service

    service = asyncio.run(main())
    service.registry.workers.close()
    service.registry.closers.close()
    assert all(context.closed_event.is_set() for context in contexts)
    assert service.registry.stats().closed_total == {"closed": 2}


async def test_the_lifecycle_does_not_inherit_who_asked() -> None:
    """A teardown asked for inside another kernel runs outside of every kernel."""
    async with serving(threads=False) as service:
        asking, closed = service.connect("a"), service.connect("b")
        seen: list[object] = []
        service._act["close_app"] = lambda host, _argument: seen.append(current.peek() is host.handle.peek())
        presence = closed._presence
        end_connections = presence.end_connections

        def look(reason: str) -> None:
            seen.append(current.peek_handle())
            end_connections(reason)

        presence.end_connections = look  # type: ignore[method-assign]
        with asking:
            await closed.aclose()
        assert seen == [True, None]


async def test_an_unexpected_failure_of_a_teardown_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Should a teardown itself fail, nobody waits for ever, and the log has it."""
    async with serving(threads=False) as service:
        context = service.connect()

        def fail(_report: CloseReport) -> None:
            raise AssertionError("a bug of ours")

        service.registry.record = fail  # type: ignore[method-assign, assignment]
        with caplog.at_level(logging.ERROR, "solara_ctx.registry"), pytest.raises(AssertionError, match="a bug"):
            await context.aclose()
        assert [record.getMessage() for record in caplog.records] == ["the lifecycle of a kernel failed"]


# Stopping


async def test_drain_closes_every_kernel() -> None:
    """In parallel, with the reason, also kernels whose pages are away or that were closing already."""
    async with serving() as service:
        sinks = [RecordingSink() for _number in range(5)]
        contexts = [await service.opened(sink=sink) for sink in sinks]
        _ = contexts[0].page_disconnect("page")
        contexts[1].close("logged-out")
        together = threading.Barrier(3)
        for context in contexts[2:]:
            context.on_close(lambda: together.wait(PATIENCE_S))
        assert await service.registry.drain() == []
        assert all(context.closed_event.is_set() for context in contexts)
        assert service.registry.stats().closed_total == {"server-shutdown": 4, "logged-out": 1}
        assert sinks[2].closed == (1001, "server-shutdown")
        assert len(service.registry) == 0
        assert service.clock.pending == []


async def test_a_draining_registry_starts_no_kernel() -> None:
    """From the first word of a stop on; a kernel that lives takes pages until it closes."""
    async with serving(threads=False) as service:
        kernel_id, context = service.registry.issue("session"), service.connect()
        service.registry.begin_drain()
        assert service.registry.draining
        with pytest.raises(ContextClosed, match="server-shutdown") as closed:
            service.connect(kernel_id=kernel_id)
        assert closed.value.reason == CloseReason.SERVER_SHUTDOWN
        assert service.connect("again", kernel_id=context.id) is context
        await service.registry.drain()
        with pytest.raises(ContextClosed, match="server-shutdown"):
            service.connect(kernel_id=kernel_id)


async def test_drain_ends_within_its_deadline(caplog: pytest.LogCaptureFixture) -> None:
    """A kernel that is late is named and left to itself: it goes on with its teardown, to its end."""
    async with serving(kernel_drain_timeout=20, kernel_close_timeout=30) as service:
        quick, stuck = await service.opened(), await service.opened()
        begun, gate = threading.Event(), threading.Event()

        def hook() -> None:
            begun.set()
            assert gate.wait(PATIENCE_S)

        stuck.on_close(hook)
        draining = asyncio.create_task(service.registry.drain())
        assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        await eventually(quick.closed_event.is_set)
        service.clock.advance(19.9)
        await turns()
        assert not draining.done()
        with caplog.at_level(logging.ERROR, "solara_ctx.registry"):
            service.clock.advance(0.1)
            assert await draining == [stuck]
        (message,) = [record.getMessage() for record in caplog.records]
        assert message.startswith(
            "kernel kernel… was not closed within SOLARA_KERNEL_DRAIN_TIMEOUT (20 s): it waits for hook "
        )
        assert "gate.wait(PATIENCE_S)" in message
        gate.set()
        await eventually(stuck.closed_event.is_set)
        assert service.hosts[1].names[-3:] == ["close_app", "close_widgets", "close_kernel"]
        assert len(service.registry) == 0


async def test_a_cancelled_drain_drains() -> None:
    """What ends a host app's lifespan by force does not leave kernels behind."""
    async with serving() as service:
        context = await service.opened()
        begun, gate = threading.Event(), threading.Event()

        def hook() -> None:
            begun.set()
            assert gate.wait(PATIENCE_S)

        context.on_close(hook)
        draining = asyncio.create_task(service.registry.drain())
        assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        draining.cancel()
        await turns()
        gate.set()
        assert await draining == []
        assert context.closed_event.is_set()


async def test_an_empty_registry_drains_at_once_and_again() -> None:
    """Stopping twice is harmless."""
    async with serving() as service:
        assert await service.registry.drain() == []
        assert await service.registry.drain() == []


def test_a_drained_registry_starts_again_on_another_loop() -> None:
    """A host that is stopped and started, as in a test client, gets a working service each time."""
    service = Service()

    async def once() -> None:
        service.registry.start(clock=service.clock)
        context = await service.opened()
        _ = context.page_disconnect("page")
        assert await service.registry.drain() == []
        assert context.closed_event.is_set()

    for time in range(2):
        asyncio.run(once())
        assert service.registry.stats().started_total == time + 1
    assert service.registry.stats().closed_total == {"server-shutdown": 2}


# What is alive


async def test_stats_count_what_is_there() -> None:
    """Gauges are of the moment; totals only grow."""
    async with serving(threads=False, kernel_max_count=9, kernel_max_per_session=8) as service:
        connected, retained, goodbye = service.connect("a"), service.connect("b"), service.connect("c")
        service.connect("other", kernel_id=goodbye.id)
        goodbye.page_close("c")
        _ = retained.page_disconnect("b")
        await asyncio.wrap_future(connected.restart())
        closing = service.connect("d")
        closed = asyncio.wrap_future(closing.close())
        stats = service.registry.stats()
        assert (stats.total, stats.closing, stats.retained) == (4, 1, 1)
        assert (stats.has_connected, stats.has_disconnected, stats.has_closed) == (3, 1, 1)
        assert (stats.limit, stats.limit_per_session) == (9, 8)
        assert (stats.started_total, stats.restarted_total, stats.refused_total) == (4, 1, 0)
        assert stats.closed_total == {}
        await closed
        assert service.registry.stats().closed_total == {"closed": 1}
        assert [row.state for row in service.registry.kernel_stats()] == ["open", "open", "open"]


async def test_worker_stats_count_threads() -> None:
    """What runs and what waits for a thread."""
    async with serving(kernel_threads=1) as service:
        begun, gate = threading.Event(), threading.Event()

        def page() -> None:
            begun.set()
            assert gate.wait(PATIENCE_S)

        service.connect(function=page)
        assert await asyncio.to_thread(begun.wait, PATIENCE_S)
        service.connect()
        stats = service.registry.worker_stats()
        assert (stats.limit, stats.running, stats.busy, stats.queued, stats.stuck) == (1, 1, 1, 1, 0)
        gate.set()
        await service.hosts[1].called("show")


async def test_each_job_of_a_shared_worker_belongs_to_its_own_kernel() -> None:
    """One thread serves many kernels, and carries nothing from one to the next."""
    async with serving(kernel_threads=1) as service:
        seen: list[object] = []
        contexts = [await service.opened(function=lambda: seen.append(get_current_context())) for _number in range(5)]
        assert seen == contexts
        handles: list[object] = []
        done: concurrent.futures.Future[None] = concurrent.futures.Future()

        def job() -> None:
            handles.append(current.peek_handle())
            done.set_result(None)

        service.registry.workers.submit(job)
        await asyncio.wrap_future(done)
        assert handles == [None]
        seen.clear()
