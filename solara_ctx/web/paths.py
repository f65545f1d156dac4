"""Where a request points, below the mount and above it; ASGI has paths decoded, the browser has them encoded."""

from typing import cast
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import HTTPConnection
from starlette.types import Scope
from starlette.websockets import WebSocket

# What a browser leaves as it is in a path (https://url.spec.whatwg.org/#path-percent-encode-set): the page compares
# its own address with ours.
_AS_BROWSERS_DO = "/:@!$&'()*+,;=[]\\|%"
_LONGEST_PATH = 2048


def relative_path(scope: Scope) -> str:
    """The path of a request relative to where the app is mounted."""
    path, root_path = cast("str", scope["path"]), cast("str", scope.get("root_path", ""))
    # Some servers and FastAPI's `root_path` leave the prefix out of the path; Starlette's router goes by the same rule.
    if path == root_path or path.startswith(f"{root_path}/"):
        path = path[len(root_path) :]
    return path or "/"


def mount_url(scope: Scope) -> str:
    """The path of the mount as it may stand in a page, a header or a cookie: encoded, and ending in a slash.

    It may hold what the visitor likes: `Mount("/{tenant}", kernels)` takes any name.
    """
    root_path = cast("str", scope.get("root_path", "")).replace("%", "%25").strip("/")
    # One slash: a browser takes what begins with two for another host.
    return f"/{quote(root_path, safe=_AS_BROWSERS_DO, errors='replace')}/" if root_path else "/"


def page_location(websocket: WebSocket) -> HTTPConnection | None:
    """The page's request as its page function shall see it, see `located`; the path is what the browser says it shows.

    Returns:
        `None` where it is no path.
    """
    return located(websocket.scope, websocket.query_params.get("location", "/"))


def located(asked: Scope, at: str) -> HTTPConnection | None:
    """A request for a page: the path and query of *at*, and of what was *asked* what came with it: headers, cookies,
    client, and what the middleware has added (user, session, state).

    The path may be anything, as in any request.

    Returns:
        `None` where it is no path.
    """
    try:
        location = urlsplit(at)
    except ValueError:  # a false IPv6 address, for example
        return None
    if not location.path.startswith("/") or location.netloc or len(location.path) > _LONGEST_PATH:
        return None
    root_path = asked.get("root_path", "")
    scope = {
        key: value
        for key, value in asked.items()
        if key not in {"subprotocols", "extensions", "endpoint", "path_params", "raw_path", "router", "route"}
    }
    scope |= {
        "type": "http",
        "method": "GET",
        "scheme": "https" if asked.get("scheme") in {"wss", "https"} else "http",
        "path": root_path + unquote(location.path),
        "query_string": location.query.encode(),
        "path_params": {},
    }
    return HTTPConnection(scope)
