"""What holds for every unit test."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from solara_ctx import current
from tests.support.fakes import PATIENCE_S


def _our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("solara-ctx")]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Every test begins and ends with no kernel current and no thread of ours."""
    assert current.peek_handle() is None
    yield
    assert current.peek_handle() is None
    for thread in _our_threads():
        thread.join(PATIENCE_S)  # those of a closed pool are on their way out
    assert _our_threads() == []


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, from which nothing stays imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def locks_of_c(event_loop_never_blocked: BlockBuster) -> Iterator[None]:
    """As they are without the library that watches the event loop, whose own Python code calls them in tests."""
    acquire = event_loop_never_blocked.functions["threading.Lock.acquire"]
    acquire.deactivate()
    yield
    acquire.activate()
