"""Tells when files below some folders have changed."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from watchfiles import Change, DefaultFilter, watch

log = logging.getLogger(__name__)

# An editor that writes a file beside, and renames it, or a tool that touches many, is done by then.
_QUIET_MS = 50
# How soon after the start it looks whether it has missed something.
_LOOK_UP_MS = 1000
_STOP_S = 2.0


class Watcher:
    """A thread that calls *changed* with the files that have changed, those of one moment together.

    Args:
        folders: With all that is in them, but for hidden and installed things, such as `.git` and `node_modules`.
        patterns: Of other files than Python's that count, such as `*.html`, as for `Path.match`.
        changed: Called on the thread; an error of it is logged, and ends nothing.
        loaded: The files that are in use: one may have changed before anybody watched.
    """

    def __init__(
        self,
        folders: Iterable[Path],
        patterns: Sequence[str],
        changed: Callable[[set[Path]], object],
        loaded: Callable[[], Iterable[Path]],
    ) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._patterns = ("*.py", *patterns)
        self._changed = changed
        self._loaded = loaded
        self._stop = threading.Event()
        self._hidden = DefaultFilter()
        # A daemon: the user's code may be stuck in it, and the process has to end all the same.
        self._thread = threading.Thread(target=self._run, name="solara-ctx-reload", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more, if it does, and wait for a call of *changed* that is under way, for a moment."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        first = True
        for changes in watch(
            *self._folders,
            watch_filter=self._counts,
            step=_QUIET_MS,
            stop_event=self._stop,
            raise_interrupt=False,
            yield_on_timeout=True,
            rust_timeout=_LOOK_UP_MS,
            ignore_permission_denied=True,
        ):
            paths = {file for _, path in changes for file in self._files(Path(path))}
            if first:
                first = False
                paths.update(self._loaded())
            if not paths:
                continue
            try:
                self._changed(paths)
            except Exception:
                log.exception("what has changed could not be reloaded")

    def _files(self, path: Path) -> Iterable[Path]:
        # What comes with a new folder may be there before the folder is watched.
        return path.rglob("*.py") if path.is_dir() else [path]

    def _counts(self, change: Change, path: str) -> bool:
        matches = any(Path(path).match(pattern) for pattern in self._patterns)
        return (matches or (change is Change.added and Path(path).is_dir())) and self._hidden(change, path)
