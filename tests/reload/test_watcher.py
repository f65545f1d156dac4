"""Changes of files are told: those of one moment together, and only of files that count."""

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from solara_ctx.reload.watcher import Watcher
from tests.support.fakes import PATIENCE_S


@pytest.fixture
def told() -> "queue.Queue[set[Path]]":
    """What was told."""
    return queue.Queue()


@pytest.fixture
def watch(tmp_path: Path, told: "queue.Queue[set[Path]]") -> Iterator[Callable[..., Watcher]]:
    """Starts a watcher of the folder, and waits until it watches."""
    watchers: list[Watcher] = []

    def start(changed: Callable[[set[Path]], object] = told.put) -> Watcher:
        watcher = Watcher([tmp_path], ["*.html"], changed, lambda: [tmp_path / "in_use.py"])
        watchers.append(watcher)
        watcher.start()
        assert told.get(timeout=PATIENCE_S) == {tmp_path / "in_use.py"}
        return watcher

    yield start
    for watcher in watchers:
        watcher.stop()


def save(path: Path, text: str = "") -> None:
    """As an editor does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".swp")
    beside.write_text(text)
    beside.replace(path)


def test_what_is_in_use_is_told_first(watch: Callable[..., Watcher]) -> None:
    """It may have changed before anybody watched."""
    watch()


def test_only_files_that_count(watch: Callable[..., Watcher], told: "queue.Queue[set[Path]]", tmp_path: Path) -> None:
    """Python's, and others that were asked for; nothing hidden or installed; those of one moment come together."""
    watch()
    for name in (".git/hook.py", ".venv/lib/site-packages/x.py", "data.csv", "notes.md"):
        save(tmp_path / name)
    for name in ("app.py", "deep/er/view.py", "template.html"):
        save(tmp_path / name)
    seen: set[Path] = set()
    while len(seen) < 3:
        seen |= told.get(timeout=PATIENCE_S)
    assert seen == {tmp_path / name for name in ("app.py", "deep/er/view.py", "template.html")}


def test_an_error_ends_nothing(
    watch: Callable[..., Watcher],
    told: "queue.Queue[set[Path]]",
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, and the next change is told."""

    def fail(paths: set[Path]) -> None:
        told.put(paths)
        raise ValueError("no")

    watch(fail)
    save(tmp_path / "app.py")
    assert told.get(timeout=PATIENCE_S) == {tmp_path / "app.py"}
    save(tmp_path / "other.py")
    assert told.get(timeout=PATIENCE_S) == {tmp_path / "other.py"}
    assert caplog.text.count("could not be reloaded") >= 2


def test_it_stops_at_once(watch: Callable[..., Watcher], tmp_path: Path) -> None:
    """Also one that was never started."""
    watch().stop()
    assert "solara-ctx-reload" not in [thread.name for thread in threading.enumerate()]
    Watcher([tmp_path], [], lambda _: None, list).stop()
