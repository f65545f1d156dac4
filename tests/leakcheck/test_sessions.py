"""Sessions in process, over and over, and what is left of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from solara_ctx.leakcheck.sessions import check
from tests.leakcheck.support import leaky


@pytest.fixture(autouse=True)
def nothing_is_kept_for_the_next() -> Iterator[None]:
    leaky.ENOUGH.clear()
    leaky.BACKGROUND.append(leaky.Background())
    yield
    leaky.BACKGROUND.pop().stop()
    leaky.make_way()


@pytest.mark.parametrize("page", leaky.LEAKS, ids=lambda page: page.__name__)
def test_a_leak_is_found_and_its_place_named(page: leaky.Page) -> None:
    """Each of the twelve is a leak of one kernel per session, and a file and line of the page's module is named."""
    report = check(page, sessions=2, cycles=3)
    print(report.text())
    assert report.leaks
    assert report.alive == (2, 4, 6)
    culprit = report.kept[0].explanation.culprit
    assert culprit is not None
    assert culprit.file is not None
    assert Path(culprit.file).name == "leaky.py"
    assert culprit.line is not None


@pytest.mark.parametrize("page", leaky.MENDED, ids=lambda page: page.__name__)
def test_what_was_mended_leaks_no_more(page: leaky.Page) -> None:
    """Nothing is left, and reference counting alone has freed it."""
    report = check(page, sessions=2, cycles=3)
    print(report.text())
    assert not report.leaks
    assert report.by_refcount == 6
    assert report.growers == ()
