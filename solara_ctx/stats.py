"""Frozen snapshots of what is alive, computed from the live sets; one line of meaning per field."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelStats:
    """One kernel."""

    id: str
    """The redacted kernel id."""
    session: str
    """The redacted session id."""
    state: str
    """open, restarting, closing or closed."""
    pages: Mapping[str, int]
    """How many pages are connected, disconnected, closed."""
    age_seconds: float
    """Since the kernel was started."""
    connected_seconds: float | None
    """Since when a page is connected without a break; None if none is."""
    disconnected_seconds: float | None
    """Since when no page is connected; None if one is."""
    seconds_to_cull: float | None
    """Until the kernel is culled; None if no cull is due."""
    widgets: int
    """Live widgets."""
    comms: int
    """Open comms, the page's own included."""
    threads: int
    """Living threads that kernel code has started."""
    tasks: int
    """Running tasks of `create_task`."""
    mailbox_depth: int
    """Messages that wait for a worker."""
    outbox_frames: int
    """Messages that wait to be sent, all pages together."""
    outbox_bytes: int
    """The same in bytes."""
    replay_bytes: int
    """What was sent and is kept until the pages have acknowledged it, in bytes."""
    restarts: int
    """How often the kernel was restarted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryStats:
    """All kernels of one registry."""

    total: int
    """Kernels that are not closed."""
    has_connected: int
    """Kernels with a connected page."""
    has_disconnected: int
    """Kernels with a page that lost its connection."""
    has_closed: int
    """Kernels with a page that said it is gone."""
    retained: int
    """Kernels without a connected page that wait for one to come back."""
    closing: int
    """Kernels that are being taken down."""
    limit: int | None
    """The most kernels that are let in."""
    limit_per_session: int | None
    """The most kernels that one session may have."""
    limit_disconnected: int | None
    """The most kernels that may wait for a page to come back."""
    limit_memory: int | None
    """The memory of the process, in bytes, from which on no more kernels are let in."""
    started_total: int
    """Kernels started since the service began."""
    closed_total: Mapping[str, int]
    """Kernels closed since the service began, by reason."""
    restarted_total: int
    """Restarts since the service began."""
    refused_total: int
    """Kernels refused for a limit since the service began."""
    abandoned_steps_total: int
    """Teardown steps given up on since the service began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStats:
    """The threads that run user code."""

    limit: int
    """The most threads that run page functions and callbacks at a time."""
    running: int
    """Threads that exist, idle ones included."""
    busy: int
    """Threads that run something."""
    queued: int
    """Jobs that wait for a thread."""
    stuck: int
    """Threads in a step that a teardown has given up on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakStats:
    """What became of the memory of closed and restarted kernels.  Each of them is in exactly one of the five."""

    by_refcount_total: int
    """Kernels that were freed as they should be, by reference counting alone."""
    by_gc_total: int
    """Kernels of which something was freed by the garbage collector only: user code had made a reference cycle."""
    zombies_gone_total: int
    """Kernels that were zombies and are gone after all."""
    watched: int
    """Kernels that are closed and not gone yet, for less than `SOLARA_KERNEL_ZOMBIE_AFTER`."""
    zombies: int
    """Kernels that are closed for longer than that, and something of them is still alive: a leak."""
    collections_total: int
    """Garbage collections that were run because a closed kernel was not gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZombieStats:
    """A closed kernel of which something is still alive."""

    id: str
    """The redacted kernel id."""
    session: str
    """The redacted session id."""
    reason: str
    """Why it was closed; restart for one that was replaced."""
    age_seconds: float
    """Since it was closed."""
    alive: Mapping[str, int]
    """What of it is alive, by type."""
    held_by: str | None
    """What keeps it, as the last question with `?why=` has found; None if nobody has asked."""
