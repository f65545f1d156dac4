"""From a changed file to the pages that show it, in the running server."""

import asyncio
import concurrent.futures
import gc
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import TypeVar

from solara_ctx.jupyter.report import page_error
from solara_ctx.jupyter.tracebacks import format_traceback
from solara_ctx.reload.reloader import Reloader
from solara_ctx.web.app import KernelApp

log = logging.getLogger(__name__)

T = TypeVar("T")

_PACKAGE = Path(__file__).parent.parent


class LiveReload:
    """Takes changes of files to the running app.  On the watcher's thread, but for what it posts to the loop.

    Args:
        apps: The `KernelApp`s that are served.
        reloader: Imports the code.
        in_place: Whether the only one of *apps* is served by itself, so that its pages can be replaced.
        restart: Starts the process anew; called with the reason.
    """

    def __init__(
        self, apps: list[KernelApp], reloader: Reloader, *, in_place: bool, restart: Callable[[str], None]
    ) -> None:
        self._apps = apps
        self._reloader = reloader
        self._in_place = in_place
        self._restart = restart
        # What was logged of code that fails; empty where it does not.
        self._complaint = ""

    def changed(self, paths: Iterable[Path]) -> None:
        """Files have changed: import what they are of, and let the pages show it, or what is wrong with it."""
        paths = list(paths)
        if any(path.is_relative_to(_PACKAGE) for path in paths):
            self._restart("a part of solara_ctx itself has changed")
            return
        if any(path.suffix != ".py" for path in paths):
            self._reloader.note_all()
        self._reloader.note(paths)
        names = self._reloader.changed()
        if names:
            self._reload(names)
        elif self._complaint:  # and was put back to what runs
            self._complaint = ""
            self._on_loop(self._show(None))

    def _reload(self, names: list[str]) -> None:
        began = time.perf_counter()
        try:
            fresh = self._reloader.reload()
        except BaseException as error:  # noqa: BLE001 - a module may call sys.exit()
            self._complain(format_traceback(error))
            self._on_loop(self._show(error))
            fresh = None
        else:
            self._complaint = ""
            self._take_over(fresh, names, began)
        del fresh
        # What is left of the old modules: a function refers to its module's variables, and they to it, so none with a
        # function goes by itself. They can't be emptied instead: a thread or hook of a kernel that goes on may still
        # run that code.
        gc.collect()

    def _complain(self, complaint: str) -> None:
        # Saved again as it is, it is nothing new.
        if complaint != self._complaint:
            self._complaint = complaint
            log.error("the changed code could not be loaded, and the pages go on with the old one:\n%s", complaint)

    def _take_over(self, fresh: object, names: list[str], began: float) -> None:
        if not self._in_place or not isinstance(fresh, KernelApp):
            self._restart("a whole app can't be replaced in the running process; its KernelApp alone could be")
            return
        (app,) = self._apps
        if fresh.settings != app.settings:
            self._restart("the settings of the KernelApp have changed")
            return
        renewed = self._on_loop(app.take_over(fresh))
        if renewed is not None:
            log.info(
                "%s reloaded in %.2f s; %d of %d kernels begun afresh",
                ", ".join(names),
                time.perf_counter() - began,
                renewed,
                len(app.registry),
            )

    def _show(self, error: BaseException | None) -> Coroutine[object, object, None]:
        # Written here: it reads files.
        contents = [None if error is None else page_error(error, details=app.settings.debug) for app in self._apps]

        async def show() -> None:
            for app, content in zip(self._apps, contents, strict=True):
                app.show_code_error(content)

        return show()

    def _on_loop(self, coroutine: Coroutine[object, object, T]) -> T | None:
        """Run it on the loop of the apps, and wait for it; `None` where the server stops meanwhile."""
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._apps[0].registry.loop).result()
        except (RuntimeError, concurrent.futures.CancelledError):
            coroutine.close()
            return None
