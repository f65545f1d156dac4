"""Real Chromium pages on the app: found, opened, used, left."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Awaitable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from playwright.async_api import Browser, BrowserContext, Error, Page, Playwright, async_playwright

from solara_ctx.leakcheck.appprocess import AppFailed
from solara_ctx.leakcheck.pagestate import ANSWERED, POLL_MS, SHOWN, STATE

T = TypeVar("T")

CHROMIUM_VARIABLE = "SOLARA_CTX_CHROMIUM"
_SYSTEM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_MAC_PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_HTTP_ERROR = 400


class NoBrowser(Exception):
    """There is no Chromium, or it does not start; the message says what to install."""


def find_chromium(playwrights_own: str) -> str:
    """The Chromium to use: the one that the environment names, Playwright's own, the system's.

    Raises:
        NoBrowser: there is none.
    """
    chosen = os.environ.get(CHROMIUM_VARIABLE)
    if chosen:
        if shutil.which(chosen) is None:
            raise NoBrowser(f"{CHROMIUM_VARIABLE} is {chosen!r}, and there is no such program; unset or correct it")
        return chosen
    for place in (playwrights_own, *_SYSTEM_NAMES, *_MAC_PLACES):
        if (found := shutil.which(place)) is not None:
            return found
    raise NoBrowser(
        "no Chromium was found; install one with `playwright install chromium` or from your system's packages "
        f"(chromium, google-chrome), or name one in {CHROMIUM_VARIABLE}"
    )


class Chromium:
    """A running browser, for one check or for many; a context manager.

    Args:
        headed: Show its windows.
    """

    def __init__(self, *, headed: bool = False) -> None:
        self._headed = headed
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            NoBrowser: there is none, or it does not start.
        """
        self._playwright = await async_playwright().start()
        try:
            path = await asyncio.to_thread(find_chromium, self._playwright.chromium.executable_path)
            # Playwright switches Chromium's sandbox off by itself, without which it would not start as root.
            self._browser = await self._playwright.chromium.launch(executable_path=path, headless=not self._headed)
        except Error as error:
            await self._playwright.stop()
            raise NoBrowser(f"Chromium ({path}) does not start: {error.message}") from error
        except BaseException:
            await self._playwright.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        if self._browser is not None:
            with contextlib.suppress(Error):
                await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()

    async def open(self, url: str, *, timeout_s: float) -> Page:
        """A page at *url*, in a browser session of its own, that shows its widgets.

        Raises:
            AppFailed: the page can't be shown.
        """
        if self._browser is None:
            raise NoBrowser("Chromium was not started")
        context = await self._browser.new_context(accept_downloads=False)
        try:
            page = await context.new_page()
            page.set_default_timeout(timeout_s * 1000)
            await _show(page, url)
        except BaseException:
            await _close(context)
            raise
        return page

    async def answered(self, page: Page, *, timeout_s: float) -> None:
        """Wait until the kernel has answered all that the page has asked it, for *timeout_s* at most; whatever the page
        shows by now.
        """
        with contextlib.suppress(Error):
            await page.wait_for_function(ANSWERED, timeout=timeout_s * 1000, polling=POLL_MS)

    async def leave(self, page: Page) -> None:
        """Leave the page, as a person does who goes elsewhere.  Its session has to last until the server has heard of
        it: the page says good-bye by a beacon, which the session's end would cut off.
        """
        try:
            await page.goto("about:blank")
        except Error as error:
            raise AppFailed(f"a page could not be left: {error.message.splitlines()[0]}") from error

    async def end(self, page: Page) -> None:
        """End the session of a page."""
        await _close(page.context)

    async def picture(self, html: str, path: Path, *, width: int, height: int) -> None:
        """Draw *html* into a PNG file."""
        if self._browser is None:
            raise NoBrowser("Chromium was not started")
        page = await self._browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=2)
        try:
            await page.set_content(html)
            await page.screenshot(path=path)
        finally:
            await page.close()


async def _show(page: Page, url: str) -> None:
    try:
        response = await page.goto(url, wait_until="commit")
        if response is not None and response.status >= _HTTP_ERROR:
            raise AppFailed(f"{url} was answered with {response.status} {response.status_text}")
        await page.wait_for_function(SHOWN, polling=POLL_MS)
        state = await page.evaluate(STATE)
    except Error as error:
        raise AppFailed(f"{url} did not show its widgets: {error.message.splitlines()[0]}") from error
    if state != "open":
        raise AppFailed(f"{url} could not be shown: its page function failed")


async def _close(context: BrowserContext) -> None:
    with contextlib.suppress(Error):
        await context.close()


async def together(coroutines: Iterable[Awaitable[T]]) -> list[T]:
    """Run them at once; the first error is raised when all have ended."""
    results = await asyncio.gather(*coroutines, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
