"""The interpreter ends while pages have work in flight: no crash, no hang, nothing odd in the log."""

import contextlib
import itertools
import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from integration.support.apps.exiting import ASKED_FOR, CLICKED, COMPUTING, IN_FLIGHT, MAIN_ENDS_FIRST, PAGES
from integration.support.protocol import JupyterClient, click, root_of
from integration.support.server import TROUBLE, ServerProcess
from integration.support.waiting import wait_until

RUNS = 500
PARTS = 10
"""Each a minute: one test of so many would be taken for one that hangs."""
MANY = 30
IN_FLIGHT_WITHIN_S = 30.0
EXIT_WITHIN_S = 20.0
"""A bound, for machines that do much else. Half a second for the work to give up, five for uvicorn's connections."""
BUDGETS = {"SOLARA_KERNEL_CLOSE_TIMEOUT": "500ms", "SOLARA_KERNEL_DRAIN_TIMEOUT": "2s"}


class Way(NamedTuple):
    """How a program ends.

    Attributes:
        command: A Python module, with its arguments.
        signals: What it is sent; where nothing, it ends by itself once it is told on its standard input.
        status: How it ends, negative for a signal.
        deaf: Whether nobody reads any more what it prints.
    """

    command: tuple[str, ...]
    signals: tuple[signal.Signals, ...] = ()
    status: int = 0
    deaf: bool = False

    @property
    def cancels(self) -> bool:
        """Whether the server is cancelled at its work: by the end of the main coroutine, or by a second signal."""
        return self.command[-1] in MAIN_ENDS_FIRST or len(self.signals) > 1


def hosted(host: str, *signals: signal.Signals, status: int = 0, deaf: bool = False) -> Way:
    return Way(("integration.support.apps.exiting", host), signals, status, deaf)


def own(*signals: signal.Signals, status: int = 0) -> Way:
    return Way(("solara_ctx", "run", "integration.support.apps.exiting:kernels", "--port", "0"), signals, status)


TERM, INT = signal.SIGTERM, signal.SIGINT
WAYS = {
    "run, SIGTERM": own(TERM, status=-TERM),
    "run, SIGINT": own(INT),
    "run, SIGINT twice": own(INT, INT),
    "uvicorn, SIGTERM": hosted("uvicorn", TERM, status=-TERM),
    "uvicorn, SIGINT": hosted("uvicorn", INT),
    "uvicorn, SIGINT twice": hosted("uvicorn", INT, INT),
    "uvicorn, SIGINT, deaf": hosted("uvicorn", INT, deaf=True),
    "unwired, SIGTERM": hosted("unwired", TERM, status=-TERM),
    "unwired, SIGINT": hosted("unwired", INT),
    "main returns": hosted("main-returns"),
    "main raises": hosted("main-raises", status=1),
    "main exits": hosted("main-exits", status=ASKED_FOR),
    "main returns, unwired": hosted("unwired-main-returns"),
    "script ends": hosted("script-ends"),
    "script exits": hosted("script-exits", status=ASKED_FOR),
}
# Thirty that compute would leave the server no time to let the next one in.
THAT_WAIT = [name for name in PAGES if name not in COMPUTING]
SITUATIONS = {**dict.fromkeys(PAGES, 1), f"{MANY} kernels": MANY}
"""How many pages each has."""


TRACEBACK = r"Traceback \(most recent call last\):\n(?: .*\n)*"
OWN_ERRORS = re.compile(rf"{TRACEBACK}(?:(?:\S+\.)?Planned: as planned|SystemExit(?:: \d)?)$", re.MULTILINE)
# Where the server is cancelled at its work, as `asyncio.run` does at its end, uvicorn says so of each websocket, and
# Starlette of the lifespan, whatever the app.
CANCELLED = re.compile(
    rf"(?:{TRACEBACK}\S.*\n\nDuring handling of the above exception, another exception occurred:\n\n)*"
    rf"{TRACEBACK}asyncio.exceptions.CancelledError$",
    re.MULTILINE,
)


class Exit(NamedTuple):
    """How a program has ended."""

    situation: str
    way: str
    seconds: float
    trouble: list[str]


async def open_pages(stack: contextlib.AsyncExitStack, server: ServerProcess, situation: str) -> None:
    """Open the pages of a situation, and wait until what they do is in flight."""
    count = SITUATIONS[situation]
    for number in range(count):
        client = await stack.enter_async_context(JupyterClient(server.url))
        page = situation if situation in PAGES else THAT_WAIT[number % len(THAT_WAIT)]
        socket = await stack.enter_async_context(client.websocket(location=f"/{page}"))
        if page in CLICKED:
            await socket.send(json.dumps(click(await root_of(socket))))
    await wait_until(
        lambda: server.log_text().count(IN_FLIGHT) >= count or server.process.poll() is not None,
        IN_FLIGHT_WITHIN_S,
        f"{count} pages at work",
    )


def leave(server: ServerProcess, way: Way) -> None:
    """Let the program end."""
    assert server.process.stdin is not None
    assert server.process.stdout is not None
    if way.deaf:
        server.process.stdout.close()
    for number in way.signals:
        server.process.send_signal(number)
    if not way.signals:
        server.process.stdin.write(b"leave\n")
    server.process.stdin.close()


def complaints(log: str, way: Way) -> list[str]:
    """What no healthy program writes, but for its own errors."""
    rest = CANCELLED.sub("", log) if way.cancels else log
    rest = OWN_ERRORS.sub("", rest)
    return [line for line in rest.splitlines() if TROUBLE.search(line)]


def process(way: Way, log: Path, *options: str) -> ServerProcess:
    """A program that ends that way."""
    return ServerProcess([*way.command, *options], log, BUDGETS, pipes=True)


async def run(situation: str, way: str, log: Path) -> Exit:
    """Start a program, let its pages work, let it end."""
    server = process(WAYS[way], log)
    trouble: list[str] = []
    status: int | None = None
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(server.kill)
        await server.ready("/readyz")
        await open_pages(stack, server, situation)
        assert server.process.poll() is None, server.log_text()
        began = time.monotonic()
        leave(server, WAYS[way])
        try:
            status = await server.ended(EXIT_WITHIN_S)
        except AssertionError as error:
            trouble.append(str(error))
        seconds = time.monotonic() - began
    trouble += complaints(server.log_text(), WAYS[way])
    if status != WAYS[way].status:
        trouble.append(f"exit status {status} instead of {WAYS[way].status}")
    return Exit(situation, way, seconds, trouble)


def table(runs: int) -> list[tuple[str, str]]:
    """So many situations, each with a way to end: all of both come early, and all pairs once there are enough runs."""
    ways = list(WAYS)
    pairs = [
        (situation, ways[(place + shift) % len(ways)])
        for shift in range(len(ways))
        for place, situation in enumerate(SITUATIONS)
    ]
    return list(itertools.islice(itertools.cycle(pairs), runs))


def figures(exits: list[Exit]) -> str:
    """How many of each situation and way, and for how long the longest took."""
    lines = [f"{len(exits)} exits, {sum(bool(each.trouble) for each in exits)} abnormal"]
    for name in ("situation", "way"):
        of_each: dict[str, list[float]] = {}
        for each in exits:
            of_each.setdefault(getattr(each, name), []).append(each.seconds)
        lines += [f"{key:28}{len(found):5}{max(found):8.2f} s at most" for key, found in of_each.items()]
    return "\n".join(lines)


@pytest.mark.parametrize(("situation", "way"), table(len(SITUATIONS)))
async def test_an_exit_with_work_in_flight(situation: str, way: str, tmp_path: Path) -> None:
    """It is no crash and no hang, the exit status is what was asked for, and the log has nothing odd in it."""
    exit_ = await run(situation, way, tmp_path / "exit.log")
    print((tmp_path / "exit.log").read_text())
    assert exit_.trouble == []


@pytest.mark.parametrize("way", [name for name, way in WAYS.items() if way.command[0] != "solara_ctx"])
async def test_without_us_the_exit_status_is_the_same(way: str, tmp_path: Path) -> None:
    """It is the server's, or the program's, and not ours to choose."""
    server = process(WAYS[way], tmp_path / "exit.log", "--plain")
    with contextlib.ExitStack() as stack:
        stack.callback(server.kill)
        await server.ready("/readyz")
        leave(server, WAYS[way])
        assert await server.ended(EXIT_WITHIN_S) == WAYS[way].status


@pytest.fixture(scope="module")
def all_exits(pytestconfig: pytest.Config) -> Iterator[list[Exit]]:
    """Those of all parts; their figures are shown at the end, also where all is well."""
    exits: list[Exit] = []
    yield exits
    capture: Any = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\n{figures(exits)}")


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("part", range(PARTS))
async def test_five_hundred_exits(part: int, all_exits: list[Exit], tmp_path: Path) -> None:
    """Every situation with every way to end, none of them abnormal."""
    exits: list[Exit] = []
    for number, (situation, way) in enumerate(table(RUNS)[part::PARTS]):
        log = tmp_path / f"{number}.log"
        exits.append(await run(situation, way, log))
        if exits[-1].trouble:
            print(f"--- {exits[-1]}\n{log.read_text()}")
    all_exits += exits
    assert [each for each in exits if each.trouble] == []
