"""What the tests of the names in a chain of references share."""

from pathlib import Path

from solara_ctx.leaks import holders


class Label:
    """What should be gone."""


def told(*path: object) -> tuple[str, object]:
    """The first link of a path, and the object that the next one begins at."""
    step = holders.step(path, 0)
    assert step is not None
    return step.link.text, path[step.following]


def line_of(file: str, marker: str) -> int:
    """The number of the line that is marked so."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return next(number for number, text in enumerate(lines, 1) if text.endswith(f"# line: {marker}"))
