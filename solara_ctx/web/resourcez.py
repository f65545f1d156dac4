"""What is alive, as JSON: one frozen snapshot of the live sets, printed."""

import logging
import threading
from dataclasses import dataclass

import anyio.to_thread
import orjson
import psutil
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from solara_ctx.errors import redact
from solara_ctx.leaks.tracker import LeakTracker
from solara_ctx.lifecycle import CloseReason
from solara_ctx.memory import resident_bytes, this_process
from solara_ctx.registry import KernelRegistry
from solara_ctx.stats import KernelStats, LeakStats, RegistryStats, WorkerStats, ZombieStats
from solara_ctx.web.callers import has_token, may_ask_why, may_see_rows
from solara_ctx.web.channels import Channels
from solara_ctx.web.why import Why, refusal, refuse

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that `/resourcez` shows, at one moment."""

    kernels: RegistryStats
    """All kernels together."""
    rows: list[KernelStats] | None
    """Each kernel; None for a caller who may see totals only."""
    workers: WorkerStats
    """The threads that run user code."""
    leaks: LeakStats
    """What became of the kernels that were closed."""
    zombies: list[ZombieStats] | None
    """Closed kernels that are not gone; None for a caller who may see totals only."""
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


class Resourcez:
    """The endpoint.  Loop only."""

    def __init__(
        self, registry: KernelRegistry, channels: Channels, tracker: LeakTracker, token: SecretStr | None
    ) -> None:
        self._registry = registry
        self._channels = channels
        self._tracker = tracker
        self._token = None if token is None else token.get_secret_value()
        self._why = Why(tracker)

    async def answer(self, request: Request) -> Response:
        """Totals, rows for who may see them, more about the machine with `?verbose`; or the answer to `?why=`."""
        asked = request.query_params.get("why")
        if asked is not None:
            return await self._why.answer(request, asked) if may_ask_why(request, self._token) else refuse(self._token)
        rows = may_see_rows(request, self._token)
        data = as_json(await take_snapshot(self._registry, self._channels, self._tracker, rows=rows))
        if "verbose" in request.query_params:
            data |= machine()
        # orjson writes dataclasses itself: a thousand kernels in a millisecond, `json` took twelve.
        return Response(orjson.dumps(data), headers={"Cache-Control": "no-store"}, media_type="application/json")

    async def close(self, request: Request) -> Response:
        """End the kernel that is shown under an id: for whoever sends the token in a header, which no page of another
        site can have a browser do.
        """
        if self._token is None:
            return refusal(403, "set SOLARA_RESOURCEZ_TOKEN on the server, so that it can tell who may close kernels")
        if not has_token(request, self._token):
            return refuse(self._token)
        shown = f"{request.path_params['kernel'].removesuffix('…')}…"
        found = [context for context in list(self._registry.values()) if redact(context.id) == shown]
        if not found:
            return refusal(404, "no kernel is shown under that id; `kernel` in /resourcez lists those that are")
        if len(found) > 1:
            return refusal(409, f"{len(found)} kernels are shown under that id; wait until one of them has ended")
        (context,) = found
        log.info("kernel %s is closed by the operator", shown)
        context.close(CloseReason.OPERATOR)
        return JSONResponse({"id": shown, "state": "closing"}, 202, {"Cache-Control": "no-store"})


async def take_snapshot(registry: KernelRegistry, channels: Channels, tracker: LeakTracker, *, rows: bool) -> Snapshot:
    """Look at everything once.  Loop only; creates nothing."""
    limiter = anyio.to_thread.current_default_thread_limiter()
    return Snapshot(
        kernels=registry.stats(),
        rows=registry.kernel_stats() if rows else None,
        workers=registry.worker_stats(),
        leaks=tracker.stats(),
        zombies=tracker.zombies() if rows else None,
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
        "leaks": snapshot.leaks,
        "anyio.to_thread.limiter": snapshot.limiter,
        "process": {"memory": {"rss": snapshot.rss_bytes}},
    }
    if snapshot.rows is not None:
        data["kernel"] = snapshot.rows
        data["zombies"] = snapshot.zombies
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
