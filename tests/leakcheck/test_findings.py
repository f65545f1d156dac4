"""What a check has found, in words."""

from dataclasses import replace

from solara_ctx.leakcheck.findings import Report
from solara_ctx.leaks.explain import Explanation, Link
from solara_ctx.leaks.growth import Grower

NOTHING = Report(
    closed=20,
    per_cycle=5,
    by_refcount=20,
    by_gc=0,
    alive=(0, 0, 0, 0),
    kept=(),
    growers=(),
    growers_of_test=(),
    errors=(),
)


def grower(what: str, line: int | None) -> Grower:
    """Something that grows, held by a variable in that line."""
    link = Link(text=f"app.py:{line} module variable X", kind="module", file="/srv/app.py", line=line)
    explanation = Explanation(found=True, target=what, root=link.text, links=(link,), note="", seconds=0.0)
    return Grower(
        what=what,
        kind="container",
        sizes=(5, 10, 15),
        per_step=1.0,
        bound=None,
        newest="",
        explanation=None if line is None else explanation,
    )


def test_what_grows_at_one_place_is_one_line() -> None:
    """A list in each page that a module keeps is no news after the first; another kind, or another place, is."""
    found = (
        grower("list", 3),
        grower("list", 3),
        grower("dict", 3),
        grower("list", 4),
        grower("list", 3),
        grower("list", None),
        grower("list", None),
    )
    report = replace(NOTHING, growers=found)
    assert report.leaks
    lines = [line for line in report.text().splitlines() if "grows by" in line]
    assert lines == [
        "  app.py:3 module variable X: list grows by 1.0 per session (and 2 more like it)",
        "  app.py:3 module variable X: dict grows by 1.0 per session",
        "  app.py:4 module variable X: list grows by 1.0 per session",
        "  list grows by 1.0 per session (and 1 more like it)",
    ]


def test_nothing_is_soon_told() -> None:
    """No chain, no growth."""
    assert not NOTHING.leaks
    assert NOTHING.text().splitlines() == [
        "20 sessions were opened, used and closed, 5 at a time.",
        "",
        "Freed by reference counting: 20, by the collector: 0, never: 0.",
    ]


def test_a_leak_without_a_chain_names_no_line() -> None:
    """It is traced then, as one is that only a library's line holds; what has a bound is no leak, and needs no line."""
    assert replace(NOTHING, growers=(grower("list", 3),)).names_lines
    nowhere = replace(grower("atexit callbacks", 3), explanation=None)
    assert not replace(NOTHING, growers=(grower("list", 3), nowhere)).names_lines
    assert replace(NOTHING, growers=(grower("list", 3), replace(nowhere, bound=10))).names_lines
