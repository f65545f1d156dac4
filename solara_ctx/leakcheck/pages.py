"""The same check with real pages: a real server in a thread, and the browser that the test has from Playwright.

Playwright itself is not imported: what the test hands over tells which of its two APIs it speaks.  One script serves
both: it yields what a call has returned, and gets back what came of it, awaited or as it is.
"""

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import FrameType
from typing import Protocol, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from solara_ctx.leakcheck.findings import Report, Tally
from solara_ctx.leakcheck.hosting import CannotCheck, Subject, collection_off, require_enough, running_tasks
from solara_ctx.leakcheck.messages import Diagnosis
from solara_ctx.leakcheck.onlookers import Onlookers
from solara_ctx.leakcheck.origins import Tracing, can_trace, told
from solara_ctx.leakcheck.pagestate import ANSWERED, POLL_MS, SHOWN, STATE

_START_S = _STOP_S = 20.0
_CLOSE_S = 30.0
# The browser is still there, and keeps its connections open.
_GRACE_S = 1
_ANSWER_S = 30.0
_TASKS_S = 0.25
_POLL_S = 0.01
# For what is freed by reference counting: a frame that is just about to end.  Looks and not seconds, of which a busy
# machine gives the other threads little.
_LOOKS = 25
# Only a script of the test's own knows more than this of its page.
_CLICK_ALL = "() => document.querySelectorAll('#solara-app button:enabled').forEach((button) => button.click())"


class Page(Protocol):
    """As much of a page of Playwright's, of either API, as is needed here."""

    def goto(self, url: str, /) -> object:
        """Load *url*."""

    def evaluate(self, expression: str, /) -> object:
        """Run JavaScript."""

    def wait_for_function(self, expression: str, /, *, timeout: float, polling: float) -> object:
        """Wait until JavaScript says so; milliseconds."""

    def is_closed(self) -> bool:
        """Whether it is."""

    def close(self) -> object:
        """Close it."""


UsePage = Callable[[Page], object]
Script = Generator[object, object, Report]


@dataclass(frozen=True, slots=True)
class _Pause:
    """Yielded to wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class _Apart:
    """Yielded to have something done that would block an event loop."""

    function: Callable[[], object]


def check_pages(
    target: object,
    browser: object,
    *,
    use: UsePage | None,
    sessions: int,
    cycles: int,
    paths: Sequence[str] | None,
    frame: FrameType | None,
) -> Report | Awaitable[Report]:
    """Serve *target*, and open, use and close pages of *browser*: *sessions* at the same time, *cycles* times.

    Args:
        target: As for `sessions.check`.
        browser: A `Browser`, `BrowserContext` or `Page` of Playwright's.  Of a browser each page has a context, and so
            a session of its own; otherwise the pages share that of the context.
        use: Uses a page that is shown: a function for Playwright's sync API, a coroutine function for the other.  Every
            button is clicked where not given.
        sessions: How many pages of each path are open at the same time.
        cycles: How often.
        paths: Which pages of the app, by path; all where not given.
        frame: Whose variables, and whose callers' variables, are not the app's.

    Returns:
        What was found; with the async API something to await for it.

    Raises:
        CannotCheck: as for `sessions.check`.
    """
    require_enough(sessions, cycles)
    opener = _Opener(browser)
    script = _Script(Subject(target, paths), opener, use=use, sessions=sessions, cycles=cycles, frame=frame)
    return _drive_async(script.run()) if opener.is_async else _drive(script.run())


class _Opener:
    """Opens pages."""

    def __init__(self, browser: object) -> None:
        self._browser = browser
        module = type(browser).__module__
        if not module.startswith("playwright.") or type(browser).__name__ not in {"Browser", "BrowserContext", "Page"}:
            raise CannotCheck(f"give a Browser, BrowserContext or Page of Playwright's, not a {type(browser).__name__}")
        self.is_async = module.startswith("playwright.async_api")

    def open(self) -> "Generator[object, object, Page]":
        """A new page."""
        source: object = self._browser
        if type(source).__name__ == "Page":
            source = cast("_HasContext", source).context
        try:
            return cast("Page", (yield cast("_MakesPages", source).new_page()))
        except Exception:
            # The context of a page that was made by the browser at once takes no second one.
            browser = cast("_HasBrowser", source).browser if type(source).__name__ == "BrowserContext" else None
            if browser is None:
                raise
            return cast("Page", (yield cast("_MakesPages", browser).new_page()))


class _HasBrowser(Protocol):
    @property
    def browser(self) -> object | None: ...


class _HasContext(Protocol):
    @property
    def context(self) -> object: ...


class _MakesPages(Protocol):
    def new_page(self) -> object: ...


class _Script:
    """One check."""

    def __init__(
        self,
        subject: Subject,
        opener: _Opener,
        *,
        use: UsePage | None,
        sessions: int,
        cycles: int,
        frame: FrameType | None,
    ) -> None:
        self._subject = subject
        self._opener = opener
        self._use = use
        self._cycles = cycles
        self._addresses = [f"{place.mount}{place.path}" for place in subject.places] * sessions
        self._tally = Tally(subject.trackers, per_cycle=len(self._addresses), onlookers=Onlookers(frame))

    def run(self) -> Script:
        """All cycles, and what they have left."""
        server = _Server(self._subject)
        with collection_off():
            try:
                url = cast("str", (yield _Apart(server.start)))
                report = yield from self._after(self._cycles, url)
                if report.may_be_bounded:
                    doubted = report.growers
                    report = replace((yield from self._after(self._cycles, url)), doubted=doubted)
                if report.leaks and not report.names_lines and can_trace():
                    # What was found is not lost where the browser or the test's script fails now.
                    with suppress(Exception):
                        report = replace(report, origins=told((yield from self._traced(url))))
                return report
            finally:
                yield _Apart(server.stop)

    def _after(self, cycles: int, url: str) -> Generator[object, object, Report]:
        for _ in range(cycles):
            yield from self._cycle(url)
            yield from self._settle()
            yield _Apart(self._tally.cycle_ended)
        return cast("Report", (yield _Apart(self._tally.report)))

    def _traced(self, url: str) -> Generator[object, object, Diagnosis]:
        tracing = cast("Tracing", (yield _Apart(Tracing)))
        try:
            yield from self._cycle(url)
            yield from self._settle()
            yield _Apart(tracing.begin)
            yield from self._cycle(url)
            yield from self._settle()
        finally:
            diagnosis = cast("Diagnosis", (yield _Apart(tracing.stop)))
        return diagnosis

    def _cycle(self, url: str) -> Generator[object, object, None]:
        pages: list[Page] = []
        try:
            for address in self._addresses:
                page = yield from self._opener.open()
                pages.append(page)
                yield page.goto(f"{url}{address}")
                yield page.wait_for_function(SHOWN, timeout=_ANSWER_S * 1000, polling=POLL_MS)
                state = yield page.evaluate(STATE)
                if state != "open":
                    raise CannotCheck(f"the page at {address} could not be shown ({state}); see the server's log")
            for page in pages:
                yield page.evaluate(_CLICK_ALL) if self._use is None else self._use(page)
                yield from self._answered(page)
            kernels = self._open_kernels()
            yield from self._let_tasks_end()
        finally:
            for page in pages:
                if not page.is_closed():
                    # First away from the page, as a user who leaves: that is when a browser sends its farewell.
                    yield page.goto("about:blank")
                    yield page.close()
        deadline = time.monotonic() + _CLOSE_S
        while self._open_kernels():
            if time.monotonic() > deadline:
                raise CannotCheck(f"the kernels of the pages were not closed within {_CLOSE_S:g} s")
            yield _Pause(_POLL_S)
        for kernel_id in kernels:
            self._tally.session_closed(kernel_id, ())

    def _answered(self, page: Page) -> Generator[object, object, None]:
        """Wait for the answers, as a person does who looks: a page that is left in the same moment can be gone before
        the server has heard of the click.
        """
        if not page.is_closed():
            try:
                yield page.wait_for_function(ANSWERED, timeout=_ANSWER_S * 1000, polling=POLL_MS)
            except Exception as error:
                why = str(error).partition("\n")[0]
                raise CannotCheck(
                    f"waiting for the answers to a page, {_ANSWER_S:g} s at most, failed: {why}"
                ) from error

    def _let_tasks_end(self) -> Generator[object, object, None]:
        deadline = time.monotonic() + _TASKS_S
        while self._tasks() and time.monotonic() < deadline:
            yield _Pause(_POLL_S)

    def _settle(self) -> Generator[object, object, None]:
        for _ in range(_LOOKS):
            if not self._tally.anything_alive():
                break
            yield _Pause(_POLL_S)

    def _tasks(self) -> int:
        return sum(
            running_tasks(app.registry.get(kernel_id)) for app in self._subject.apps for kernel_id in app.registry
        )

    def _open_kernels(self) -> list[str]:
        return [kernel_id for app in self._subject.apps for kernel_id in app.registry]


class _Server:
    """uvicorn, on a loop and a port of its own, in a thread of its own."""

    def __init__(self, subject: Subject) -> None:
        config = uvicorn.Config(
            _with_lifespan(subject),
            port=0,
            log_config=None,
            log_level=logging.WARNING,
            ws="websockets-sansio",
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = uvicorn.Server(config)
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="leak check", daemon=True)

    def start(self) -> str:
        """Serve; the address, without a slash at its end.

        Raises:
            CannotCheck: the app does not start.
        """
        self._thread.start()
        deadline = time.monotonic() + _START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise CannotCheck(f"the app did not start: {self._failure or 'see its log'}")
            time.sleep(_POLL_S)
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    def stop(self) -> None:
        """End; harmless when it did not start."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve())
        except BaseException as error:  # noqa: BLE001 - a sys.exit of uvicorn's too; the check tells of it
            self._failure = repr(error)


def _with_lifespan(subject: Subject) -> ASGIApp:
    """The app, with its own lifespan and that of the `KernelApp`s in it that nobody has wired."""
    target = cast("ASGIApp", subject.served)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await target(scope, receive, send)
            return
        async for phase in _lifespan(receive, send):
            async with subject.serving() as state:
                cast("dict[str, object]", scope.get("state", {})).update(state)
                await phase()

    return app


async def _lifespan(receive: Receive, send: Send) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """ASGI's messages around what is started and stopped, once."""
    await receive()

    async def started() -> None:
        await send({"type": "lifespan.startup.complete"})
        await receive()

    yield started
    await send({"type": "lifespan.shutdown.complete"})


def _drive(script: Script) -> Report:
    """Run the script with the sync API."""
    asked = _next(script, None)
    while not isinstance(asked, Report):
        try:
            value = _done(asked)
        except Exception as error:  # noqa: BLE001 - the script closes its pages, and raises it again
            asked = _next(script, error)
        else:
            asked = _next(script, value)
    return asked


async def _drive_async(script: Script) -> Report:
    """Run the script with the async API.  The event loop goes on meanwhile."""
    asked = _next(script, None)
    while not isinstance(asked, Report):
        try:
            value = await _done_async(asked)
        except Exception as error:  # noqa: BLE001 - the script closes its pages, and raises it again
            asked = _next(script, error)
        else:
            asked = _next(script, value)
    return asked


def _done(asked: object) -> object:
    if isinstance(asked, _Pause):
        time.sleep(asked.seconds)
        return None
    if isinstance(asked, _Apart):
        return asked.function()
    if inspect.iscoroutine(asked):
        asked.close()
        raise CannotCheck("`use` is a coroutine function; with Playwright's sync API it has to be a plain one")
    return asked


async def _done_async(asked: object) -> object:
    if isinstance(asked, _Pause):
        await asyncio.sleep(asked.seconds)
        return None
    if isinstance(asked, _Apart):
        return await asyncio.to_thread(asked.function)
    return await cast("Awaitable[object]", asked) if inspect.isawaitable(asked) else asked


def _next(script: Script, outcome: object) -> object:
    """What the script asks for next, or its report."""
    try:
        return script.throw(outcome) if isinstance(outcome, Exception) else script.send(outcome)
    except StopIteration as end:
        return cast("object", end.value)
