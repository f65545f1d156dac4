"""What the terminal says while a check runs: lines that stay, and on a terminal one that changes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from solara_ctx.leakcheck.results import Measure
from solara_ctx.leakcheck.words import megabytes

_ERASE = "\r\x1b[2K"


class Progress:
    """Tells of a check that runs.

    Args:
        out: Where to.
        live: Whether a line may be written over; where it is no terminal, it may not.
    """

    def __init__(self, out: TextIO | None = None, *, live: bool | None = None) -> None:
        self._out = out or sys.stderr
        self._live = self._out.isatty() if live is None else live

    def line(self, text: str) -> None:
        """A line that stays."""
        self._out.write(f"{_ERASE if self._live else ''}{text}\n")
        self._out.flush()

    def doing(self, text: str) -> None:
        """What is going on just now."""
        if self._live:
            self._out.write(f"{_ERASE}  … {text}")
            self._out.flush()

    def done(self, text: str) -> None:
        """A part that is over."""
        self.line(f"  {text}")

    def app(self, target: str, url: str, log: Path, paths: Sequence[str]) -> None:
        """The app is being served."""
        self.line(f"checking {target}, served at {url} ({', '.join(paths)})")
        self.line(f"  its log: {log}")

    def begin(self, text: str) -> None:
        """A part begins."""
        self.line(text)

    def measured(self, number: int, count: int, measures: Sequence[Measure]) -> None:
        """One more measure, the last of *measures*."""
        now = measures[-1]
        change = f"{megabytes(now.uss - measures[-2].uss, sign=True):>10}" if len(measures) > 1 else " " * 10
        kept = f"  {now.kept} closed kernels kept" if now.kept else ""
        self.line(f"  {number:>3}/{count}  {megabytes(now.uss):>9} {change}  {now.seconds:5.1f} s{kept}")


class Silent(Progress):
    """Tells nothing."""

    def line(self, text: str) -> None:
        """Nothing."""

    def doing(self, text: str) -> None:
        """Nothing."""
