"""The command line: `solara-ctx run` for one's own page, `demo` for a look, `why` for what a server has leaked."""

import argparse
import contextlib
import importlib
import os
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, cast

import uvicorn

from solara_ctx.asking import NoAnswer, why, zombies
from solara_ctx.demo import demo
from solara_ctx.errors import KernelContextError
from solara_ctx.leakcheck.options import add_arguments
from solara_ctx.reload import command as reload
from solara_ctx.serving import UsageError, allow_open_files, load_app, log_config, mounted, redact_logs
from solara_ctx.setting_values import parse_duration
from solara_ctx.settings import Settings
from solara_ctx.web.app import KernelApp
from solara_ctx.web.uvicorn_ws import PageWebSocket

if TYPE_CHECKING:
    from uvicorn._types import ASGIApplication as ASGIApp

_OPEN_DEADLINE_S = 30.0
_OPEN_POLL_S = 0.1
# For how long the stopping server waits for its connections, which uvicorn does without a limit otherwise: one browser
# that does not read, on a laptop that sleeps for example, would keep it from ending.
_STOP_S = 5


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
    run.add_argument("--reload", action="store_true", help="load code that changes, in debug mode, and show it")
    run.add_argument(
        "--reload-include",
        action="append",
        default=[],
        metavar="PATTERN",
        help="with --reload: files that count besides Python's, such as '*.html'; may be repeated",
    )
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
    top = commands.add_parser(
        "top",
        help="watch the kernels of a running server",
        description="Show the kernels of a running server, as /resourcez tells them, and close one if need be.",
    )
    top.add_argument("url", help="where the server's KernelApp is mounted, such as http://127.0.0.1:8765/")
    top.add_argument("--token", default=os.environ.get("SOLARA_RESOURCEZ_TOKEN"), help="else $SOLARA_RESOURCEZ_TOKEN")
    top.add_argument("--sort", default="age", metavar="COLUMN", help="the column to begin with (%(default)s)")
    top.add_argument("--interval", default="2s", help="how often to ask (%(default)s)")
    top.add_argument("--once", action="store_true", help="print it once, and end")
    top.set_defaults(run=_top)
    for command in (run, show):
        command.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
        command.add_argument("--port", type=int, default=8765, help="the port to listen on (%(default)s)")
        command.add_argument("--open", action="store_true", help="open the page in a browser")
    leakcheck = commands.add_parser("leakcheck", help="check an app for leaks")
    add_arguments(leakcheck)
    leakcheck.set_defaults(run=_leakcheck)
    return parser


def _run(options: argparse.Namespace) -> int:
    redact_logs()
    if options.reload:
        allow_open_files()
        _open_later(options)
        return reload.run(options.target, options.reload_include, lambda app: _config(app, options))
    # Loaded here, so that a mistake is said in one line instead of a server's traceback.
    return _serve_alone(load_app(options.target), options)


def _why(options: argparse.Namespace) -> int:
    if options.kernel is None:
        print(zombies(options.url, options.token))  # noqa: T201 - what was asked for
    else:
        print(why(options.url, options.kernel, options.token, options.format))  # noqa: T201 - same
    return 0


def _demo(options: argparse.Namespace) -> int:
    return _serve_alone(KernelApp(demo), options)


def _top(options: argparse.Namespace) -> int:
    try:
        interval_s = parse_duration(options.interval)
    except ValueError as error:
        raise UsageError(f"--interval can't be {options.interval!r}: {error}") from None
    command = _with_extra("solara_ctx.top.command", "top", needs="rich")
    return int(command.run(options.url, options.token, sort=options.sort, interval_s=interval_s, once=options.once))


def _leakcheck(options: argparse.Namespace) -> int:
    # Only here: whoever serves pages needs no browser.
    return int(_with_extra("solara_ctx.leakcheck.command", "leakcheck", needs="playwright").run(options))


def _with_extra(module: str, extra: str, *, needs: str) -> ModuleType:
    """A module that needs what is installed with an extra only."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != needs:
            raise
        raise UsageError(
            f"{extra} needs {needs.capitalize()}; install it with `pip install 'solara-ctx[{extra}]'`"
        ) from None


def _serve_alone(app: object, options: argparse.Namespace) -> int:
    if isinstance(app, KernelApp):
        app.owns_process = True
    _open_later(options)
    config = _config(app, options)
    redact_logs()
    allow_open_files()
    server = uvicorn.Server(config)
    # Ctrl-C: uvicorn raises the signal again once it has shut down, for whoever called it.
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else 3


def _config(app: object, options: argparse.Namespace) -> uvicorn.Config:
    return uvicorn.Config(
        cast("ASGIApp", app),
        host=options.host,
        port=options.port,
        ws=PageWebSocket,
        ws_max_size=_largest_frame(app),
        loop="solara_ctx.web.fair_loop:new_event_loop",
        log_config=log_config(),
        timeout_graceful_shutdown=_STOP_S,
    )


def _largest_frame(app: object) -> int:
    """What the largest of an app's settings lets in; uvicorn's own limit is 16 MB."""
    settings = [kernels.settings for _, kernels in mounted(app)] or [Settings()]
    return max(each.websocket_max_frame for each in settings)


def _open_later(options: argparse.Namespace) -> None:
    if options.open:
        host = "127.0.0.1" if options.host in {"0.0.0.0", "::"} else options.host  # noqa: S104 - compared, not bound
        url = f"http://{host}:{options.port}/"
        threading.Thread(target=_open_when_ready, args=(url,), name="solara-ctx-open", daemon=True).start()


def _open_when_ready(url: str) -> None:
    deadline = time.monotonic() + _OPEN_DEADLINE_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}readyz", timeout=1):  # noqa: S310 - our own http:// address
                webbrowser.open(url)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(_OPEN_POLL_S)
