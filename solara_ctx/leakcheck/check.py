"""One check, from the app's start to the verdict."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.async_api import Page

from solara_ctx.leakcheck.appprocess import AppFailed, AppProcess
from solara_ctx.leakcheck.browser import Chromium, together
from solara_ctx.leakcheck.judge import judge
from solara_ctx.leakcheck.messages import Diagnosis, Growth, Kernels
from solara_ctx.leakcheck.progress import Progress
from solara_ctx.leakcheck.results import Measure, Result, Series
from solara_ctx.leakcheck.use import Use, use_everything
from solara_ctx.leaks.census import Census

# What the process of the app may take for an answer that needs no waiting.
_ANSWER_S = 120.0
_FEWEST_CENSUSES = 3
_MOST_STEPS = 10
# From the server to the page, on one machine.
_ON_ITS_WAY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do."""

    target: str
    output: Path
    """The folder for the log and the report."""
    sessions: int = 10
    """Pages at once in each cycle."""
    cycles: int = 10
    churn: int = 20
    """Uses within one session, or a few more, so that they make even steps; 0 for none."""
    paths: tuple[str, ...] = ()
    """The paths to open, in turns; all pages of the app where none is given."""
    use: Use = use_everything
    timeout_s: float = 60.0
    """How long a page may take to be shown, and kernels to be closed."""


async def check(plan: Plan, chromium: Chromium, progress: Progress) -> Result:
    """Run a check.

    Raises:
        AppFailed: the app does not start, show its pages, or close its kernels.
    """
    began = time.monotonic()
    await asyncio.to_thread(plan.output.mkdir, parents=True, exist_ok=True)
    log = plan.output / "app.log"
    await asyncio.to_thread(log.unlink, missing_ok=True)
    async with AppProcess(plan.target, log, start_timeout_s=plan.timeout_s) as app:
        run = _Run(plan, app, chromium, progress)
        progress.app(plan.target, app.url, log, run.paths)
        sessions = await run.cycles()
    uses = None
    if plan.churn:
        # In a fresh process: what the first has kept, and what looking for it has left, would disturb the second.
        async with AppProcess(plan.target, log, start_timeout_s=plan.timeout_s) as app:
            uses = await _Run(plan, app, chromium, progress).churn()
    return Result(
        target=plan.target,
        paths=run.paths,
        # In a thread, as it reads the lines of the app's code that it names.
        sessions=await asyncio.to_thread(judge, sessions),
        uses=None if uses is None else await asyncio.to_thread(judge, uses),
        seconds=time.monotonic() - began,
    )


class _Run:
    """The parts of a check, on a running app."""

    def __init__(self, plan: Plan, app: AppProcess, chromium: Chromium, progress: Progress) -> None:
        self._plan = plan
        self._app = app
        self._chromium = chromium
        self._progress = progress
        self.paths = plan.paths or app.hello.pages
        self._opened = 0

    async def cycles(self) -> Series:
        """Cycles of sessions, each closed again."""
        plan, progress = self._plan, self._progress
        # One alone shows at once what is wrong with the page; all at once start as many threads as ever will be.
        progress.doing("warming up: one session")
        await self._sessions(1)
        progress.doing(f"warming up: {plan.sessions} sessions")
        await self._sessions(plan.sessions)
        progress.done("warmed up")
        measures, censuses = list[Measure](), list[Census]()
        progress.begin(f"{plan.cycles} cycles of {plan.sessions} sessions, each used and closed")
        for number in range(1, plan.cycles + 1):
            progress.doing(f"cycle {number} of {plan.cycles}")
            began = time.monotonic()
            kernels = await self._sessions(plan.sessions)
            measures.append(await self._measure(number * plan.sessions, kernels, began))
            censuses.append(await self._census())
            progress.measured(number, plan.cycles, measures)
        growth = await self._growth(censuses, plan.sessions)
        series = Series(unit="session", per=plan.sessions, measures=tuple(measures), growth=tuple(growth))
        if measures and measures[-1].kept:
            progress.doing("looking for what keeps the closed kernels")
            chains = await self._app.ask(list, "chains", timeout_s=_ANSWER_S)
            series = replace(series, chains=tuple(chains))
        if not (await asyncio.to_thread(judge, series)).leaking:
            return series
        progress.doing(f"tracing {plan.sessions} more sessions: where is made what stays?")
        return await self._diagnosed(series, plan.sessions, lambda: self._sessions(plan.sessions))

    async def churn(self) -> Series:
        """Uses within one session that stays open."""
        plan, progress = self._plan, self._progress
        per = math.ceil(plan.churn / _MOST_STEPS)
        steps = math.ceil(plan.churn / per)
        url = self._url(0)
        progress.begin(f"{steps * per} uses within one session")
        measures, censuses = list[Measure](), list[Census]()
        page = await self._chromium.open(url, timeout_s=plan.timeout_s)
        try:
            for _ in range(2):
                progress.doing("warming up")
                await self._uses(page, max(per, 2))
            for number in range(1, steps + 1):
                progress.doing(f"use {number * per} of {steps * per}")
                began = time.monotonic()
                kernels = await self._uses(page, per)
                measures.append(await self._measure(number * per, kernels, began))
                censuses.append(await self._census())
                progress.measured(number, steps, measures)
            growth = await self._growth(censuses, per)
            series = Series(unit="use", per=per, measures=tuple(measures), growth=tuple(growth))
            if (await asyncio.to_thread(judge, series)).leaking:
                progress.doing(f"tracing {per * 2} more uses: where is made what stays?")
                series = await self._diagnosed(series, per * 2, lambda: self._uses(page, per * 2))
            await self._chromium.leave(page)
            await self._settled()
        finally:
            await self._chromium.end(page)
        return series

    async def _sessions(self, count: int) -> Kernels:
        """Open that many pages at once, use and close them, and wait until the server says that all is over."""
        opening = [self._chromium.open(self._next_url(), timeout_s=self._plan.timeout_s) for _ in range(count)]
        opened = await asyncio.gather(*opening, return_exceptions=True)
        pages = [page for page in opened if not isinstance(page, BaseException)]
        failures = [page for page in opened if isinstance(page, BaseException)]
        try:
            if not failures:
                await together(self._plan.use(page) for page in pages)
                await self._idle(pages)
                await together(self._chromium.leave(page) for page in pages)
                return await self._settled()
        except AppFailed as error:
            failures.append(error)
        finally:
            await together(self._chromium.end(page) for page in pages)
        raise await self._app.why(failures[0]) if isinstance(failures[0], AppFailed) else failures[0]

    async def _uses(self, page: Page, count: int) -> Kernels:
        for _ in range(count):
            await self._plan.use(page)
            await self._idle([page])
        timeout_s = self._plan.timeout_s
        return await self._app.ask(Kernels, "rest", timeout_s, timeout_s=timeout_s + _ANSWER_S)

    async def _idle(self, pages: Sequence[Page]) -> None:
        """Wait until the server has handled what the pages have sent.  Twice, as a page may answer an answer."""
        timeout_s = self._plan.timeout_s
        for _ in range(2):
            await together(self._chromium.answered(page, timeout_s=timeout_s) for page in pages)
            await self._app.ask(bool, "idle", timeout_s, timeout_s=timeout_s + _ANSWER_S)
            await asyncio.sleep(_ON_ITS_WAY_S)

    async def _settled(self) -> Kernels:
        timeout_s = self._plan.timeout_s
        kernels = await self._app.ask(Kernels, "settle", timeout_s, timeout_s=timeout_s + _ANSWER_S)
        if kernels.open:
            raise AppFailed(
                f"{kernels.open} kernels were not closed within {timeout_s:g} s of their pages; the log may tell why: "
                f"{self._app.log}"
            )
        return kernels

    async def _measure(self, done: int, kernels: Kernels, began: float) -> Measure:
        return Measure(
            done=done,
            uss=await self._app.uss(),
            by_refcount=kernels.by_refcount,
            by_gc=kernels.by_gc,
            kept=kernels.kept,
            seconds=time.monotonic() - began,
        )

    async def _census(self) -> Census:
        return await self._app.ask(Census, "census", timeout_s=_ANSWER_S)

    async def _growth(self, censuses: Sequence[Census], per: int) -> list[Growth]:
        if len(censuses) < _FEWEST_CENSUSES:
            return []
        self._progress.doing("looking for what grows")
        return await self._app.ask(list, "growth", list(censuses), per, timeout_s=_ANSWER_S)

    async def _diagnosed(self, series: Series, traced: int, again: Callable[[], Awaitable[object]]) -> Series:
        """The series, with where what stays is made, seen by doing it *again*, twice."""
        await self._app.ask(type(None), "trace", timeout_s=_ANSWER_S)
        await again()
        await self._app.ask(type(None), "count_from_here", timeout_s=_ANSWER_S)
        await again()
        diagnosis = await self._app.ask(Diagnosis, "traced", timeout_s=_ANSWER_S)
        return replace(
            series,
            origins=diagnosis.origins,
            taken=diagnosis.taken,
            traced=traced,
            traced_bytes=diagnosis.size,
        )

    def _next_url(self) -> str:
        self._opened += 1
        return self._url(self._opened)

    def _url(self, number: int) -> str:
        return self._app.url + self.paths[number % len(self.paths)]
