"""Nothing here is freed by the collector: it is switched off for each test, and nobody calls it."""

import gc
from collections.abc import Iterator

import pytest

from tests.support import reclaim


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Cycles stay, and show."""
    gc.disable()
    yield
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how close it was."""
    if reclaim.endings:
        endings = sorted(reclaim.endings, key=lambda ending: ending.after_s)
        typical, worst = endings[len(endings) // 2], endings[-1]
        terminalreporter.write_line(
            f"reclaim: {len(endings)} ends; the last thing died {typical.after_s * 1000:.1f} ms after the end in half "
            f"of them, {worst.after_s * 1000:.1f} ms at worst ({worst.last}, in {worst.test}); "
            f"{reclaim.AT_ONCE_S * 1000:g} ms are allowed"
        )
