"""What is alive, as JSON: one frozen snapshot of the live sets, printed."""

import hmac
import ipaddress
import threading
from dataclasses import dataclass

import anyio.to_thread
import psutil
from starlette.requests import HTTPConnection

from solara_ctx.memory import resident_bytes, this_process
from solara_ctx.registry import KernelRegistry
from solara_ctx.stats import KernelStats, RegistryStats, WorkerStats
from solara_ctx.web.channels import Channels

_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that `/resourcez` shows, at one moment."""

    kernels: RegistryStats
    """All kernels together."""
    rows: list[KernelStats] | None
    """Each kernel; None for a caller who may see totals only."""
    workers: WorkerStats
    """The threads that run user code."""
    websockets_open: int
    """Open websockets."""
    websockets_total: int
    """Websockets opened since the service began."""
    threads_active: int
    """Threads of the process."""
    limiter: dict[str, float]
    """anyio's pool of threads, which Starlette runs plain endpoints on."""
    rss_bytes: int
    """Resident memory of the process."""


async def take_snapshot(registry: KernelRegistry, channels: Channels, *, rows: bool) -> Snapshot:
    """Look at everything once.  Loop only; creates nothing."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    return Snapshot(
        kernels=registry.stats(),
        rows=registry.kernel_stats() if rows else None,
        workers=registry.worker_stats(),
        websockets_open=channels.open_count,
        websockets_total=channels.opened_total,
        threads_active=threading.active_count(),
        limiter={
            "total_tokens": limiter.total_tokens,
            "borrowed_tokens": limiter.borrowed_tokens,
            "available_tokens": limiter.available_tokens,
        },
        rss_bytes=resident_bytes(),
    )


def as_json(snapshot: Snapshot) -> dict[str, object]:
    """The snapshot with Solara's key names where the meaning is the same, for `orjson`."""
    data: dict[str, object] = {
        "websocket": {"open": snapshot.websockets_open, "opened_total": snapshot.websockets_total},
        "threads": {"active": snapshot.threads_active, "workers": snapshot.workers},
        "kernels": snapshot.kernels,
        "anyio.to_thread.limiter": snapshot.limiter,
        "process": {"memory": {"rss": snapshot.rss_bytes}},
    }
    if snapshot.rows is not None:
        data["kernel"] = snapshot.rows
    return data


def machine() -> dict[str, object]:
    """The machine's cpu and memory, and more of this process; for `?verbose`."""
    memory = psutil.virtual_memory()
    process = this_process()
    with process.oneshot():
        own_memory, own_times, fds = process.memory_info(), process.cpu_times(), process.num_fds()
        percent = process.cpu_percent()
    return {
        "cpu": {
            "percent": psutil.cpu_percent(),
            "count": psutil.cpu_count(logical=False),
            "count_logical": psutil.cpu_count(),
            "load_average": psutil.getloadavg(),
        },
        "memory": {"bytes": memory._asdict(), "GB": {"total": memory.total / 1e9, "available": memory.available / 1e9}},
        "process": {
            "cpu": {"percent": percent, "user_seconds": own_times.user, "system_seconds": own_times.system},
            "memory": own_memory._asdict(),
            "open_files": fds,
        },
    }


def may_see_rows(connection: HTTPConnection, token: str | None) -> bool:
    """Whether the caller may see more than totals: everybody where no token is set, else the holder of the token and
    this very machine.

    Behind a proxy on the same machine every caller seems to be local; a request that was forwarded is not.
    """
    if token is None:
        return True
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
        return True
    if any(name in connection.headers for name in _PROXY_HEADERS):
        return False
    return connection.client is not None and _is_loopback(connection.client.host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
