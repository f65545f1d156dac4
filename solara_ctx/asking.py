"""Ask a running server about its kernels: which are there, which are closed and not gone and what keeps one of them."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import NoReturn, TypedDict, cast

_LIST_S = 10.0
_SEARCH_S = 60.0
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


class Row(TypedDict):
    """A kernel, as `/resourcez` tells it; `stats.KernelStats` has what each means."""

    id: str
    session: str
    state: str
    pages: dict[str, int]
    age_seconds: float
    disconnected_seconds: float | None
    seconds_to_cull: float | None
    widgets: int
    comms: int
    threads: int
    tasks: int
    mailbox_depth: int
    outbox_bytes: int
    replay_bytes: int
    restarts: int


class Threads(TypedDict):
    """Those of the process."""

    active: int
    workers: dict[str, int]


class Snapshot(TypedDict):
    """What `/resourcez` tells to somebody who may see the rows."""

    kernels: dict[str, int | None]
    leaks: dict[str, int]
    websocket: dict[str, int]
    threads: Threads
    process: dict[str, dict[str, int]]
    kernel: list[Row]
    zombies: list[dict[str, object]]


class NoAnswer(Exception):
    """The server did not answer as it should; the message says what to do."""


def snapshot(url: str, token: str | None, timeout_s: float) -> Snapshot:
    """All that the server at *url* tells, with a row for each kernel.

    Raises:
        NoAnswer: there is no such server, or it does not tell us.
    """
    try:
        found = json.loads(_ask(_resourcez(url), token, timeout_s))
        _ = found["kernels"]["total"]
    except (ValueError, TypeError, KeyError):
        raise NoAnswer(
            f"{_resourcez(url)} is no /resourcez of ours; give the address that KernelApp is mounted at"
        ) from None
    if "kernel" not in found:
        raise NoAnswer("the server shows totals only; set SOLARA_RESOURCEZ_TOKEN to its token, or say --token")
    return cast("Snapshot", found)


def close_kernel(url: str, kernel: str, token: str | None, timeout_s: float) -> None:
    """Have the server close a kernel, by its id as it is shown.

    Raises:
        NoAnswer: there is no such server or kernel, or it does not let us.
    """
    shown = urllib.parse.quote(kernel.rstrip("…"), safe="")
    _ask(f"{_resourcez(url)}/kernels/{shown}", token, timeout_s, "DELETE")


def zombies(url: str, token: str | None) -> str:
    """A line for each zombie of the server at *url*.

    Raises:
        NoAnswer: there is no such server, or it does not tell us.
    """
    rows = snapshot(url, token, _LIST_S)["zombies"]
    if not rows:
        return "no zombies: every closed kernel is gone"
    lines = [_line(row) for row in rows]
    first = str(rows[0]["id"]).rstrip("…")
    # An id may begin with a dash, and would be taken for an option.
    shown = f"-- {first}" if first.startswith("-") else first
    return "\n".join([*lines, f"what keeps one: solara-ctx why {url} {shown}"])


def why(url: str, kernel: str, token: str | None, form: str = "text") -> str:
    """What keeps a closed kernel, as text, `json`, `dot` or `svg`.

    Raises:
        NoAnswer: as for `zombies`; or nothing of that kernel is alive.
    """
    query = urllib.parse.urlencode({"why": kernel, "format": form})
    return _ask(f"{_resourcez(url)}?{query}", token, _SEARCH_S).rstrip("\n")


def _line(row: dict[str, object]) -> str:
    alive = row["alive"] if isinstance(row["alive"], dict) else {}
    parts = ", ".join(f"{name} x{count}" if count != 1 else str(name) for name, count in alive.items())
    holder = f"\n    kept by {row['held_by']}" if row["held_by"] else ""
    return f"{row['id']}  {row['reason']}, closed {_ago(row['age_seconds'])} ago, still alive: {parts}{holder}"


def _ago(seconds: object) -> str:
    age = float(seconds) if isinstance(seconds, int | float) else 0.0
    for unit, size in (("d", _DAY_S), ("h", _HOUR_S), ("min", _MINUTE_S)):
        if age >= size:
            return f"{age / size:.0f} {unit}"
    return f"{age:.0f} s"


def _resourcez(url: str) -> str:
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise NoAnswer(f"{url} is no address of a server; give one such as http://127.0.0.1:8765/")
    return f"{url.rstrip('/').removesuffix('/resourcez')}/resourcez"


def _ask(address: str, token: str | None, timeout_s: float, method: str = "GET") -> str:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(address, headers=headers, method=method)  # noqa: S310 - the scheme was looked at
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310 - same
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        _refused(error)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise NoAnswer(
            f"{address.partition('?')[0]} does not answer ({reason}); is the server running there?"
        ) from None


def _refused(error: urllib.error.HTTPError) -> NoReturn:
    with error:
        body = error.read().decode(errors="replace")
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = "is this the address that KernelApp is mounted at?"
    raise NoAnswer(f"the server answers {error.code}: {message}") from None
