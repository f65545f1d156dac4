"""One side, measured in this process: `python -m benchmarks.kernel.work SIDE KERNELS`, an answer in JSON."""

import asyncio
import json
import statistics
import sys
import time

from benchmarks.kernel.sides import SIDES, Side
from benchmarks.support.allocated import in_use

_WARM_UP = 30
_BATCHES = 10


def main() -> None:
    name, count = sys.argv[1:]
    print(json.dumps(asyncio.run(_measure(SIDES[name](), int(count)))))


async def _measure(side: Side, count: int) -> dict[str, float | None]:
    async with side.running():
        for _ in range(_WARM_UP):
            await side.close(await side.open())
        times = [await _batch(side, count // _BATCHES) for _ in range(_BATCHES)]
        before = in_use()
        kernels = [await side.open() for _ in range(count)]
        await asyncio.sleep(0.5)  # what an open has left to others to do
        after = in_use()
        for kernel in kernels:
            await side.close(kernel)
    used = None if before is None or after is None else (after - before) / count
    return {"ms": statistics.median(times) * 1000, "bytes": used}


async def _batch(side: Side, count: int) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        await side.close(await side.open())
    return (time.perf_counter() - begun) / count


if __name__ == "__main__":
    main()
