"""`solara-ctx run --reload`: load the app, serve it, and keep what is shown up with its files."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from socket import socket

import uvicorn

from solara_ctx.errors import KernelContextError
from solara_ctx.jupyter.message_log import log as message_log
from solara_ctx.jupyter.tracebacks import format_traceback, library_of
from solara_ctx.reload.live import LiveReload
from solara_ctx.reload.own_modules import OwnModules
from solara_ctx.reload.reloader import Reloader
from solara_ctx.reload.watcher import Watcher
from solara_ctx.serving import UsageError, mounted, split_target
from solara_ctx.web.app import KernelApp

log = logging.getLogger(__name__)

_DEBUG = "SOLARA_DEBUG"
Change = threading.Event  # another one in tests, which acts where somebody would
_PACKAGE = Path(__file__).parent.parent
MakeConfig = Callable[[object], uvicorn.Config]


def run(target: str, patterns: Sequence[str], make_config: MakeConfig) -> int:
    """Serve the app that *target* names until Ctrl-C; the exit status.

    Args:
        target: As for `serving.load_app`.
        patterns: Which files count besides Python's, such as `*.html`.
        make_config: Makes the server's configuration for an app.

    Raises:
        UsageError: there is no such file, module or function.
    """
    if not os.environ.get(_DEBUG):
        # Whoever changes code wants to see what is wrong with it, but not each message of its pages.
        os.environ[_DEBUG] = "true"
        message_log.setLevel(logging.INFO)
    folder = watched_folder(target)
    modules = OwnModules([folder])
    modules.install()
    try:
        reloader = Reloader(target, modules)
        app = _loaded(reloader, folder)
        if app is None:
            return 0
        server = _Server(make_config(app))
        live = LiveReload(
            [kernels for _, kernels in mounted(app)],
            reloader,
            in_place=isinstance(app, KernelApp),
            restart=server.end_for_restart,
        )
        return _serve(server, Watcher([folder, *_checkout()], patterns, server.when_ready(live.changed), modules.files))
    finally:
        modules.remove()


def _serve(server: "_Server", watcher: Watcher) -> int:
    sock = server.config.bind_socket()
    port: int = sock.getsockname()[1]
    watcher.start()
    # Ctrl-C: uvicorn raises the signal again once it has shut down, for whoever called it.
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[sock])
    watcher.stop()
    if server.restarts:
        _restart_process(port)
    return 0 if server.started else 3


def watched_folder(target: str) -> Path:
    """Where the app's own modules are: beside a file; for a module, where the command was started."""
    source = split_target(target)[0]
    return Path(source).resolve().parent if source.endswith(".py") else Path.cwd()


def _checkout() -> list[Path]:
    """This library's own folder, where somebody may be at work on it."""
    return [_PACKAGE] if library_of(str(_PACKAGE.parent)) is None else []


class _Server(uvicorn.Server):
    """Says when it is ready, and whether it was ended for another to begin."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.restarts = False
        self._ready = threading.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """As upstream's."""
        await super().startup(sockets)
        self._ready.set()

    def when_ready(self, function: Callable[[set[Path]], object]) -> Callable[[set[Path]], None]:
        """*function*, which waits until the server runs.  Not on the loop."""

        def waiting(paths: set[Path]) -> None:
            self._ready.wait()
            function(paths)

        return waiting

    def end_for_restart(self, reason: str) -> None:
        """Shut down, so that the process can begin anew.  Any thread."""
        log.info("%s: starting the process anew", reason)
        self.restarts = self.should_exit = True


def _loaded(reloader: Reloader, folder: Path) -> object | None:
    """The app, once its code can be loaded; `None` where somebody has given up."""
    changed = Change()
    # It calls once for what has changed before it began to watch.
    watcher = Watcher([folder], (), lambda _: changed.set(), lambda: [folder])
    complaint = ""
    try:
        while True:
            try:
                return reloader.load()
            except (UsageError, KernelContextError):
                raise
            except Exception as error:  # noqa: BLE001 - of the user's code
                before, complaint = complaint, format_traceback(error)
            if not before:
                watcher.start()
            if complaint != before:
                print(complaint, "solara-ctx: waiting for a change", sep="\n", file=sys.stderr)  # noqa: T201 - as no log is yet
            changed.wait()
            changed.clear()
    except KeyboardInterrupt:
        return None
    finally:
        watcher.stop()


def _restart_process(port: int) -> None:
    # With the port that the system has picked, so that the pages find it; of two, the last counts. No browser again.
    command = [argument for argument in sys.orig_argv[1:] if argument != "--open"]
    if message_log.level == logging.INFO:
        del os.environ[_DEBUG]  # it was not said, and is not then
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *command, *_port_option(command, port)])  # noqa: S606 - our own command


def _port_option(command: Sequence[str], port: int) -> list[str]:
    option = ["--port", str(port)]
    return [] if list(command[-2:]) == option else option
