"""The arguments of `solara-ctx leakcheck`.  Needs nothing of the extra, so that `--help` always works."""

import argparse
from pathlib import Path

_DESCRIPTION = """Check an app for leaks: serve it in a process of its own, open real Chromium pages, use and close
them, and measure what is left. The exit status is 0 for a plateau, 1 for a leak, 2 if the app could not be checked."""

FEWEST = 3
"""What grows in step shows in three measures or more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Let *parser* take them."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "target", help="as for `run`; or a whole app with a KernelApp mounted in it, FILE.py:NAME or MODULE:NAME"
    )
    parser.add_argument("--sessions", type=_positive, default=10, help="pages at once in each cycle (%(default)s)")
    parser.add_argument(
        "--cycles", type=_enough, default=10, help="how often they are opened, 3 at least (%(default)s)"
    )
    parser.add_argument(
        "--churn", type=_none_or_enough, default=20, help="uses within one session, 3 at least; 0: none (%(default)s)"
    )
    parser.add_argument(
        "--path", action="append", default=[], help="the path to open; more than one in turns (all pages of the app)"
    )
    parser.add_argument(
        "--script", type=Path, help="a file with `async def use(page)`, instead of using everything on the page once"
    )
    parser.add_argument("--headed", action="store_true", help="show the browser's windows")
    parser.add_argument(
        "--output", type=Path, default=Path("leakcheck-report"), help="the folder for report and log (%(default)s)"
    )
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="seconds that a page may take to open, or to close (%(default)g)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def _positive(text: str) -> int:
    return _at_least(text, 1)


def _enough(text: str) -> int:
    return _at_least(text, FEWEST)


def _none_or_enough(text: str) -> int:
    return 0 if int(text) == 0 else _enough(text)


def _at_least(text: str, least: int) -> int:
    value = int(text)
    if value < least:
        raise argparse.ArgumentTypeError(f"has to be {least} or more, not {value}")
    return value
