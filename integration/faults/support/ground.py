"""A server, a page in it that goes on working, and what is there when nothing else is."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2
from playwright.async_api import Browser, Page, expect

from integration.support.protocol import CONFIG
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until
from integration.support.watch import Watch
from solara_ctx.errors import redact
from solara_ctx.leakcheck.pagestate import ANSWERED

WAIT_S = 30.0
BOUND_MS = 5_000.0
"""How long a bystander may have to wait, on a machine that does much else; usually a click takes some 10 ms."""
CLICKING = """() => {
    const button = document.querySelector("#solara-app button");
    const [label] = document.querySelectorAll("#solara-app .widget-label");
    const seen = window.seen = { answered: 0, slowest: 0, since: null };
    const waited = () => seen.since === null ? 0 : performance.now() - seen.since;
    new MutationObserver(() => {
        if (seen.since === null) return;
        seen.slowest = Math.max(seen.slowest, waited());
        seen.answered += 1;
        seen.since = null;
    }).observe(label, { childList: true, characterData: true, subtree: true });
    setInterval(() => {
        if (seen.since !== null) return;
        seen.since = performance.now();
        button.click();
    }, 100);
    window.slowest = () => {
        const slowest = Math.max(seen.slowest, waited());
        seen.slowest = 0;
        return slowest;
    };
}"""


@dataclass
class Incident:
    """A page whose code misbehaves."""

    ground: "Ground"
    page: Page
    kernel_id: str
    _log_from: int

    @property
    def shown_id(self) -> str:
        """How the log names its kernel."""
        return redact(self.kernel_id)

    async def logged(self, *words: str) -> None:
        """Wait until the log says so, one after the other, after what was waited for before."""
        for word in words:
            end = await wait_until(partial(self._end_of, word), WAIT_S, f"{word!r} in the log")
            assert end is not None
            self._log_from = end

    def _end_of(self, word: str) -> int | None:
        at = self.ground.server.log_text().find(word, self._log_from)
        return None if at < 0 else at + len(word)

    async def click(self, name: str) -> None:
        """Click the button of that name."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def answers(self) -> None:
        """Its next click is answered."""
        label = self.page.get_by_text(re.compile(r"^\d+ clicks$"))
        before = int((await label.inner_text()).partition(" ")[0])
        await self.click("Click")
        await expect(self.page.get_by_text(f"{before + 1} clicks", exact=True)).to_be_visible()

    async def is_quiet(self) -> None:
        """The kernel has answered all that was asked."""
        await self.page.wait_for_function(ANSWERED)


class Ground:
    """A server with one page that is clicked ten times a second, and other pages one after the other.

    Args:
        server: Of `misbehaving`.
        browser: Where the pages are opened, each in a session of its own.
    """

    def __init__(self, server: ServerProcess, browser: Browser) -> None:
        self.server = server
        self.slowest: dict[str, float] = {}
        """How long the bystander has waited at most, in milliseconds, by path."""
        self._browser = browser
        self._watch = Watch()
        self._http = httpx2.AsyncClient(base_url=server.url)

    @asynccontextmanager
    async def entered(self) -> AsyncIterator["Ground"]:
        """With the bystander there, and all that is made once made."""
        context = await self._browser.new_context()
        self._watch.follow(context)
        self._bystander = await context.new_page()
        await self._bystander.goto(f"{self.server.url}/bystander")
        await expect(self._bystander.get_by_role("button", name="Click")).to_be_visible()
        await self._bystander.evaluate(CLICKING)
        (cookie,) = await context.cookies()
        self._secrets = [str(cookie.get("value"))]
        self.before = await self._settled()
        yield self
        await context.close()
        await self._http.aclose()
        assert self._watch.complaints() == []

    @asynccontextmanager
    async def incident(self, path: str, **control: object) -> AsyncIterator[Incident]:
        """Somebody opens that page, and leaves it at the end: nobody else is hurt, nothing is left, and the log has
        no id in it.

        Args:
            path: Of the page.
            control: What is asked of the server before.
        """
        await self.control(release=False, **control)
        log_from = len(self.server.log_text())
        await self._bystander.evaluate("window.slowest()")
        context = await self._browser.new_context()
        try:
            page = await context.new_page()
            answer = await page.goto(f"{self.server.url}{path}")
            assert answer is not None
            found = CONFIG.search(await answer.text())
            assert found is not None
            kernel_id = json.loads(found[1])["kernelId"]
            (cookie,) = await context.cookies()
            self._secrets += [kernel_id, kernel_id.partition(".")[0], str(cookie.get("value"))]
            incident = Incident(self, page, kernel_id, log_from)
            yield incident
            await page.close()
            await self.bystander_answers()
            self.slowest[path] = await self._bystander.evaluate("window.slowest()")
            assert self.slowest[path] < BOUND_MS
            await self.is_as_before()
            assert not [secret for secret in self._secrets if secret in self.server.log_text()]
        finally:
            await context.close()
            await self.control(release=True)

    async def bystander_answers(self) -> None:
        """A click from now on is answered there."""
        answered = await self._bystander.evaluate("window.seen.answered")
        await self._bystander.wait_for_function(f"window.seen.answered > {answered} + 1")

    async def control(self, **wanted: object) -> None:
        (await self._http.post("/control", json=wanted)).raise_for_status()

    async def resourcez(self) -> Any:
        return (await self._http.get("/resourcez")).json()

    async def resident_bytes(self) -> int:
        return int((await self.resourcez())["process"]["memory"]["rss"])

    async def truth(self) -> Any:
        return (await self._http.get("/truth")).json()

    async def gauges(self) -> dict[str, Any]:
        """All that goes up and down again."""
        said = await self.resourcez()
        kernels, workers = said["kernels"], said["threads"]["workers"]
        return {
            **{name: kernels[name] for name in ("total", "has_connected", "has_disconnected", "retained", "closing")},
            "widgets": sum(row["widgets"] for row in said["kernel"]),
            "websockets": said["websocket"]["open"],
            "watched": said["leaks"]["watched"],
            "zombies": said["leaks"]["zombies"],
            "stuck": workers["stuck"],
            "queued": workers["queued"],
            "threads": (await self.truth())["threads"],
        }

    async def is_stuck(self, threads: int) -> None:
        """So many threads are counted as stuck, and their kernel is gone all the same."""

        async def are_stuck() -> bool:
            now = await self.gauges()
            return bool(now["stuck"] == threads and now["total"] == self.before["total"])

        await wait_until(are_stuck, WAIT_S, f"{threads} stuck threads")

    async def _settled(self) -> dict[str, Any]:
        """The gauges once the bystander's one thread is the only worker."""
        now: dict[str, Any] = {}

        async def one_worker() -> bool:
            now.update(await self.gauges())
            return bool(now["threads"] == {"MainThread": 1, "solara-ctx-worker-": 1})

        await wait_until(one_worker, WAIT_S, "one worker, for the bystander")
        return now

    async def is_as_before(self) -> None:
        """Nothing is left of what was here."""
        now: dict[str, Any] = {}

        async def nothing_is_left() -> bool:
            now.update(await self.gauges())
            return now == self.before

        try:
            await wait_until(nothing_is_left, WAIT_S)
        except AssertionError:
            other = {name: (value, now[name]) for name, value in self.before.items() if value != now[name]}
            raise AssertionError(f"before and after: {other}") from None
