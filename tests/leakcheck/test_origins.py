"""Where what is left was made."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

APP = """
KEPT = []


class Box:
    def __init__(self, content):
        self.content = content


def instance():
    inner = [object() for _ in range(50)]
    KEPT.append(Box(inner))


def data():
    KEPT.append(bytes(100_000))


def nothing():
    Box([])


def replaced():
    KEPT[:] = [bytes(100_000)]
"""
# In a process of its own: tracing goes by all objects that there are, and those of a test run are many.
LOOK = """
import dataclasses, json, sys
import app
from solara_ctx.leakcheck.origins import Tracing
tracing = Tracing()
getattr(app, sys.argv[1])()
if sys.argv[1] == "replaced":
    tracing.begin()
    getattr(app, sys.argv[1])()
print(json.dumps(dataclasses.asdict(tracing.stop())))
"""


@pytest.fixture
def made(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, object]:
    """What was traced while a function of an app ran."""
    (tmp_path / "app.py").write_text(APP)
    path = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", LOOK, request.param], env=path, capture_output=True, text=True, check=True
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("made", "line", "size"), [("instance", 12, 40), ("data", 16, 100_000)], indirect=["made"], ids=["instance", "data"]
)
def test_what_was_handed_over_comes_first(made: dict[str, list[dict[str, object]]], line: int, size: int) -> None:
    """The instance that a list got, before what is in it, also where tracemalloc finds no instances; and bytes, which
    are no matter for the garbage collector.
    """
    first = made["origins"][0]
    assert (first["line"], first["code"], first["entry"]) == (line, APP.splitlines()[line - 1].strip(), True)
    assert isinstance(first["size"], int)
    assert first["size"] >= size


@pytest.mark.parametrize("made", ["nothing", "replaced"], indirect=True)
def test_what_is_gone_or_no_more_than_before_is_not_named(made: dict[str, object]) -> None:
    """Nothing is left; or as much as before, where one thing has taken the place of another."""
    assert (made["origins"], made["size"]) == ([], 0)
