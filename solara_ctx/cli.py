"""The command line: `solara-ctx run` for one's own page, `demo` for a look, `why` for what a server has leaked."""

import argparse
import importlib
import os
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from uvicorn.supervisors import ChangeReload

from solara_ctx.asking import NoAnswer, why, zombies
from solara_ctx.demo import demo
from solara_ctx.errors import KernelContextError
from solara_ctx.leakcheck.options import add_arguments
from solara_ctx.serving import UsageError, allow_open_files, load_page, log_config, redact_logs
from solara_ctx.web.app import KernelApp
from solara_ctx.web.uvicorn_ws import PageWebSocket

_OPEN_DEADLINE_S = 30.0
_OPEN_POLL_S = 0.1
# For how long the stopping server waits for its connections, which uvicorn does without a limit otherwise: one browser
# that does not read, on a laptop that sleeps for example, would keep it from ending.
_STOP_S = 5


@dataclass(frozen=True, slots=True)
class PageTarget:
    """A page to serve, by name, so that a reloading server can load it anew in each of its processes."""

    target: str

    def __call__(self) -> KernelApp:
        """The app that serves the page; what uvicorn calls in the process that serves.

        Raises:
            UsageError: there is no such page.
        """
        redact_logs()
        page = load_page(self.target)
        return page if isinstance(page, KernelApp) else KernelApp(page)


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point of `solara-ctx`."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (UsageError, NoAnswer, KernelContextError) as error:
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
    why = commands.add_parser(
        "why",
        help="ask a running server what keeps its closed kernels",
        description="List the closed kernels of a running server that are not gone, or say what keeps one of them.",
    )
    why.add_argument("url", help="where the server's KernelApp is mounted, such as http://127.0.0.1:8765/")
    why.add_argument("kernel", nargs="?", help="a kernel's id, as the list shows it")
    why.add_argument("--token", default=os.environ.get("SOLARA_RESOURCEZ_TOKEN"), help="else $SOLARA_RESOURCEZ_TOKEN")
    why.add_argument("--format", choices=["text", "json", "dot", "svg"], default="text", help="of one (%(default)s)")
    why.set_defaults(run=_why)
    for command in (run, show):
        command.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
        command.add_argument("--port", type=int, default=8765, help="the port to listen on (%(default)s)")
        command.add_argument("--open", action="store_true", help="open the page in a browser")
    leakcheck = commands.add_parser("leakcheck", help="check an app for leaks")
    add_arguments(leakcheck)
    leakcheck.set_defaults(run=_leakcheck)
    return parser


def _run(options: argparse.Namespace) -> int:
    target = PageTarget(options.target)
    if not options.reload:
        # Loaded here, so that a mistake is said in one line instead of a server's traceback.
        return _serve_alone(target(), options)
    source = options.target.partition(":")[0]
    watched = Path(source).resolve().parent if source.endswith(".py") else Path.cwd()
    return _serve(target, options, factory=True, reload_dirs=[str(watched)])


def _why(options: argparse.Namespace) -> int:
    if options.kernel is None:
        print(zombies(options.url, options.token))  # noqa: T201 - what was asked for
    else:
        print(why(options.url, options.kernel, options.token, options.format))  # noqa: T201 - same
    return 0


def _demo(options: argparse.Namespace) -> int:
    return _serve_alone(KernelApp(demo), options)


def _leakcheck(arguments: argparse.Namespace) -> int:
    try:
        # Only here: whoever serves pages needs no browser.
        command = importlib.import_module("solara_ctx.leakcheck.command")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "playwright":
            raise
        raise UsageError("leakcheck needs Playwright; install it with `pip install 'solara-ctx[leakcheck]'`") from None
    return int(command.run(arguments))


def _serve_alone(app: KernelApp, options: argparse.Namespace) -> int:
    app.owns_process = True
    return _serve(app, options)


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
        ws=PageWebSocket,
        loop="solara_ctx.web.fair_loop:new_event_loop",
        log_config=log_config(),
        timeout_graceful_shutdown=_STOP_S,
    )
    if options.open:
        host = "127.0.0.1" if options.host in {"0.0.0.0", "::"} else options.host  # noqa: S104 - compared, not bound
        url = f"http://{host}:{options.port}/"
        threading.Thread(target=_open_when_ready, args=(url,), name="solara-ctx-open", daemon=True).start()
    redact_logs()
    allow_open_files()
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


def _open_when_ready(url: str) -> None:
    deadline = time.monotonic() + _OPEN_DEADLINE_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}readyz", timeout=1):  # noqa: S310 - our own http:// address
                webbrowser.open(url)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(_OPEN_POLL_S)
