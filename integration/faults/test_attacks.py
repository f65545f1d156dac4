"""Attacks on a real server, each with the refusal that is expected, and nothing is the worse for any of them.

After each the server is up, a page of somebody else answers a click, the log has no traceback, no kernel's id and no
cookie, and what `/resourcez` counts is exactly what it was before.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from integration.faults.support import frames, identity, messages, plain
from integration.faults.support.arena import OPTIONS, SETTINGS, Arena, Bystander
from integration.support.protocol import JupyterClient
from integration.support.server import TROUBLE, ServerProcess, uvicorn_command

CASES = {**plain.CASES, **identity.CASES, **frames.CASES, **messages.CASES}
# uvicorn answers what is no chunk with 400, and then fails to send what the app has answered meanwhile.
UPSTREAM = {"body: a chunk of a size that is none": "h11._util.LocalProtocolError: "}
TARGET = "integration.faults.support.target"


# Below a path there are other paths, headers and cookies; what is said on a websocket is the same.
BELOW_A_PATH = [name for name in CASES if not name.startswith(("frame:", "message:", "resourcez:"))]


@asynccontextmanager
async def attacked(app: str, base: str, log: Path) -> AsyncIterator[Arena]:
    """A server and a bystander for all attacks, one by one; its log must hold no trouble at the end."""
    server = ServerProcess(uvicorn_command(f"{TARGET}:{app}", *OPTIONS), log, SETTINGS)
    try:
        await server.ready(f"{base}readyz")
        async with JupyterClient(server.url, base=base) as client, client.websocket() as socket:
            bystander = Bystander(client, socket)
            await bystander.begin()
            arena = Arena(server, base, bystander)
            await arena.begin()
            yield arena
    finally:
        await server.stop()
        print(f"--- {log.name}\n{server.log_text()}")
    assert TROUBLE.search(arena.unread()) is None


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Arena]:
    async with attacked("alone", "/", tmp_path_factory.mktemp("attacked") / "alone.log") as arena:
        yield arena


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mounted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Arena]:
    async with attacked("mounted", "/sub/path/", tmp_path_factory.mktemp("attacked") / "mounted.log") as arena:
        yield arena


@pytest.mark.parametrize(
    "name",
    # Every third each time, all when asked for.
    [pytest.param(name, marks=pytest.mark.thorough if number % 3 else ()) for number, name in enumerate(CASES)],
)
async def test_an_attack_is_refused_and_harms_nobody(alone: Arena, name: str) -> None:
    """What it is answered with, and that this is all that comes of it."""
    await tried(alone, name)


@pytest.mark.thorough
@pytest.mark.parametrize("name", BELOW_A_PATH)
async def test_so_it_is_below_a_path(mounted: Arena, name: str) -> None:
    """In an app of Starlette, which looks at a request before we do."""
    await tried(mounted, name)


async def tried(arena: Arena, name: str) -> None:
    """Attack, and look around."""
    attack, expected = CASES[name]
    assert await attack(arena) == expected
    await arena.check(UPSTREAM.get(name, "nothing"))


def test_there_are_enough_of_them() -> None:
    """Of each kind."""
    kinds = {name.partition(":")[0] for name in CASES}
    assert kinds >= {"path", "header", "origin", "cookie", "kernel", "page", "method", "handshake", "frame", "message"}
    assert len(CASES) >= 200
