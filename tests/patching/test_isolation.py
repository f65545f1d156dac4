"""What docs/isolation.md says of each thing is so, with two kernels at it at once."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.isolation import PROBES
from tests.support.kernels import StandInContext, patched

PAGE = Path(__file__).parents[2] / "docs" / "isolation.md"
ROW = re.compile(r"^\| (?P<what>[^|]+) \| (?P<whose>each kernel's|each thread's|the process's) \|", re.MULTILINE)


@pytest.fixture
def kernels() -> Iterator[tuple[StandInContext, StandInContext]]:
    """Two."""
    with patched():
        pair = StandInContext(kernel_id="one kernel"), StandInContext(kernel_id="another kernel")
        yield pair
        for kernel in pair:
            kernel.close()


def job(kernel: StandInContext | None, function: Callable[..., object], *args: object) -> Any:
    """What a job returns, which runs on a thread that no other job runs on."""
    results: list[object] = []
    run = kernel.run if kernel else lambda function, *args: function(*args)
    thread = threading.Thread(target=lambda: results.append(run(function, *args)))
    thread.start()
    thread.join()
    assert results, "it raised"
    return results[0]


@pytest.mark.filterwarnings(
    "default:careful",
    "ignore:Deprecated in traitlets",
    "ignore:Passing unrecognized arguments",
    "ignore:'asyncio:DeprecationWarning",
)
@pytest.mark.parametrize("what", PROBES)
def test_whose_it_is(kernels: tuple[StandInContext, StandInContext], what: str) -> None:
    """Set to 1 in one kernel and to 2 in the next: what do both see then, and the process?"""
    probe, (one, two) = PROBES[what], kernels
    before = job(None, probe.look)
    try:
        job(one, probe.put, 1)
        seen_by_two = job(two, probe.look)
        job(two, probe.put, 2)
        seen = job(one, probe.look), job(two, probe.look), job(None, probe.look)
    finally:
        probe.reset()
    whose = dict(ROW.findall(PAGE.read_text()))[what]
    if whose == "each kernel's":
        assert (seen_by_two, seen) == (seen_by_two, (1, 2, before))
        assert seen_by_two != 1
    elif whose == "each thread's":
        assert (seen_by_two, seen) == (0, (0, 0, 0))
    else:
        assert (seen_by_two, seen) == (1, (2, 2, 2))


def test_every_row_has_a_test() -> None:
    """And what is tested is in the table, in its words."""
    assert [what for what, _ in ROW.findall(PAGE.read_text())] == list(PROBES)
