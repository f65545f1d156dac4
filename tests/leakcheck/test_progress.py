"""What the terminal says meanwhile."""

import io
from pathlib import Path

from solara_ctx.leakcheck.progress import Progress, Silent
from tests.support.leakcheck import series


def tell(progress: Progress) -> None:
    measures = series([50.0, 51.5], kept=[0, 3]).measures
    progress.app("app.py", "http://127.0.0.1:1", Path("out/app.log"), ["/", "/b"])
    progress.begin("2 cycles")
    progress.doing("cycle 1")
    progress.measured(1, 2, measures[:1])
    progress.measured(2, 2, measures)
    progress.done("over")


def test_plain_lines_where_nobody_watches() -> None:
    """In a file, only what stays: no escape sequences, no passing remarks."""
    out = io.StringIO()
    tell(Progress(out))
    assert out.getvalue().splitlines() == [
        "checking app.py, served at http://127.0.0.1:1 (/, /b)",
        "  its log: out/app.log",
        "2 cycles",
        "    1/2   50.00 MB               1.5 s",
        "    2/2   51.50 MB   +1.50 MB    1.5 s  3 closed kernels kept",
        "  over",
    ]


def test_a_terminal_sees_what_goes_on() -> None:
    """In a line that the next one writes over."""
    out = io.StringIO()
    tell(Progress(out, live=True))
    assert "\r\x1b[2K  … cycle 1\r\x1b[2K    1/2" in out.getvalue()


def test_silence() -> None:
    """For those who want the result only."""
    out = io.StringIO()
    tell(Silent(out, live=True))
    assert out.getvalue() == ""
