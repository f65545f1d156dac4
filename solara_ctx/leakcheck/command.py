"""`solara-ctx leakcheck`: a check, told on the terminal and kept as a report."""

import argparse
import asyncio
import json
import sys
import traceback
from pathlib import Path

from solara_ctx.leakcheck import report, summary
from solara_ctx.leakcheck.appprocess import AppFailed
from solara_ctx.leakcheck.browser import Chromium, NoBrowser
from solara_ctx.leakcheck.check import Plan, check
from solara_ctx.leakcheck.progress import Progress
from solara_ctx.leakcheck.results import Result
from solara_ctx.leakcheck.use import load_script, use_everything
from solara_ctx.serving import UsageError

_FAILED = 2
_INTERRUPTED = 130


def run(options: argparse.Namespace) -> int:
    """Do what the command line asks for.

    Returns:
        The exit status: 0 for a plateau, 1 for a leak, 2 where an error of the script's or of ours has ended the check,
        130 after Ctrl-C.

    Raises:
        UsageError: there is no browser, or the app can't be checked.
    """
    plan = Plan(
        target=options.target,
        output=options.output,
        sessions=options.sessions,
        cycles=options.cycles,
        churn=options.churn,
        paths=tuple(path if path.startswith("/") else f"/{path}" for path in options.path),
        use=use_everything if options.script is None else load_script(options.script),
        timeout_s=options.timeout,
    )
    try:
        result, files = asyncio.run(_check(plan, headed=options.headed))
    except (AppFailed, NoBrowser) as error:
        raise UsageError(str(error)) from None
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception:  # noqa: BLE001 - Python's own status is 1, which would say that there is a leak
        traceback.print_exc()
        return _FAILED
    out = sys.stderr if options.json else sys.stdout
    for line in summary.lines(result):
        out.write(f"{line}\n")
    out.write(f"report: {files['report']}\nplot: {files['plot']}\n")
    if options.json:
        sys.stdout.write(json.dumps(summary.as_json(result, files), indent=2) + "\n")
    return int(result.leaking)


async def write_report(result: Result, plan: Plan, chromium: Chromium) -> dict[str, Path]:
    """Write the report and the plot into the plan's folder.

    Returns:
        The files by name.
    """
    files = {
        "report": plan.output / "index.html",
        "plot": plan.output / "memory.png",
        "log": plan.output / "app.log",
    }
    text = report.html(result, files["log"])
    await asyncio.to_thread(files["report"].write_text, text, encoding="utf-8")
    page, width, height = report.picture(result)
    await chromium.picture(page, files["plot"], width=width, height=height)
    return files


async def _check(plan: Plan, *, headed: bool) -> tuple[Result, dict[str, Path]]:
    async with Chromium(headed=headed) as chromium:
        result = await check(plan, chromium, Progress())
        return result, await write_report(result, plan, chromium)
