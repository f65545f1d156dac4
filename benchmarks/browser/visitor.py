"""A person with a Chromium: opens the page, clicks, and goes; all times are taken in the page itself, by `page.js`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from playwright.async_api import Browser, BrowserContext, Error, Page, Response, async_playwright

from benchmarks.support.process import BenchmarkFailed
from solara_ctx.leakcheck.browser import NoBrowser, find_chromium

T = TypeVar("T")

_SCRIPT = Path(__file__).with_name("page.js")
_DEADLINE_S = 60.0
_HTTP_ERROR = 400
_AT_ANY_TIME = ["--disable-gpu-vsync", "--disable-frame-rate-limit"]


@dataclass(frozen=True, slots=True)
class Opened:
    """What one page's opening has taken."""

    interactive_ms: float
    answered_ms: float


@dataclass(frozen=True, slots=True)
class Clicked:
    """One click, up to its answer in the document and on the screen."""

    seen_ms: float
    painted_ms: float


class Visitor:
    """Somebody who has never been here: a browser context of its own, with no cookies and an empty cache."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._context = context
        self._url = url
        self._complaints: list[str] = []
        context.on("response", self._check)
        context.on("requestfailed", lambda request: self._complaints.append(f"{request.url}: {request.failure}"))
        context.on("weberror", lambda error: self._complaints.append(f"the page's script: {error.error}"))

    async def open(self) -> tuple[Page, Opened]:
        """Open the page, and click once as soon as its button is painted.

        Raises:
            BenchmarkFailed: the click is not answered, or something that the page asks for does not come.
        """
        page = await self._context.new_page()
        await self._in_time(page.goto(self._url, wait_until="commit"), "the page")
        found = await self._in_time(page.evaluate("benchmark.opened"), "the answer to the first click")
        if self._complaints:
            raise BenchmarkFailed("\n".join(self._complaints))
        return page, Opened(found["interactive"], found["answered"])

    async def click(self, page: Page, pauses_ms: Sequence[float]) -> list[Clicked]:
        """Click, one after the other, each time after a pause."""
        found = await self._in_time(
            page.evaluate("pauses => benchmark.clicks(pauses)", pauses_ms),
            "the answer to a click",
            sum(pauses_ms) / 1000,
        )
        return [Clicked(each["seen"], each["painted"]) for each in found]

    async def transferred(self, page: Page) -> int:
        """The bytes that have come over HTTP, compressed as they came, with their headers."""
        return int(await self._in_time(page.evaluate("benchmark.transferred()"), "the sum of the bytes"))

    async def leave(self, page: Page) -> None:
        """Go elsewhere, so that the page says good-bye."""
        await self._in_time(page.goto("about:blank"), "the page's end")
        await self._in_time(page.close(), "the page's end")

    async def end(self) -> None:
        """Close the browser's window, with all that it has stored."""
        await self._in_time(self._context.close(), "the end of a browser context")

    async def _in_time(self, awaited: Awaitable[T], what: str, more_s: float = 0) -> T:
        try:
            async with asyncio.timeout(_DEADLINE_S + more_s):
                return await awaited
        except TimeoutError:
            reasons = "\n".join([f"{what} has not come within {_DEADLINE_S + more_s:g} s", *self._complaints])
            raise BenchmarkFailed(reasons) from None
        except Error as error:
            raise BenchmarkFailed("\n".join([f"{what}: {error.message}", *self._complaints])) from error

    def _check(self, response: Response) -> None:
        if response.status >= _HTTP_ERROR:
            self._complaints.append(f"{response.url} was answered with {response.status}")


@asynccontextmanager
async def chromium(*, paints_at_any_time: bool = False) -> AsyncIterator[Browser]:
    """A Chromium without a window, just started.

    Args:
        paints_at_any_time: Paint as soon as there is something to paint, not only 60 times a second. An answer waits
            for up to 16.7 ms otherwise, whoever has given it, and how long is a matter of luck.

    Raises:
        BenchmarkFailed: there is none, or it does not start.
    """
    async with async_playwright() as playwright:
        try:
            path = find_chromium(playwright.chromium.executable_path)
            options = _AT_ANY_TIME if paints_at_any_time else []
            browser = await playwright.chromium.launch(executable_path=path, args=options)
        except (NoBrowser, Error) as failure:
            raise BenchmarkFailed(f"{failure}; `python3 dev.py bench browser` finds or installs one") from failure
        try:
            yield browser
        finally:
            await browser.close()


async def visitor(browser: Browser, url: str) -> Visitor:
    """A new one."""
    context = await browser.new_context()
    await context.add_init_script(path=_SCRIPT)
    return Visitor(context, url)
