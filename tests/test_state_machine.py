"""Random histories of kernels, with a model beside them.

Everything happens on one thread and by an injected clock: an example that fails, fails again.
"""

import asyncio
import concurrent.futures
import itertools
import re
import threading
from collections.abc import Callable
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from solara_ctx.context import VirtualKernelContext
from solara_ctx.current import Handle, get_current_context, has_current_context
from solara_ctx.errors import ContextClosed, KernelLimitReached
from solara_ctx.lifecycle import CloseReason, PageStatus, State
from solara_ctx.registry import KernelRegistry
from solara_ctx.settings import Settings
from solara_ctx.teardown import CloseReport, Closers
from tests.support.fakes import FakeClock, FakeHost, FakeIds, LoopPool, RecordingSink
from tests.support.service import silent

CULL_S = 10.0
LIMIT = 3
_moments = itertools.count(1)
# One teardown: hooks, tasks, app, widgets, kernel, websockets; the page function ran before it, or had no time to.
# A life: one teardown or more, the registry, closed_event.  Late hooks (h) run at once, wherever they are registered.
LIFE = re.compile(r"(P?H*T*AWKS*)+RE")
LETTERS = {"app": "A", "widgets": "W", "kernel": "K", "websocket": "S"}

turn_counts = st.integers(min_value=0, max_value=6)
page_ids = st.sampled_from(["page-a", "page-b", "page-c"])


class Log(list[str]):
    """What happened to one kernel, a letter each; hosts and sinks write words."""

    def append(self, word: str) -> None:
        """Note a word or letter."""
        super().append(LETTERS.get(word, word))


class LoggedEvent(threading.Event):
    """An event that notes when it is set."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def set(self) -> None:
        """Set the event."""
        self._log.append("E")
        super().set()


class LoggedRegistry(KernelRegistry):
    """A registry that notes when a kernel leaves it."""

    logs: ClassVar[dict[str, Log]] = {}

    def forget(self, context: VirtualKernelContext) -> None:
        """Take a context out, and note it."""
        assert self[context.id] is context
        super().forget(context)
        assert context.id not in self
        self.logs[context.id].append("R")


class Kernel:
    """A kernel and what the model knows of it."""

    def __init__(self, context: VirtualKernelContext, log: Log) -> None:
        self.context = context
        self.log = log
        self.handles = [context.handle()]
        self.pages: dict[str, PageStatus] = {}
        self.numbers: dict[str, list[int]] = {}
        self.due: float | None = None
        self.waits_since = 0
        self.evicted = False
        self.culled: asyncio.Future[None] | None = None
        self.reason: str | None = None
        self.hooks: list[int] = []
        self.registered = 0
        self.hooks_run = 0
        self.unregistered = 0
        self.surprises: list[object] = []
        self.tasks: list[concurrent.futures.Future[None]] = []
        self.closings: set[concurrent.futures.Future[CloseReport]] = set()

    def __repr__(self) -> str:
        return self.context.id

    @property
    def connected(self) -> bool:
        """Whether a page is connected."""
        return PageStatus.CONNECTED in self.pages.values()

    def wait(self, due: float, culled: "asyncio.Future[None] | None") -> None:
        """The last page has left: from now on it waits for one to come back."""
        self.due, self.culled, self.waits_since = due, culled, next(_moments)

    def claim(self, reason: str) -> None:
        """The end was asked for: the first reason wins."""
        if self.reason is None:
            self.reason, self.due = reason, None


class Histories(RuleBasedStateMachine):
    """Connects, late disconnects, goodbyes, closes, culls, restarts, hooks, in any order and interleaving."""

    kernels: Bundle[Kernel] = Bundle("kernels")
    registrations: Bundle[tuple[Kernel, int, Callable[[], None]]] = Bundle("registrations")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.logs: dict[str, Log] = {}
        self.all: list[Kernel] = []
        self.refused = 0
        self.hook_numbers = itertools.count()
        self.at_once = False
        self.registry = LoggedRegistry(
            Settings(kernel_cull_timeout=CULL_S, kernel_max_count=LIMIT), ids=FakeIds(), make_host=self.make_host
        )
        self.registry.logs = self.logs  # type: ignore[misc]

    def make_host(self, handle: Handle) -> FakeHost:
        """A fresh kernel, also at a restart."""
        log = self.logs.setdefault(handle.kernel_id, Log())
        for kernel in self.all:
            if kernel.context.id == handle.kernel_id:
                kernel.handles.append(handle)
        return FakeHost(handle, "", log, {})

    def run(self, action: Callable[[], None], turns: int = 0) -> None:
        """Do something on the loop, and let it take some turns."""

        async def act() -> None:
            action()
            for _turn in range(turns):
                await asyncio.sleep(0)

        self.loop.run_until_complete(act())

    @initialize()
    def start(self) -> None:
        """Start the registry."""

        def start() -> None:
            pool = LoopPool(self.loop)
            self.registry.start(clock=self.clock, workers=pool, closers=Closers(pool, pool))

        self.run(start)

    # What happens

    @rule(target=kernels, turns=turn_counts)
    def open(self, turns: int) -> "Kernel | MultipleResults[Kernel]":
        """A page asks for a kernel and connects; above the limit another makes room, or it is refused."""
        opened: list[Kernel] = []

        def connect() -> None:
            is_open = [kernel for kernel in self.all if kernel.context.state is State.OPEN]
            waiting = [kernel for kernel in is_open if kernel.due is not None]
            leaving = [kernel for kernel in self.all if kernel.evicted and "R" not in kernel.log]
            can = waiting and len(leaving) < LIMIT
            makes_room = min(waiting, key=lambda kernel: kernel.waits_since) if can else None
            is_full = len(self.registry._admission) >= LIMIT
            if is_full and makes_room is None:
                self.refused += 1
                with pytest.raises(KernelLimitReached):
                    self.registry.issue("session")
                return
            kernel_id = self.registry.issue("session")
            log = self.logs[kernel_id] = Log()

            def page() -> None:
                log.append("P")

            sink = RecordingSink(log)
            context, number = self.registry.connect(kernel_id, "session", "page-a", sink=sink, page=page)
            if is_full and makes_room is not None:
                makes_room.claim(CloseReason.EVICTED)
                makes_room.evicted = True
            context._life.closed_event = LoggedEvent(log)
            kernel = Kernel(context, log)
            kernel.pages["page-a"], kernel.numbers["page-a"] = PageStatus.CONNECTED, [number]
            opened.append(kernel)
            self.all.append(kernel)

        self.run(connect, turns)
        return opened[0] if opened else multiple()

    @rule(kernel=kernels, page_id=page_ids, turns=turn_counts)
    def connect(self, kernel: Kernel, page_id: str, turns: int) -> None:
        """A page connects, anew or for the first time."""

        def connect() -> None:
            arguments = kernel.context.id, "session", page_id
            if kernel.reason is not None:
                with pytest.raises(ContextClosed) as closed:
                    self.registry.connect(*arguments, sink=None, page=list)
                assert closed.value.reason == kernel.reason
                return
            connection = self.registry.connect(*arguments, sink=RecordingSink(kernel.log), page=list)
            assert connection.context is kernel.context
            kernel.pages.pop(page_id, None)
            kernel.pages[page_id] = PageStatus.CONNECTED
            kernel.numbers.setdefault(page_id, []).append(connection.number)
            if kernel.culled is not None:
                assert kernel.culled.cancelled()
            kernel.due = kernel.culled = None

        self.run(connect, turns)

    @rule(kernel=kernels, page_id=page_ids, turns=turn_counts, numbered=st.booleans())
    def disconnect(self, kernel: Kernel, page_id: str, turns: int, *, numbered: bool) -> None:
        """The newest connection of a page ends."""

        def disconnect() -> None:
            number = kernel.numbers[page_id][-1] if numbered and page_id in kernel.numbers else None
            future = kernel.context.page_disconnect(page_id, number)
            if kernel.pages.get(page_id) is PageStatus.CONNECTED:
                kernel.pages[page_id] = PageStatus.DISCONNECTED
            waits = (
                kernel.reason is None and kernel.pages.get(page_id) is PageStatus.DISCONNECTED and not kernel.connected
            )
            assert future.done() is not waits
            if waits:
                if kernel.culled is not None:
                    assert kernel.culled.cancelled()
                kernel.wait(self.clock.now() + CULL_S, future)

        self.run(disconnect, turns)

    @rule(kernel=kernels, page_id=page_ids, turns=turn_counts, pick=st.integers(0, 9))
    def disconnect_late(self, kernel: Kernel, page_id: str, turns: int, pick: int) -> None:
        """The end of a connection that was replaced long ago is noticed only now."""
        past = kernel.numbers.get(page_id, [])[:-1] or [10_000]

        def disconnect() -> None:
            future = kernel.context.page_disconnect(page_id, past[pick % len(past)])
            assert future.done()
            assert not future.cancelled()

        self.run(disconnect, turns)

    @rule(kernel=kernels, page_id=page_ids, turns=turn_counts)
    def say_goodbye(self, kernel: Kernel, page_id: str, turns: int) -> None:
        """A page's beacon arrives, perhaps not for the first time, perhaps of a page that nobody knows."""

        def close() -> None:
            was_connected = kernel.connected
            kernel.context.page_close(page_id)
            if page_id not in kernel.pages or kernel.pages[page_id] is PageStatus.CLOSED:
                return
            kernel.pages[page_id] = PageStatus.CLOSED
            if set(kernel.pages.values()) == {PageStatus.CLOSED}:
                kernel.claim(CloseReason.PAGE_CLOSED)
            elif was_connected and not kernel.connected and kernel.reason is None:
                kernel.wait(self.clock.now() + CULL_S, kernel.culled)

        self.run(close, turns)

    @rule(kernel=kernels, turns=turn_counts, reason=st.sampled_from(["closed", "logged-out"]))
    def close(self, kernel: Kernel, turns: int, reason: str) -> None:
        """Somebody on the loop closes the kernel."""

        def close() -> None:
            kernel.closings.add(kernel.context.close(reason))
            kernel.claim(reason)

        self.run(close, turns)

    @rule(kernel=kernels, turns=turn_counts)
    def close_in_thread(self, kernel: Kernel, turns: int) -> None:
        """Somebody in a thread does."""
        thread = threading.Thread(target=lambda: kernel.closings.add(kernel.context.close("thread")))
        thread.start()
        thread.join()
        kernel.claim("thread")
        # Until the loop has heard of it, a cull may still be on the books.
        self.run(lambda: None, turns)

    @rule(kernel=kernels, turns=turn_counts)
    def restart(self, kernel: Kernel, turns: int) -> None:
        """Somebody restarts the kernel."""

        def restart() -> None:
            if kernel.reason is not None:
                with pytest.raises(ContextClosed):
                    kernel.context.restart()
            else:
                kernel.context.restart()

        self.run(restart, turns)

    @rule(seconds=st.sampled_from([0.5, 4.0, CULL_S - 0.5, CULL_S, CULL_S + 0.5]), turns=turn_counts)
    def let_time_pass(self, seconds: float, turns: int) -> None:
        """Who is due is culled, at the deadline and not before."""

        def advance() -> None:
            self.clock.advance(seconds)
            for kernel in self.all:
                if kernel.due is not None and kernel.due <= self.clock.now():
                    kernel.claim(CloseReason.CULLED)

        self.run(advance, turns)

    @rule(kernel=kernels, turns=turn_counts)
    def send(self, kernel: Kernel, turns: int) -> None:
        """A page sends a frame."""
        self.run(lambda: self.assert_true(kernel.context.receive("page-a", "frame")), turns)

    @rule(kernel=kernels, turns=turn_counts)
    def start_task(self, kernel: Kernel, turns: int) -> None:
        """User code starts a task that would run for ever."""

        async def forever() -> None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                kernel.log.append("T")

        def create() -> None:
            if kernel.reason is not None or kernel.context.state is not State.OPEN:
                with pytest.raises(ContextClosed):
                    kernel.context.create_task(forever())
            else:
                kernel.tasks.append(kernel.context.create_task(forever()))

        self.run(create, turns)

    @rule(
        target=registrations,
        kernel=kernels,
        turns=turn_counts,
        kind=st.sampled_from(["plain", "raises", "exits", "registers", "closes", "restarts"]),
    )
    def add_hook(self, kernel: Kernel, turns: int, kind: str) -> tuple[Kernel, int, Callable[[], None]]:
        """User code registers a hook, of a kind that makes trouble or not."""
        added: list[tuple[Kernel, int, Callable[[], None]]] = []
        self.run(lambda: added.append(self.register(kernel, kind)), turns)
        return added[0]

    def register(self, kernel: Kernel, kind: str) -> tuple[Kernel, int, Callable[[], None]]:
        """Register a hook that checks that it runs in its place, and once."""
        number = next(self.hook_numbers)

        def hook() -> None:
            kernel.hooks_run += 1
            kernel.log.append("h" if self.at_once else "H")
            if not self.at_once:
                # The library catches what a hook raises, so that an assertion would be lost here.
                kernel.surprises += [name for name in [kernel.hooks.pop()] if name != number]
                kernel.surprises += [what for what in [get_current_context()] if what is not kernel.context]
            self.misbehave(kernel, kind)

        kernel.registered += 1
        run = kernel.context._life.run
        # A hook that was taken from the stack and has not begun yet comes first.
        kernel.hooks.insert(0 if run is None else len(run.hooks), number)
        ran_before, before, self.at_once = kernel.hooks_run, self.at_once, True
        unregister = kernel.context.on_close(hook)
        self.at_once = before
        if kernel.hooks_run > ran_before:
            kernel.hooks.remove(number)
        return kernel, number, unregister

    def misbehave(self, kernel: Kernel, kind: str) -> None:
        """What a hook does besides."""
        before, self.at_once = self.at_once, False
        try:
            match kind:
                case "raises":
                    raise ValueError("a hook of the user's")
                case "exits" if not before:
                    raise SystemExit(3)
                case "registers":
                    self.register(kernel, "plain")
                case "closes":
                    kernel.closings.add(kernel.context.close("hook"))
                    kernel.claim("hook")
                case "restarts" if kernel.reason is None:
                    kernel.context.restart()
        finally:
            self.at_once = before

    @rule(registration=consumes(registrations), turns=turn_counts)
    def take_hook_off(self, registration: tuple[Kernel, int, Callable[[], None]], turns: int) -> None:
        """User code takes a hook off, whether it has run or not, and says it twice."""
        kernel, number, unregister = registration

        def take_off() -> None:
            run = kernel.context._life.run
            # One that was taken from the stack runs, although it has not begun yet.
            if run is not None and number in kernel.hooks[: len(run.hooks)]:
                kernel.hooks.remove(number)
                kernel.unregistered += 1
            unregister()
            unregister()

        self.run(take_off, turns)

    @precondition(lambda self: bool(self.all))
    @rule()
    def settle(self) -> None:
        """Everything that needs no more than turns comes to its end."""
        self.loop.run_until_complete(self.quiet())
        for kernel in self.all:
            assert kernel.context.closed_event.is_set() is (kernel.reason is not None)
            assert kernel.context.state is (State.OPEN if kernel.reason is None else State.CLOSED)
            if kernel.reason == CloseReason.CULLED and kernel.culled is not None:
                assert kernel.culled.done()

    async def quiet(self) -> None:
        """Take turns until no teardown is under way."""
        for _turn in range(10_000):
            await asyncio.sleep(0)
            if not self.registry._lifecycle_tasks:
                break
        for _turn in range(20):
            await asyncio.sleep(0)

    @staticmethod
    def assert_true(value: object) -> None:
        """A lambda can't assert."""
        assert value is True

    # What holds at any moment

    @invariant()
    def nothing_is_current(self) -> None:
        """No kernel is current where none was made so."""
        assert not has_current_context()
        self.run(lambda: self.assert_true(not has_current_context()))

    @invariant()
    def the_registry_is_exact(self) -> None:
        """It holds every kernel until the step that takes it out, and no other; totals agree with what happened."""
        living = {kernel.context.id: kernel.context for kernel in self.all if "R" not in kernel.log}
        assert dict(self.registry.items()) == living
        stats = self.registry.stats()
        assert stats.total == len(living)
        counted = {kernel.context.id for kernel in self.all if kernel.context.id in living and not kernel.evicted}
        assert set(self.registry._admission.of_session("session")) == counted
        assert len(self.registry._admission) == len(counted) <= LIMIT
        assert stats.started_total == len(self.all)
        assert stats.refused_total == self.refused
        assert sum(stats.closed_total.values()) == len(self.all) - len(living)
        assert stats.abandoned_steps_total == 0

    @invariant()
    def each_kernel_is_as_the_model_says(self) -> None:
        """State, reason, pages and cull of each; one close; closed_event last."""
        for kernel in self.all:
            context = kernel.context
            assert context.close_reason == kernel.reason
            assert (context.state in {State.CLOSING, State.CLOSED}) is (kernel.reason is not None)
            assert context.page_status == kernel.pages
            expected = None if kernel.due is None else kernel.due - self.clock.now()
            assert self.registry.seconds_to_cull(context.id) == expected
            assert len(kernel.closings) <= 1
            assert kernel.log.count("R") <= 1
            assert kernel.log.count("E") <= 1
            assert context.closed_event.is_set() is ("E" in kernel.log)
            assert not kernel.log.count("E") or context.state is State.CLOSED
            assert sum(handle.peek() is not None for handle in kernel.handles) <= ("R" not in kernel.log)
            assert kernel.surprises == []
            order = "".join(kernel.log).replace("h", "").partition("E")
            assert order[2] == ""

    def teardown(self) -> None:
        """The server stops: then every life is over, in its order, and nothing is left."""
        try:
            if self.registry._loop is not None:
                self.stop()
        finally:
            assert asyncio.all_tasks(self.loop) == set()
            self.loop.close()

    def stop(self) -> None:
        """Drain, and look at each whole life."""
        for kernel in self.all:
            kernel.claim(CloseReason.SERVER_SHUTDOWN)
        assert self.loop.run_until_complete(self.registry.drain()) == []
        self.run(lambda: None, 20)
        assert dict(self.registry) == {}
        assert self.registry._culls.next_due() is None
        assert self.clock.pending == []
        for kernel in self.all:
            life = "".join(kernel.log).replace("h", "")
            assert LIFE.fullmatch(life), life
            assert kernel.context.close_reason == kernel.reason
            assert kernel.context.closed_event.is_set()
            assert kernel.context.state is State.CLOSED
            assert kernel.hooks == []
            assert kernel.hooks_run == kernel.registered - kernel.unregistered
            assert all(task.cancelled() for task in kernel.tasks)
            assert all(closing.result(0).reason == kernel.reason for closing in kernel.closings)
            assert all(handle.peek() is None for handle in kernel.handles)
            assert kernel.culled is None or kernel.culled.done()


@pytest.mark.uncovered
@pytest.mark.slow
def test_a_thousand_random_histories_keep_every_promise() -> None:
    """One close per kernel, in its order, closed_event last; the registry exact; nothing current; each hook once."""
    with silent():
        run_state_machine_as_test(Histories, settings=settings(max_examples=1000, stateful_step_count=30))
