"""What the commands that serve somebody's code share: finding it by its name, and the server's log."""

import copy
import importlib
import importlib.util
import inspect
import logging
import re
import sys
from collections.abc import Callable, Iterator
from importlib.abc import Loader
from pathlib import Path
from types import ModuleType

import uvicorn

if sys.platform != "win32":
    import resource

from solara_ctx.web.access_log import RedactKernelIds
from solara_ctx.web.app import KernelApp

_DEFAULT_NAME = "page"
_APP_NAME = "app"
# What an ASGI app takes: scope, receive, send.  A page function takes one argument at most.
_ASGI_PARAMETERS = 3

# Each page keeps one file open, its websocket. With fewer than this a server of ordinary size could run out of them.
_OPEN_FILES = 4096
# Where the system says "unlimited": some systems refuse that for the soft limit, none of them this.
_MOST_OPEN_FILES = 1 << 20


log = logging.getLogger(__name__)

MakeLoader = Callable[[str, str], Loader]


class UsageError(Exception):
    """The command line asks for something that is not there; the message says what and what to do."""


def load_app(target: str, file_loader: MakeLoader | None = None) -> object:
    """The ASGI app that *target* names: a file, `file.py:name`, or `module:name`, of a `KernelApp`, a page function,
    which is put into one, or a whole app with a `KernelApp` mounted in it.  Without a name it is `page`, or else `app`.

    Args:
        target: What to load.
        file_loader: Makes the loader of a file, of the module's name and the path; Python's own where not given.

    Raises:
        UsageError: there is no such file, module, function or app, or no `KernelApp` in it.
    """
    source, name = split_target(target)
    module = load_file(Path(source), file_loader) if source.endswith(".py") else _load_module(source)
    if name is None:
        name = _DEFAULT_NAME if hasattr(module, _DEFAULT_NAME) else _APP_NAME
    found: object = getattr(module, name, None)
    if found is None:
        missing = repr(name) if name != _APP_NAME else "neither a 'page' nor an 'app'"
        verb = "has" if name == _APP_NAME else "has no"
        raise UsageError(f"{source} {verb} {missing}; define a function 'page', or say FILE:NAME")
    if not callable(found):
        raise UsageError(f"{name!r} in {source} is neither a page function nor an app")
    if not _is_asgi_app(found):
        return KernelApp(found)
    if not mounted(found):
        raise UsageError(f"{name!r} in {source} has no KernelApp mounted in it, so it has no page with a kernel")
    return found


def mounted(app: object) -> list[tuple[str, KernelApp]]:
    """Each `KernelApp` in *app*, which may be one itself, with the path that it is mounted at, without the slash at
    its end.
    """
    return list(_walk(app, ""))


def log_config() -> dict[str, object]:
    """For uvicorn: the server's own log, with our lines among its lines: which kernels end, what has failed."""
    config = copy.deepcopy(uvicorn.config.LOGGING_CONFIG)
    config["loggers"]["solara_ctx"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return config


def redact_logs() -> None:
    """Keep kernel ids out of the server's log, harmless to call twice."""
    for name in ("uvicorn.access", "uvicorn.error"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, RedactKernelIds) for known in logger.filters):
            logger.addFilter(RedactKernelIds())


def _is_asgi_app(found: object) -> bool:
    if isinstance(found, KernelApp) or hasattr(found, "routes"):
        return True
    if isinstance(found, type) or not callable(found):
        return False
    parameters = inspect.signature(found).parameters.values()
    required = [each for each in parameters if each.default is each.empty and each.kind is not each.VAR_POSITIONAL]
    return len(required) == _ASGI_PARAMETERS


def _walk(app: object, path: str) -> Iterator[tuple[str, KernelApp]]:
    if isinstance(app, KernelApp):
        yield path.rstrip("/"), app
        return
    routes: object = getattr(app, "routes", None)
    for route in routes if isinstance(routes, list) else ():
        if isinstance(below := getattr(route, "path", ""), str):
            yield from _walk(getattr(route, "app", None), path + below)
    # A middleware around an app, as people wrap them by hand.
    if routes is None and (inner := getattr(app, "app", None)) is not None:
        yield from _walk(inner, path)


def split_target(target: str) -> tuple[str, str | None]:
    """The file or module of a target, and the name in it, where it has one."""
    source, _, name = target.partition(":") if not _is_drive(target) else (target, "", "")
    return source, name or None


def _is_drive(target: str) -> bool:
    return re.fullmatch(r"[A-Za-z]:[\\/][^:]*", target) is not None


def load_file(path: Path, make_loader: MakeLoader | None = None) -> ModuleType:
    """Run a Python file as a module, with its folder importable, as `python FILE` would.

    Args:
        path: The file.
        make_loader: Makes its loader, of the module's name and the path; Python's own where not given.

    Raises:
        UsageError: there is no such file, or it is no Python file.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}; give the path of a Python file with a `page` function")
    path = path.resolve()
    _make_importable(path.parent)
    loader = None if make_loader is None else make_loader(path.stem, str(path))
    spec = importlib.util.spec_from_file_location(path.stem, path, loader=loader)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} can't be loaded as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _make_importable(folder: Path) -> None:
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))


def _load_module(name: str) -> ModuleType:
    _make_importable(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise UsageError(f"there is no module {name}; give MODULE:NAME, or the path of a file ending in .py") from None


def allow_open_files() -> None:
    """Take as many open files as the system lets this process have, and warn where they are few.

    The usual default is 1,024 (the soft limit), of which each page needs one; a process may raise it by itself up to
    the hard limit.
    """
    if sys.platform == "win32":  # which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError) as error:
            log.debug("the limit of open files could not be raised: %s", error)
    if soft != resource.RLIM_INFINITY and soft < _OPEN_FILES:
        log.warning(
            "the system lets this process have %d open files, and each page needs one; more pages than that can't "
            "connect: raise the limit, with `ulimit -n 65536` in the shell or `LimitNOFILE=65536` in systemd",
            soft,
        )
