"""The world of the core, played: a clock that is advanced by hand, kernels, pages, ids, and threads that are none."""

import asyncio
import contextvars
import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from solara_ctx import current
from solara_ctx.current import Handle
from solara_ctx.errors import InvalidKernelId
from solara_ctx.lifecycle import CloseCode
from solara_ctx.ports import Watch
from solara_ctx.workers import Job, WorkerPool

PATIENCE_S = 20.0
"""How long a test waits for what must happen; a bound, reached only by a test that fails."""


class FakeTimer:
    """A callback of a `FakeClock`."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the callback."""
        self.callback = None


class FakeClock:
    """Time that stands still until `advance`.  Implements `solara_ctx.clock.Clock`."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, FakeTimer]] = []

    def now(self) -> float:
        """The time."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeTimer:
        """Call *callback* on the loop once the time has come."""
        timer = FakeTimer(when, callback)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        if when <= self._now:
            asyncio.get_running_loop().call_soon(self._run_due, context=contextvars.Context())
        return timer

    @property
    def pending(self) -> list[float]:
        """When the next callbacks are due."""
        return sorted(when for when, _number, timer in self._timers if timer.callback is not None)

    def advance(self, seconds: float) -> None:
        """Let time pass, and run on this thread, which is the loop's, what is due.  Loop only."""
        self._now += seconds
        self._run_due()

    def _run_due(self) -> None:
        due: list[FakeTimer] = []
        while self._timers and self._timers[0][0] <= self._now:
            due.append(heapq.heappop(self._timers)[2])
        # Those that they set in turn come in the loop's next turn, as with a real clock.
        for timer in due:
            if timer.callback is not None:
                timer.callback()


class RecordingSink:
    """A page's connection that keeps what it is given.  Implements `solara_ctx.ports.Sink`."""

    subprotocol: str | None = None
    hears_widgets = is_listening = True
    replay_bytes = 3

    def __init__(self, log: "list[str] | None" = None) -> None:
        self.frames: list[str | bytes] = []
        self.closed: tuple[int, str] | None = None
        self.outlives_connection = False
        self._log = log

    @property
    def queued_frames(self) -> int:
        """Nothing is ever sent."""
        return len(self.frames)

    @property
    def queued_bytes(self) -> int:
        """Nothing is ever sent."""
        return sum(len(frame) for frame in self.frames)

    def put(self, frame: str | bytes) -> None:
        """Keep a frame."""
        self.frames.append(frame)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self, code: int, reason: str) -> None:
        """Note the end."""
        self.closed = (int(code), reason)
        if self._log is not None and code != CloseCode.REPLACED:
            self._log.append("websocket")


class FakeIds:
    """Ids that can be read.  Implements `solara_ctx.ports.Ids`."""

    def __init__(self, *, lifetime_s: float = 300.0) -> None:
        self.expired: set[str] = set()
        self._lifetime_s = lifetime_s
        self._numbers = itertools.count(1)

    def issue(self, session_id: str) -> str:
        """A new id."""
        return f"kernel-{next(self._numbers)}.{session_id}"

    def check(self, kernel_id: str, session_id: str) -> None:
        """Whether `issue` could have made it."""
        if not kernel_id.endswith(f".{session_id}"):
            raise InvalidKernelId(kernel_id, why="it was issued to another session")

    def remaining_s(self, kernel_id: str) -> float:
        """All of its life, or nothing."""
        return 0.0 if kernel_id in self.expired else self._lifetime_s


class FakeKernel:
    """Stands for an ipykernel kernel: an object to hold weakly."""


class HostCall(NamedTuple):
    """What a `FakeHost` was asked, and whether the kernel was current."""

    name: str
    argument: object
    current: bool
    thread: int


Misbehave = Callable[["FakeHost", object], None]


class FakeHost:
    """A kernel that keeps what it is asked.  Implements `solara_ctx.ports.Host`.

    Attributes:
        calls: What was asked, in order.
        act: By the name of a method, what else it does: block, raise, call back.
    """

    def __init__(self, handle: Handle, run_id: str, log: list[str], act: Mapping[str, Misbehave]) -> None:
        self.handle = handle
        self.kernel = FakeKernel()
        self.widgets: dict[str, object] = {}
        self.comm_count = 0
        self.calls: list[HostCall] = []
        self.sinks: dict[str, object] = {}
        self.shown: list[object] = []
        self._run_id = run_id
        self._log = log
        self._act = act
        self._called = threading.Condition()

    @property
    def run_id(self) -> str:
        """Names the run."""
        return self._run_id

    @property
    def names(self) -> list[str]:
        """What was asked, without the arguments."""
        return [call.name for call in self.calls]

    def connect(self, page_id: str, sink: object) -> None:
        """Note the sink."""
        self.sinks[page_id] = sink
        self._note("connect", page_id)

    def disconnect(self, page_id: str, sink: object) -> None:
        """Forget the sink, if it is the newest."""
        if self.sinks.get(page_id) is sink:
            del self.sinks[page_id]
        self._note("disconnect", page_id)

    def receive(self, page_id: str, frame: str | bytes) -> None:
        """Note a frame."""
        self._note("receive", frame)

    def begin_page(self) -> None:
        """It tells no pages apart."""

    def leave_page(self, location: str) -> None:
        """Note it."""
        self._note("leave_page", location)

    def show(self, result: object) -> None:
        """Note what the page function returned."""
        self.shown.append(result)
        self._note("show", result)

    def show_error(self, error: BaseException) -> None:
        """Note the error, as text."""
        self._note("show_error", repr(error))

    def set_page(self, properties: Mapping[str, object]) -> None:
        """Note how the page looks."""
        self._note("set_page", properties)

    def task_failed(self, error: BaseException) -> None:
        """Note the error, as text."""
        self._note("task_failed", repr(error))

    def show_parts(self, watch: Watch) -> None:
        """It has no parts but itself."""
        watch.add(self)

    def close_app(self) -> None:
        """Note it."""
        self._log.append("app")
        self._note("close_app", None)

    @property
    def app_may_wait(self) -> bool:
        """It has something to close."""
        return True

    @property
    def widgets_may_wait(self) -> bool:
        """They have nothing to wait for."""
        return False

    def close_widgets(self) -> None:
        """Note it."""
        self._log.append("widgets")
        self._note("close_widgets", None)

    def close_kernel(self) -> None:
        """Note it, and let go of the pages."""
        self.sinks.clear()
        self._log.append("kernel")
        self._note("close_kernel", None)

    async def called(self, name: str, times: int = 1) -> None:
        """Wait until *name* was asked so often."""
        assert await asyncio.to_thread(self._wait, name, times), f"{name} was not called: {self.names}"

    def _wait(self, name: str, times: int) -> bool:
        with self._called:
            return self._called.wait_for(lambda: self.names.count(name) >= times, PATIENCE_S)

    def _note(self, name: str, argument: object) -> None:
        is_current = current.peek() is self.handle.peek() is not None
        with self._called:
            self.calls.append(HostCall(name, argument, is_current, threading.get_ident()))
            self._called.notify_all()
        act = self._act.get(name)
        if act is not None:
            act(self, argument)


def run_whole(job: Job) -> None:
    """Run a job, and what it returns, as a worker does."""
    then = job()
    del job
    if then is not None:
        then()


class LoopPool(WorkerPool):
    """A pool whose one thread is the event loop's own: every interleaving is the same every time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(1)
        self._loop = loop

    def submit(self, job: Job) -> None:
        """Run *job* in the next turn of the loop."""
        if self._closed:
            raise RuntimeError("the pool is closed")
        self._loop.call_soon_threadsafe(run_whole, job, context=contextvars.Context())


class ManualPool:
    """Jobs wait until the test runs them.  Implements `solara_ctx.mailbox.Pool`."""

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        """Keep *job*."""
        self.jobs.append(job)

    def run_one(self) -> None:
        """Run the job that has waited longest."""
        run_whole(self.jobs.popleft())

    def run_all(self) -> None:
        """Run jobs until none is left, those included that they submit."""
        while self.jobs:
            self.run_one()
