"""`leak_check` for pytest: does a page or an app let go of what its sessions have made?

No import is needed, the fixture is there wherever the package is installed::

    def test_my_page_leaks_nothing(leak_check):
        leak_check(my_page)

    def test_my_app_leaks_nothing(leak_check):
        leak_check(app, sessions=5, cycles=4, use=lambda context: ...)
"""

import asyncio
import sys
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import FrameType
from typing import NamedTuple, cast

import pytest

from solara_ctx.leakcheck.findings import Report
from solara_ctx.leakcheck.hosting import CannotCheck
from solara_ctx.leakcheck.onlookers import TOOL
from solara_ctx.leakcheck.pages import UsePage, check_pages
from solara_ctx.leakcheck.sessions import Use, check


class LeakCheckWarning(UserWarning):
    """What `leak_check` has seen is no leak, and not as it should be."""


class LeakCheck:
    """The fixture `leak_check`.

    Called, it runs sessions of a page function, a `KernelApp`, or an ASGI app with a `KernelApp` mounted in it:
    *sessions* at the same time, *cycles* times.  Each is opened, used and closed as a browser would, in this process,
    in a thread of its own; the automatic garbage collection is off meanwhile.  Then nothing may be left that there is
    more of with every cycle: neither closed kernels, their widgets and what belongs to them, nor any other object or
    container.  Otherwise the test fails, and the message says what holds it, by file and line.

    It may be called in an async test, too, and blocks its event loop meanwhile; `await leak_check.acheck(...)` does
    not.
    """

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request

    def __call__(
        self,
        target: object,
        *,
        sessions: int | None = None,
        cycles: int | None = None,
        use: Use | None = None,
        paths: Sequence[str] | None = None,
        scope: Mapping[str, object] | None = None,
        allow_gc: bool | None = None,
        allow_bounded: bool | None = None,
    ) -> Report:
        """Check *target*; fails the test if it leaks.

        Args:
            target: A page function, a `KernelApp`, or an ASGI app with one, whose lifespan is run.
            sessions: How many sessions of each page are open at the same time (ini option `leak_check_sessions`, 5).
            cycles: How often (ini option `leak_check_cycles`, 4).  What a page keeps once, or up to a bound that is
                reached in the first half, is no leak.
            use: Uses a page: called with its `VirtualKernelContext`, in its kernel, on a worker thread.  Where not
                given, every button is clicked, every simple value changed, and every tab opened.
            paths: Which pages of the app, by path; all where not given.
            scope: What the ASGI scope of the pages' requests has beside the usual: a `user`, `headers`.
            allow_gc: Whether kernels that only the garbage collector frees, because some code makes reference cycles,
                are only warned of (ini option `leak_check_allow_gc`, true).
            allow_bounded: Whether closed kernels that are kept, but not more and more of them, are only warned of
                (ini option `leak_check_allow_bounded`, true).

        Returns:
            What was found.
        """
        __tracebackhide__ = True
        options = self._options(sessions=sessions, cycles=cycles, allow_gc=allow_gc, allow_bounded=allow_bounded)
        run = options.check_of(target, use=use, paths=paths, scope=scope, frame=sys._getframe(1))
        return self._judged(run(), options)

    async def acheck(
        self,
        target: object,
        *,
        sessions: int | None = None,
        cycles: int | None = None,
        use: Use | None = None,
        paths: Sequence[str] | None = None,
        scope: Mapping[str, object] | None = None,
        allow_gc: bool | None = None,
        allow_bounded: bool | None = None,
    ) -> Report:
        """The same, for an async test: its event loop goes on meanwhile."""
        __tracebackhide__ = True
        options = self._options(sessions=sessions, cycles=cycles, allow_gc=allow_gc, allow_bounded=allow_bounded)
        run = options.check_of(target, use=use, paths=paths, scope=scope, frame=sys._getframe(1))
        return self._judged(await asyncio.to_thread(run), options)

    def browser(
        self,
        target: object,
        browser: object,
        use: UsePage | None = None,
        *,
        sessions: int | None = None,
        cycles: int | None = None,
        paths: Sequence[str] | None = None,
        allow_gc: bool | None = None,
        allow_bounded: bool | None = None,
    ) -> "Report | Awaitable[Report]":
        """The same with real pages of a real server, in the browser that the test has from Playwright.

        With its sync and with its async API::

            def test_my_app(leak_check, page):  # pytest-playwright's fixtures, or your own
                leak_check.browser(app, page, use=lambda page: page.get_by_role("button", name="Add").click())

            async def test_my_app(leak_check, page):  # Playwright's async API
                async def use(page):
                    await page.get_by_role("button", name="Add").click()
                await leak_check.browser(app, page, use)

        Args:
            target: As above; served by uvicorn in a thread, on a free port of this machine.
            browser: A `Browser`, `BrowserContext` or `Page`, of either API.  With a browser every page is of a session
                of its own, otherwise all are of the context's; the page that is given is not used itself.
            use: Uses a page that is shown; every button is clicked where not given.
            sessions: As above.
            cycles: As above.
            paths: As above.
            allow_gc: As above.
            allow_bounded: As above.

        Returns:
            What was found; with the async API something to await for it.
        """
        __tracebackhide__ = True
        options = self._options(sessions=sessions, cycles=cycles, allow_gc=allow_gc, allow_bounded=allow_bounded)
        try:
            outcome = check_pages(
                target,
                browser,
                use=use,
                sessions=options.sessions,
                cycles=options.cycles,
                paths=paths,
                frame=sys._getframe(1),
            )
        except CannotCheck as error:
            return self._judged(str(error), options)
        return self._judged(outcome, options) if isinstance(outcome, Report) else self._judged_later(outcome, options)

    async def _judged_later(self, outcome: Awaitable[Report], options: "_Options") -> Report:
        __tracebackhide__ = True
        try:
            report: Report | str = await outcome
        except CannotCheck as error:
            report = str(error)
        return self._judged(report, options)

    def _options(self, **given: int | None) -> "_Options":
        """What was given in the call, in the marker, or in the ini file, in this order."""
        marker = self._request.node.get_closest_marker("leak_check")
        marked: Mapping[str, int] = {} if marker is None else marker.kwargs
        strange = set(marked) - set(given)
        if strange or (marker is not None and marker.args):
            pytest.fail(f"the marker leak_check takes {', '.join(given)}, by name", pytrace=False)
        ini = {name: int(cast("str | bool", self._request.config.getini(f"leak_check_{name}"))) for name in given}
        chosen = {name: value for name, value in given.items() if value is not None}
        return _Options(**{**ini, **marked, **chosen})

    def _judged(self, outcome: "Report | str", options: "_Options") -> Report:
        __tracebackhide__ = True
        if isinstance(outcome, str):
            pytest.fail(f"leak_check could not check this: {outcome}", pytrace=False)
        failures, remarks = judge(outcome, allow_gc=bool(options.allow_gc), allow_bounded=bool(options.allow_bounded))
        if failures:
            pytest.fail("\n\n".join([*failures, *remarks]), pytrace=False)
        for remark in remarks:
            warnings.warn(LeakCheckWarning(remark), stacklevel=3)
        return outcome


class _Options(NamedTuple):
    sessions: int
    cycles: int
    allow_gc: int
    allow_bounded: int

    def check_of(
        self,
        target: object,
        *,
        use: Use | None,
        paths: Sequence[str] | None,
        scope: Mapping[str, object] | None,
        frame: FrameType,
    ) -> "Callable[[], Report | str]":
        """The check to be made, with why not where it can't be."""
        run = partial(check, target, sessions=self.sessions, cycles=self.cycles, use=use, paths=paths)
        return partial(_outcome, partial(run, scope=scope, frame=frame))


def judge(report: Report, *, allow_gc: bool, allow_bounded: bool) -> tuple[list[str], list[str]]:
    """What of a report fails a test, and what is worth a warning."""
    failures: list[str] = []
    remarks: list[str] = []
    if report.leaks:
        failures.append(f"this leaks.\n{report.text()}")
    elif report.test_keeps:
        failures.append(
            "your test itself keeps what the sessions have made, so that nothing can be said of the app.\n"
            f"{report.text()}"
        )
    elif report.never and report.keeper != TOOL:
        (remarks if allow_bounded else failures).append(
            f"closed kernels are kept, but no more and more of them.\n{report.text()}"
        )
    if report.by_gc:
        (remarks if allow_gc else failures).append(
            f"{report.by_gc} of {report.closed} closed kernels were freed by the garbage collector only: some code "
            "makes reference cycles with their widgets, which keeps the memory until a collection happens to run"
        )
    if report.errors:
        remarks.append("callbacks have failed while the page was used:\n" + "\n".join(report.errors))
    return failures, remarks


def _outcome(run: Callable[[], Report]) -> Report | str:
    try:
        return run()
    except CannotCheck as error:
        # Only its words: the exception would keep the frames of the check.
        return str(error)
