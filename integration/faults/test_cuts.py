"""A page on a bad network: no click and no update is lost, and none counts twice."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page, WebSocket, expect

from integration.conftest import Serve
from integration.support.network import BadNetwork, Wire
from integration.support.server import ServerProcess
from integration.support.waiting import wait_until
from integration.support.watch import Watch
from solara_ctx.leakcheck.pagestate import ANSWERED

# What Chromium says of connections that fail, and what the page's own retries meet.
LOST = "WebSocket|ERR_|the server responded with a status of 50"
START = """() => {
    const [ticking] = document.querySelectorAll("#solara-app .widget-label");
    window.shown = [];
    new MutationObserver(records => {
        for (const { addedNodes } of records)
            for (const node of addedNodes) window.shown.push(Number(node.textContent.replace("tick ", "")));
    }).observe(ticking, { childList: true });
    window.clicks = 0;
    window.clicking = setInterval(() => {
        window.clicks += 1;
        document.querySelector("#solara-app button").click();
    }, 100);
}"""


@dataclass
class Seen:
    """What a test has seen of a page and of its connections."""

    faults: Counter[str]
    connections: int
    resyncs: list[str]
    ticks: int
    shown: list[int]
    clicks: int
    clicks_counted: int
    label: str

    @property
    def gaps(self) -> int:
        """How often the page has shown an update that was not the next one."""
        return sum(later != earlier + 1 for earlier, later in pairwise(self.shown))

    def __str__(self) -> str:
        faults = ", ".join(f"{number} {name}" for name, number in sorted(self.faults.items()))
        return (
            f"{self.faults.total()} cuts ({faults}), {self.connections} connections; {self.clicks} clicks, "
            f"{self.clicks_counted} counted; {self.ticks} updates, {len(self.shown)} shown, {self.gaps} gaps, "
            f"{len(self.resyncs)} resyncs"
        )


class Words:
    """What the server says about the connections of a page."""

    def __init__(self, page: Page) -> None:
        self.welcomes: list[dict[str, Any]] = []
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._heard)

    def _heard(self, frame: str | bytes) -> None:
        if isinstance(frame, str) and (word := json.loads(frame))["type"] == "welcome":
            self.welcomes.append(word)


async def cut(network: BadNetwork, times: int) -> Counter[str]:
    """Do to the page's websocket what networks do, at moments of chance."""
    done = Counter[str]()
    while done.total() < times:
        (wire,) = await wait_until(lambda: network.websockets, 30.0, "a page that has come back")
        await asyncio.sleep(network.chance.uniform(0.0, 0.4))  # not for something to happen: this is the moment
        fault = network.chance.choice(network.faults)
        done[fault.__name__] += 1
        await fault(wire)
        await wait_until(partial(_has_ended, network, wire), what="the end of a connection")
    return done


def _has_ended(network: BadNetwork, wire: Wire) -> bool:
    return wire not in network.websockets


async def truth(server: ServerProcess, *, stop: bool = False) -> Mapping[str, int]:
    async with httpx2.AsyncClient(base_url=server.url) as http:
        answer: dict[str, int] = (await http.request("POST" if stop else "GET", "/truth")).json()
        return answer


async def live_through(page: Page, server: ServerProcess, cuts: int, seed: int) -> Seen:
    """Click ten times a second in a page that is updated fifty times a second, and cut its connection all the time."""
    words = Words(page)
    async with BadNetwork(server.url, seed=seed) as network:
        await page.goto(network.url)
        await expect(page.get_by_role("button", name="Click")).to_be_visible()
        await page.evaluate(START)
        faults = await cut(network, cuts)
        await page.evaluate("clearInterval(window.clicking)")
        ticks = (await truth(server, stop=True))["ticks"]
        clicks: int = await page.evaluate("window.clicks")
        await expect(page.get_by_text(f"{clicks} clicks", exact=True)).to_be_visible()
        await expect(page.get_by_text(f"tick {ticks}", exact=True)).to_be_visible()
        await page.wait_for_function(ANSWERED)
        seen = Seen(
            faults=faults,
            connections=len(words.welcomes),
            resyncs=[word["resync"] for word in words.welcomes if word["resync"] is not None],
            ticks=ticks,
            shown=await page.evaluate("window.shown"),
            clicks=clicks,
            clicks_counted=(await truth(server))["clicks"],
            label=await page.locator("#solara-app .widget-label").last.inner_text(),
        )
        await page.close()
        await is_as_before(server)
        return seen


async def is_as_before(server: ServerProcess) -> None:
    """The page has gone, and nothing is left of it."""
    async with httpx2.AsyncClient(base_url=server.url) as http:

        async def nothing_is_left() -> bool:
            said = (await http.get("/resourcez")).json()
            gauges = (said["kernels"]["total"], said["kernels"]["retained"], said["websocket"]["open"])
            return not any((*gauges, said["leaks"]["watched"], said["leaks"]["zombies"]))

        await wait_until(nothing_is_left, what="a server with nothing left of the page")


LENGTHS = pytest.mark.parametrize(
    "cuts", [25, pytest.param(200, marks=[pytest.mark.thorough, pytest.mark.slow])], ids="{} cuts".format
)


@LENGTHS
async def test_nothing_is_lost_and_nothing_comes_twice(page: Page, watch: Watch, serve: Serve, cuts: int) -> None:
    """Every click is counted once, every update is shown, in order."""
    watch.allow(LOST)
    server = await serve("integration.faults.support.streaming:app")
    seen = await live_through(page, server, cuts, seed=cuts)
    print(seen)
    assert seen.connections > cuts / 2
    assert seen.clicks_counted == seen.clicks > cuts
    assert seen.label == f"{seen.clicks} clicks"
    assert seen.resyncs == []
    assert seen.shown == list(range(seen.shown[0], seen.ticks + 1))


@LENGTHS
async def test_what_is_not_kept_is_covered_by_a_resync(page: Page, watch: Watch, serve: Serve, cuts: int) -> None:
    """With next to nothing kept, the page takes the state of everything: no click is lost all the same."""
    watch.allow(LOST)
    server = await serve("integration.faults.support.streaming:app", env={"SOLARA_REPLAY_MAX_MESSAGES": "12"})
    seen = await live_through(page, server, cuts, seed=cuts)
    print(seen)
    assert seen.clicks_counted == seen.clicks > cuts
    assert seen.shown == sorted(set(seen.shown))
    assert 0 < seen.gaps <= len(seen.resyncs)
