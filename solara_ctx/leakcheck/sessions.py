"""Sessions of an app without a browser, over and over, and what is left of them.

In process, with real kernels, the real registry and the real teardown; each is opened, used and closed as a browser
would.  `check` is what `leak_check` of the pytest plugin calls, and may be called without pytest.
"""

import asyncio
import contextlib
import inspect
import sys
import threading
import time
import traceback
import uuid
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import cast

from starlette.requests import HTTPConnection

from solara_ctx.context import VirtualKernelContext
from solara_ctx.leakcheck.findings import Report, Tally
from solara_ctx.leakcheck.hosting import CannotCheck, Place, Subject, collection_off, require_enough, running_tasks
from solara_ctx.leakcheck.messages import Diagnosis
from solara_ctx.leakcheck.onlookers import Onlookers
from solara_ctx.leakcheck.origins import Tracing, can_trace, told
from solara_ctx.leakcheck.visitor import Inbox, NoAnswer, PageFailed, Visitor
from solara_ctx.run import PageFunction

Use = Callable[[VirtualKernelContext], object]
"""Uses a page: called in its kernel, on a worker thread, with its context current."""

DEFAULT_SESSIONS, DEFAULT_CYCLES = 5, 4
# A page that shows more with each click is looked at so often.
_ROUNDS = 3
_ANSWER_S = 30.0
_CLOSE_S = 30.0
_POLL_S = 0.005
# For what is freed by reference counting: a frame that is just about to end, a thread that wakes up.  Looks and not
# seconds, of which a busy machine gives the other threads little.
_LOOKS = 50
# How much longer to go on where a cache may not have reached its bound.
_IN_DOUBT = 2
_TASKS_S = 0.25


def check(
    target: object,
    *,
    sessions: int = DEFAULT_SESSIONS,
    cycles: int = DEFAULT_CYCLES,
    use: Use | None = None,
    paths: Sequence[str] | None = None,
    scope: Mapping[str, object] | None = None,
    frame: FrameType | None = None,
) -> Report:
    """Run sessions, and see what is left of them.  Blocks; any thread: the sessions have a thread and an event loop of
    their own.

    The automatic garbage collection is off meanwhile, and on again afterwards if it was.

    Args:
        target: A page function, a `KernelApp`, or an ASGI app with a `KernelApp` mounted in it, whose lifespan is run.
        sessions: How many sessions of each page are open at the same time, in each cycle.
        cycles: How often; what a page keeps once and for all is kept in the first.
        use: Uses the page; where not given, every button is clicked and every simple value changed.
        paths: Which pages, by path; all where not given.
        scope: What the ASGI scope of the page's request has beside the usual: a `user`, `headers`.
        frame: Whose variables, and whose callers' variables, are not the app's; the caller's where not given.

    Raises:
        CannotCheck: the target is nothing that can be checked, a page function failed, or a page did not answer.
    """
    require_enough(sessions, cycles)
    onlookers = Onlookers(sys._getframe(1) if frame is None else frame)
    run = _Run(
        Subject(target, paths), sessions=sessions, cycles=cycles, use=use, scope=scope or {}, onlookers=onlookers
    )
    with collection_off():
        return _in_a_thread(run.check)


class _Run:
    """One check.  Everything but the constructor runs on its own loop."""

    def __init__(
        self,
        subject: Subject,
        *,
        sessions: int,
        cycles: int,
        use: Use | None,
        scope: Mapping[str, object],
        onlookers: Onlookers,
    ) -> None:
        self._subject = subject
        self._sessions = sessions
        self._cycles = cycles
        self._use = use
        self._scope = scope
        self.tally = Tally(subject.trackers, per_cycle=sessions * len(subject.places), onlookers=onlookers)

    async def check(self) -> Report:
        """All cycles, and what they have left."""
        async with self._subject.serving() as state:
            self._scope = {"state": dict(state), **self._scope}
            report = await self._after(self._cycles)
            if report.may_be_bounded:
                report = replace(await self._after(_IN_DOUBT * self._cycles), doubted=report.growers)
            if report.leaks and not report.names_lines and can_trace():
                # What was found is not lost where these fail, as all is slower while it is traced.
                with contextlib.suppress(CannotCheck):
                    report = replace(report, origins=told(await self._traced()))
            return report

    async def _after(self, cycles: int) -> Report:
        for _ in range(cycles):
            await self._cycle()
            await self._settle()
            await asyncio.to_thread(self.tally.cycle_ended)
        # While the service runs: the variables of a thread go with the thread.  Off the loop: it reads sources.
        return await asyncio.to_thread(self.tally.report)

    async def _traced(self) -> Diagnosis:
        """Where what stays is made: seen by going on twice, as the first time replaces what is made but once."""
        tracing = await asyncio.to_thread(Tracing)
        try:
            await self._cycle()
            await self._settle()
            await asyncio.to_thread(tracing.begin)
            await self._cycle()
            await self._settle()
        finally:
            diagnosis = await asyncio.to_thread(tracing.stop)
        return diagnosis

    async def _cycle(self) -> None:
        open_sessions = [
            _Session(place, scope=self._scope) for place in self._subject.places for _ in range(self._sessions)
        ]
        try:
            for session in open_sessions:
                await session.open()
            for session in open_sessions:
                await session.use(self._use)
        finally:
            for session in open_sessions:
                await session.close()
        for session in open_sessions:
            self.tally.session_closed(session.kernel_id, session.errors)

    async def _settle(self) -> None:
        """Let what is freed by reference counting be freed."""
        for _ in range(_LOOKS):
            if not self.tally.anything_alive():
                break
            await asyncio.sleep(_POLL_S)


class _Session:
    """One page in one kernel.  Refers to the kernel weakly."""

    def __init__(self, place: Place, *, scope: Mapping[str, object]) -> None:
        self.kernel_id = ""
        self.errors: list[str] = []
        self._place, self._scope = place, scope
        self._inbox = Inbox(asyncio.get_running_loop())
        self._visitor = Visitor(self._inbox, _ANSWER_S)
        self._page_id = uuid.uuid4().hex
        self._context: weakref.ref[VirtualKernelContext] | None = None
        self._number = 0

    async def open(self) -> None:
        """Connect, and wait until the page function has run."""
        session_id = uuid.uuid4().hex
        self.kernel_id = self._place.app.registry.issue(session_id)
        page = self._place.app._pages.bind(self._request())
        if page is None:
            raise CannotCheck(f"there is no page at {self._place.path}")
        self._connect(session_id, page)
        for frame in self._visitor.arrival():
            self._send(frame)
        try:
            await self._inbox.shown(_ANSWER_S)
        except PageFailed as error:
            raise CannotCheck(f"the page function failed:\n{error}") from None
        except NoAnswer as error:
            raise CannotCheck(str(error)) from None

    async def use(self, use: Use | None) -> None:
        """Use the page as *use* says, or everything on it."""
        if use is not None:
            await self._in_kernel(use)
        for _ in range(_ROUNDS):
            await self._ask(*self._visitor.look())
            actions = list(self._visitor.actions()) if use is None else []
            for action in actions:
                await self._ask(*action)
            if not actions:
                break
        await self._let_tasks_end()
        self.errors += self._inbox.errors

    async def close(self) -> None:
        """Leave, as a browser does: the beacon, then the end of the connection; and wait until the kernel is closed."""
        if self._context is None:
            return
        closing = self._begin_close(self._context)
        if closing is not None:
            try:
                async with asyncio.timeout(_CLOSE_S):
                    await closing
            except TimeoutError:
                raise CannotCheck(f"a kernel was not closed within {_CLOSE_S:g} s") from None

    def _request(self) -> HTTPConnection:
        return HTTPConnection(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "GET",
                "scheme": "http",
                "path": self._place.mount + self._place.path,
                "root_path": self._place.mount,
                "query_string": b"",
                "headers": [(b"host", b"leakcheck")],
                "client": ("127.0.0.1", 1),
                "server": ("leakcheck", 80),
                "path_params": {},
                "state": {},
                **self._scope,
            }
        )

    def _connect(self, session_id: str, page: PageFunction) -> None:
        registry = self._place.app.registry
        connection = registry.connect(self.kernel_id, session_id, self._page_id, sink=self._inbox, page=page)
        self._context, self._number = weakref.ref(connection.context), connection.number

    def _send(self, frame: str) -> None:
        context = None if self._context is None else self._context()
        if context is not None:
            context.receive(self._page_id, frame)

    async def _ask(self, message_id: str, frame: str) -> None:
        self._send(frame)
        try:
            await self._inbox.idle_after(message_id, _ANSWER_S)
        except NoAnswer as error:
            raise CannotCheck(str(error)) from None

    async def _in_kernel(self, use: Use) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str | None] = loop.create_future()
        self._put(partial(_call, use, self._context, partial(_tell, loop, done)))
        try:
            async with asyncio.timeout(_ANSWER_S):
                failure = await done
        except TimeoutError:
            raise CannotCheck(f"`use` did not return within {_ANSWER_S:g} s") from None
        if failure is not None:
            raise CannotCheck(f"`use` failed:\n{failure}")

    def _put(self, job: Callable[[], None]) -> None:
        context = None if self._context is None else self._context()
        run = None if context is None else context._life.run
        if run is not None:
            run.mailbox.put(partial(run._in_kernel, job))

    async def _let_tasks_end(self) -> None:
        """A browser's user would see what tasks bring; one that goes on for ever is cancelled by the close."""
        deadline = time.monotonic() + _TASKS_S
        while self._tasks() and time.monotonic() < deadline:  # noqa: ASYNC110 - tasks are the kernel's own
            await asyncio.sleep(_POLL_S)

    def _tasks(self) -> int:
        return 0 if self._context is None else running_tasks(self._context())

    def _begin_close(self, reference: "weakref.ref[VirtualKernelContext]") -> "asyncio.Future[object] | None":
        context = reference()
        if context is None:
            return None
        context.page_close(self._page_id)
        _ = context.page_disconnect(self._page_id, self._number)
        return cast("asyncio.Future[object]", asyncio.wrap_future(context.close()))


def _in_a_thread(main: Callable[[], Coroutine[object, None, Report]]) -> Report:
    """What a coroutine function returns, run on a loop of its own, in a thread of its own."""
    outcomes: list[Report | BaseException] = []

    def run() -> None:
        try:
            outcomes.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - raised where it can be seen
            outcomes.append(error.with_traceback(None))

    thread = threading.Thread(target=run, name="leak check")
    thread.start()
    thread.join()
    outcome = outcomes.pop()
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _call(use: Use, reference: "weakref.ref[VirtualKernelContext] | None", tell: Callable[[str | None], None]) -> None:
    failure: str | None = None
    try:
        context = None if reference is None else reference()
        if context is not None:
            outcome = use(context)
            if inspect.isawaitable(outcome):
                context.create_task(cast("object", outcome)).result(_ANSWER_S)  # type: ignore[arg-type]
    except BaseException as error:  # noqa: BLE001 - code of a test; its failure is told in words
        failure = "".join(traceback.format_exception(error))
    # Not before the frames that hold the context are on their way out.
    tell(failure)


def _tell(loop: asyncio.AbstractEventLoop, done: "asyncio.Future[str | None]", failure: str | None) -> None:
    def settle() -> None:
        if not done.done():
            done.set_result(failure)

    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(settle)
