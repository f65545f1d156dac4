"""The command line: `solara-ctx run` for one's own page, `solara-ctx demo` for a look."""

import argparse
import copy
import importlib
import importlib.util
import logging
import re
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import uvicorn
from uvicorn.supervisors import ChangeReload

from solara_ctx.demo import demo
from solara_ctx.errors import KernelContextError
from solara_ctx.web.access_log import RedactKernelIds
from solara_ctx.web.app import KernelApp

_DEFAULT_NAME = "page"
_OPEN_DEADLINE_S = 30.0
_OPEN_POLL_S = 0.1
# For how long the stopping server waits for its connections, which uvicorn does without a limit otherwise: one browser
# that does not read, on a laptop that sleeps for example, would keep it from ending.
_STOP_S = 5


class UsageError(Exception):
    """The command line asks for something that is not there; the message says what and what to do."""


@dataclass(frozen=True, slots=True)
class PageTarget:
    """A page to serve, by name, so that a reloading server can load it anew in each of its processes."""

    target: str

    def __call__(self) -> KernelApp:
        """The app that serves the page; what uvicorn calls in the process that serves.

        Raises:
            UsageError: there is no such page.
        """
        _redact_logs()
        page = load_page(self.target)
        return page if isinstance(page, KernelApp) else KernelApp(page)


def load_page(target: str) -> Callable[[], object] | KernelApp:
    """The page function or `KernelApp` that *target* names: a file with a `page` function, `file.py:name`, or
    `module:name`.

    Raises:
        UsageError: there is no such file, module or function.
    """
    source, _, name = target.partition(":") if not _is_drive(target) else (target, "", "")
    module = _load_file(Path(source)) if source.endswith(".py") else _load_module(source)
    page = getattr(module, name or _DEFAULT_NAME, None)
    if page is None:
        raise UsageError(f"{source} has no {name or _DEFAULT_NAME!r}; define a function of that name, or say FILE:NAME")
    if not callable(page):
        raise UsageError(f"{name or _DEFAULT_NAME!r} in {source} is neither a page function nor a KernelApp")
    return page  # type: ignore[no-any-return]


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point of `solara-ctx`."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (UsageError, KernelContextError) as error:
        print(f"solara-ctx: {error}", file=sys.stderr)  # noqa: T201 - the command line's own voice
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="solara-ctx", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="serve a page of your own", description="Serve a page of your own.")
    run.add_argument("target", help="a file with a `page` function, FILE.py:NAME, or MODULE:NAME")
    run.add_argument("--reload", action="store_true", help="start anew when a Python file beside the page changes")
    run.set_defaults(run=_run)
    show = commands.add_parser("demo", help="serve the demo page", description="Serve the demo page.")
    show.set_defaults(run=_demo)
    for command in (run, show):
        command.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
        command.add_argument("--port", type=int, default=8765, help="the port to listen on (%(default)s)")
        command.add_argument("--open", action="store_true", help="open the page in a browser")
    return parser


def _run(options: argparse.Namespace) -> int:
    target = PageTarget(options.target)
    if not options.reload:
        # Loaded here, so that a mistake is said in one line instead of a server's traceback.
        return _serve(target(), options)
    source = options.target.partition(":")[0]
    watched = Path(source).resolve().parent if source.endswith(".py") else Path.cwd()
    return _serve(target, options, factory=True, reload_dirs=[str(watched)])


def _demo(options: argparse.Namespace) -> int:
    return _serve(KernelApp(demo), options)


def _serve(
    app: KernelApp | PageTarget,
    options: argparse.Namespace,
    *,
    factory: bool = False,
    reload_dirs: list[str] | None = None,
) -> int:
    config = _Config(
        app,
        factory=factory,
        host=options.host,
        port=options.port,
        reload=reload_dirs is not None,
        reload_dirs=reload_dirs,
        ws="websockets-sansio",
        log_config=_log_config(),
        timeout_graceful_shutdown=_STOP_S,
    )
    if options.open:
        host = "127.0.0.1" if options.host in {"0.0.0.0", "::"} else options.host  # noqa: S104 - compared, not bound
        url = f"http://{host}:{options.port}/"
        threading.Thread(target=_open_when_ready, args=(url,), name="solara-ctx-open", daemon=True).start()
    _redact_logs()
    server = uvicorn.Server(config)
    if reload_dirs is not None:
        ChangeReload(config, target=server.run, sockets=[config.bind_socket()]).run()
        return 0
    server.run()
    return 0 if server.started else 3


class _Config(uvicorn.Config):
    """Lets a `PageTarget` reload: uvicorn asks for an import string, because the app has to be loaded anew in each
    process, and that is what a target does.
    """

    @property
    def should_reload(self) -> bool:
        """Whether the supervisor watches files."""
        return self.reload


def _log_config() -> dict[str, object]:
    """The server's own log, with our lines among its lines: which kernels end, and what of a page has failed."""
    config = copy.deepcopy(uvicorn.config.LOGGING_CONFIG)
    config["loggers"]["solara_ctx"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return config


def _redact_logs() -> None:
    for name in ("uvicorn.access", "uvicorn.error"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, RedactKernelIds) for known in logger.filters):
            logger.addFilter(RedactKernelIds())


def _open_when_ready(url: str) -> None:
    deadline = time.monotonic() + _OPEN_DEADLINE_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}readyz", timeout=1):  # noqa: S310 - our own http:// address
                webbrowser.open(url)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(_OPEN_POLL_S)


def _is_drive(target: str) -> bool:
    return re.fullmatch(r"[A-Za-z]:[\\/][^:]*", target) is not None


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {path}; give the path of a Python file with a `page` function")
    path = path.resolve()
    # As if it were run by `python FILE`: its neighbours can be imported.
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} can't be loaded as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise UsageError(f"there is no module {name}; give MODULE:NAME, or the path of a file ending in .py") from None
