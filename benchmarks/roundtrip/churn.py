"""Pages that come and go, beside the one that is measured: `python -m benchmarks.roundtrip.churn SIDE HOST PORT RATE`.

Ends with its input, and says then how many pages there were in a second.
"""

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.support.process import BenchmarkFailed
from benchmarks.support.sides import Ours, Side, Solara

_AT_ONCE = 50  # a server that can't keep up is not buried


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    port: int


def main() -> None:
    name, host, port, rate = sys.argv[1:]
    side = {"solara_ctx": Ours, "Solara": Solara}[name](Path(__file__).parent)
    print(asyncio.run(_churn(side, _Address(host, int(port)), float(rate))))


async def _churn(side: Side, address: _Address, rate: float) -> float:
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    door, done, failed = asyncio.Semaphore(_AT_ONCE), 0, 0
    begun = time.perf_counter()

    async def one() -> None:
        nonlocal done, failed
        try:
            await side.leave(address, await side.connect(address))
            done += 1
        except (BenchmarkFailed, OSError):
            failed += 1
        finally:
            door.release()

    tasks: set[asyncio.Task[None]] = set()
    next_at = loop.time()
    while not ended.done():
        await door.acquire()
        task = asyncio.create_task(one())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        next_at = max(next_at + 1 / rate, loop.time())
        await asyncio.sleep(next_at - loop.time())
    seconds = time.perf_counter() - begun
    if failed:
        print(f"{failed} pages have failed", file=sys.stderr)
    for task in tasks:
        task.cancel()
    return done / seconds


if __name__ == "__main__":
    main()
