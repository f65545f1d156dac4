"""Where what is left was made."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from solara_ctx.leakcheck.origins import Tracing

MODULE = """
KEPT = []


class Box:
    def __init__(self, content):
        self.content = content


def leak():
    inner = [object() for _ in range(50)]
    KEPT.append(Box(inner))


def plain():
    KEPT.append(bytes(100_000))


def mend():
    Box([])
"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[dict[str, object]]:
    """The names of a module of an app."""
    file = tmp_path / "app.py"
    file.write_text(MODULE)
    names: dict[str, object] = {"__name__": "app"}
    exec(compile(MODULE, file, "exec"), names)  # noqa: S102 - the test's own
    yield names
    gc.unfreeze()


def call(app: dict[str, object], name: str) -> None:
    function = app[name]
    assert callable(function)
    function()


def test_what_was_handed_over_comes_first(app: dict[str, object]) -> None:
    """The instance that the list got, before what is in it; also where tracemalloc does not find instances."""
    tracing = Tracing()
    call(app, "leak")
    first = tracing.stop().origins[0]
    assert (first.line, first.code, first.entry) == (12, "KEPT.append(Box(inner))", True)


def test_data_without_references(app: dict[str, object]) -> None:
    """Bytes are no matter for the garbage collector, and are found all the same."""
    tracing = Tracing()
    call(app, "plain")
    diagnosis = tracing.stop()
    assert diagnosis.origins[0].line == 16
    assert diagnosis.origins[0].size > 100_000
    assert diagnosis.size >= diagnosis.origins[0].size


def test_nothing_left(app: dict[str, object]) -> None:
    """What is gone is not named."""
    tracing = Tracing()
    call(app, "mend")
    assert [origin for origin in tracing.stop().origins if origin.file.endswith("app.py") and origin.size > 1000] == []
