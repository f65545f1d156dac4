"""What a person with a Chromium sees of a page with a button and a label, and what it costs the server: ours, Solara.

Run it by `python3 dev.py bench browser`; `docs/benchmarks.md` says how to read it.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.browser.measure import Pass, measure
from benchmarks.browser.report import report
from benchmarks.browser.visitor import chromium
from benchmarks.support import machine
from benchmarks.support.arguments import command_line, positive
from benchmarks.support.process import BenchmarkFailed
from benchmarks.support.sides import Ours, Side, Solara

_HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; 0, or 1 where something failed and there are no figures."""
    options = _parser().parse_args(arguments)
    try:
        version = asyncio.run(_version())
        passes = [asyncio.run(_pass(number, options.clicks, options.opens)) for number in range(options.passes)]
    except BenchmarkFailed as failure:
        print(f"browser: {failure}", file=sys.stderr)
        return 1
    found = report(passes)
    print(found.table)
    print(f"\nChromium {version}, headless", end="")
    plain = [{side: asdict(figures) for side, figures in each.items()} for each in passes]
    facts = {"clicks": options.clicks, "opens": options.opens, "chromium": version}
    machine.publish("browser", plain, options.json, [found.panel], **facts)
    return 0


async def _pass(number: int, clicks: int, opens: int) -> dict[str, Pass]:
    sides: list[Side] = [Ours(_HERE), Solara(_HERE)]
    result: dict[str, Pass] = {}
    with tempfile.TemporaryDirectory() as folder:
        for side in sides if number % 2 == 0 else sides[::-1]:
            result[side.name] = await measure(side, clicks=clicks, opens=opens, log=Path(folder, "server.log"))
    figures = ", ".join(
        f"{name} {each.first_answer_ms:.0f} ms to the first answer, {each.painted_p50_ms:.1f} ms per click"
        for name, each in result.items()
    )
    print(f"pass {number + 1}: {figures} (load {machine.load():g})", file=sys.stderr, flush=True)
    return result


async def _version() -> str:
    async with chromium() as browser:
        return browser.version


def _parser() -> argparse.ArgumentParser:
    parser = command_line("browser", __doc__)
    parser.add_argument("--passes", type=positive, default=3, help="how often each side is measured (%(default)s)")
    parser.add_argument("--clicks", type=positive, default=300, help="how many clicks per pass (%(default)s)")
    parser.add_argument("--opens", type=positive, default=10, help="how many pages are opened per pass (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
