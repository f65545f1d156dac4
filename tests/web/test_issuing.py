"""Kernel ids for those who ask for one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from solara_ctx import KernelApp, Settings
from tests.support.fakes import FakeClock

CREATED, TOO_MANY = httpx2.codes.CREATED, httpx2.codes.TOO_MANY_REQUESTS
BURST = 300


@asynccontextmanager
async def served(**settings: object) -> AsyncIterator[KernelApp]:
    """An app for which no time passes."""
    app = KernelApp(lambda: None, settings=Settings(**settings))
    async with app.lifespan():
        app.registry.clock = FakeClock()
        yield app


@asynccontextmanager
async def asking(app: KernelApp, host: str | None) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of that address."""
    transport = httpx2.ASGITransport(app, client=(host, 1234) if host else None)  # type: ignore[arg-type]
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield http


async def ask(http: httpx2.AsyncClient, times: int) -> list[int]:
    """The statuses of so many requests for an id, each of a new session."""
    statuses = []
    for _ in range(times):
        http.cookies.clear()
        statuses.append((await http.post("/api/kernels")).status_code)
    return statuses


async def refused_total(http: httpx2.AsyncClient) -> int:
    return int((await http.get("/resourcez")).json()["kernels"]["refused_total"])


async def test_one_address_gets_ids_no_faster_than_allowed() -> None:
    """However many sessions it makes up; it is told when to try again, and counted, and others are not harmed."""
    async with (
        served(kernel_max_issue_rate=1) as app,
        asking(app, "203.0.113.7") as greedy,
        asking(app, "203.0.113.8") as other,
    ):
        assert await ask(greedy, BURST) == [CREATED] * BURST
        refused = await greedy.post("/api/kernels")
        assert (refused.status_code, refused.json()["reason"]) == (TOO_MANY, "too-many-pages")
        assert refused.headers["retry-after"] == "5"
        assert "set-cookie" not in refused.headers
        assert await ask(other, 1) == [CREATED]
        assert isinstance(app.registry.clock, FakeClock)
        app.registry.clock.advance(5)
        assert await ask(greedy, 6) == [CREATED] * 5 + [TOO_MANY]
        assert await refused_total(other) == 2
        assert len(app.registry) == 0


async def test_a_person_gets_a_page_that_tries_again() -> None:
    """Readable, without an id, and not for a cache."""
    async with served(kernel_max_issue_rate=1) as app, asking(app, "203.0.113.7") as http:
        await ask(http, BURST)
        page = await http.get("/")
        assert page.status_code == TOO_MANY
        assert "Too many at once" in page.text
        assert "solara-config" not in page.text
        headers = {name: page.headers[name] for name in ("retry-after", "refresh", "cache-control")}
        assert headers == {"retry-after": "5", "refresh": "5", "cache-control": "no-store"}


async def test_pages_and_the_rest_api_share_the_limit() -> None:
    """Either starts a kernel."""
    async with served(kernel_max_issue_rate=1) as app, asking(app, "203.0.113.7") as http:
        for _ in range(BURST):
            await http.get("/")
        assert await ask(http, 1) == [TOO_MANY]


@pytest.mark.parametrize(("host", "rate"), [("203.0.113.7", 0), (None, 1)])
async def test_without_a_limit_or_an_address_nobody_is_refused(host: str | None, rate: int) -> None:
    """On a Unix socket everybody would be one."""
    async with served(kernel_max_issue_rate=rate) as app, asking(app, host) as http:
        assert await ask(http, BURST + 50) == [CREATED] * (BURST + 50)


async def test_the_default_lets_a_lecture_hall_in() -> None:
    """Three hundred pages at once, behind one address."""
    async with served() as app, asking(app, "203.0.113.7") as http:
        assert await ask(http, BURST) == [CREATED] * BURST
