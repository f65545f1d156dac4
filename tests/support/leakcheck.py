"""Measures and findings of checks that never ran."""

from collections.abc import Sequence
from typing import Any

from solara_ctx.leakcheck.judge import judge
from solara_ctx.leakcheck.messages import Chain, Growth, Origin
from solara_ctx.leakcheck.results import Measure, Result, Series
from solara_ctx.leaks.explain import Explanation, Link

MEGA = 1_000_000
RISING = [50.0 + number for number in range(10)]
KEPT = [10 * number for number in range(1, 11)]


def series(
    uss: Sequence[float], *, kept: Sequence[int] = (), per: int = 10, unit: str = "session", **more: Any
) -> Series:
    """One whose measures have these megabytes, and so many kernels that stay."""
    measures = tuple(
        Measure(
            done=(number + 1) * per,
            uss=round(memory * MEGA),
            by_refcount=(number + 1) * per,
            by_gc=0,
            kept=kept[number] if kept else 0,
            seconds=1.5,
        )
        for number, memory in enumerate(uss)
    )
    return Series(unit=unit, per=per, measures=measures, **more)


def explanation(*links: tuple[str, str | None, int | None]) -> Explanation:
    """A chain of links, each a text with a file and a line."""
    return Explanation(
        found=True,
        target=links[-1][0],
        root=links[0][0],
        links=tuple(Link(text=text, kind="object", file=file, line=line) for text, file, line in links),
        note="",
        seconds=0.1,
    )


def chain(*links: tuple[str, str | None, int | None]) -> Chain:
    """One that keeps 9 kernels of 10."""
    return Chain(explanation=explanation(*links), count=9, of=10)


def growth(
    file: str | None = None, line: int | None = None, *, kind: str = "container", per_step: float = 1.0, **more: Any
) -> Growth:
    """A list that grows."""
    shown = explanation(("module variable LIST", file, line), ("list", None, None))
    return Growth(
        **{
            "what": "list",
            "kind": kind,
            "per_step": per_step,
            "bound": None,
            "file": file,
            "line": line,
            "explanation": shown,
            **more,
        }
    )


def origin(file: str, line: int, *, entry: bool = True) -> Origin:
    """A line that has made something."""
    return Origin(file=file, line=line, code="it = thing()", count=3, size=3000, entry=entry)


def result(sessions: Series, uses: Series | None = None, *remarks: str) -> Result:
    """All of a check of app.py."""
    return Result(
        target="app.py",
        paths=("/",),
        sessions=judge(sessions),
        uses=None if uses is None else judge(uses),
        seconds=12.34,
        remarks=remarks,
    )
