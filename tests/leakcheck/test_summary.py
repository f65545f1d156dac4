"""The verdict in words and as data."""

import json
from pathlib import Path

from solara_ctx.leakcheck import summary
from solara_ctx.leakcheck.judge import judge
from tests.support.leakcheck import KEPT, RISING, chain, growth, origin, result, series


def test_a_plateau() -> None:
    """What became of the kernels, and nothing to look at."""
    lines = list(summary.lines(result(series([50.0] * 10), series([50.0] * 10, unit="use"))))
    assert lines == [
        "",
        "PLATEAU: nothing grows in step; the memory's slope is noise, 0 B per session (95 % confidence: 0 B to 0 B)",
        "  closed kernels: 100 freed at once by reference counting, 0 by the garbage collector, 0 never",
        "",
        (
            "PLATEAU within one session: nothing grows in step; the memory's slope is noise, "
            "0 B per use (95 % confidence: 0 B to 0 B)"
        ),
        "",
    ]


def test_a_leak() -> None:
    """The line that holds it comes first, then how much, the chain, and where what is left was made."""
    leaking = series(
        RISING,
        kept=KEPT,
        chains=(chain(("app.py:14 module variable CACHE", "/app/app.py", 14), ("Label", None, None)),),
        growth=(growth("/app/app.py", 20, bound=128),),
        origins=(origin("/app/app.py", 21),),
        traced=10,
        traced_bytes=30_000,
    )
    text = "\n".join(summary.lines(result(leaking, None, "a remark")))
    assert "LEAK of 100 KB per session (95 % confidence: 100 KB to 100 KB)" in text
    assert "  /app/app.py:14\n    closed kernels are never freed, 1 per session" in text
    assert "    held by: app.py:14 module variable CACHE -> Label" in text
    assert "  note: /app/app.py:20" in text
    assert "made in 10 sessions that were traced" in text
    assert "/app/app.py:21" in text
    assert text.endswith("note: a remark")


def test_a_leak_that_memory_does_not_show() -> None:
    """What was traced tells its size; else it is said to be small."""
    assert summary.headline(judge(series([50.0] * 10, kept=KEPT, traced=10, traced_bytes=30_000))).startswith(
        "LEAK of 3 KB per session, as traced; the memory as a whole: 0 B"
    )
    within = series([50.0] * 10, unit="use", growth=(growth("/app/app.py", 3),))
    assert summary.headline(judge(within)).startswith("LEAK within one session, too small to be seen")


def test_a_finding_without_a_line() -> None:
    """Is said without one."""
    text = list(summary.lines(result(series([50.0] * 10, growth=(growth(),)))))
    assert "  list grows by 1 per session" in text


def test_json() -> None:
    """All of it, and nothing that JSON does not know."""
    leaking = series(RISING[:3], kept=KEPT[:3], chains=(chain(("CACHE", "/app/app.py", 14)),))
    data = json.loads(json.dumps(summary.as_json(result(leaking), {"report": Path("index.html")}), allow_nan=False))
    assert data["verdict"] == "leak"
    assert data["sessions"]["leaks"][0]["line"] == 14
    assert data["sessions"]["bytes_per"] == {"value": 100_000, "low": None, "high": None}
    assert data["files"] == {"report": "index.html"}
    assert len(data["sessions"]["measures"]) == 3
