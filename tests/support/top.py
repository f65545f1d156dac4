"""What a server could tell `solara-ctx top`."""

from typing import cast

from solara_ctx.asking import Row, Snapshot


def row(shown: str, **values: object) -> Row:
    """A kernel with one page."""
    made = {
        "id": shown,
        "session": "ssssss…",
        "state": "open",
        "pages": {"connected": 1, "disconnected": 0, "closed": 0},
        "age_seconds": 0.0,
        "disconnected_seconds": None,
        "seconds_to_cull": None,
        "widgets": 0,
        "comms": 3,
        "threads": 0,
        "tasks": 0,
        "mailbox_depth": 0,
        "outbox_bytes": 0,
        "replay_bytes": 1500,
        "restarts": 0,
    }
    return cast("Row", made | values)


def snapshot(*rows: Row) -> Snapshot:
    """All of it, with those kernels."""
    return {
        "kernels": {"total": len(rows), "limit": 10, "has_connected": 2, "retained": 1, "closing": 0},
        "leaks": {"zombies": 1},
        "websocket": {"open": 4},
        "threads": {"active": 9, "workers": {"busy": 1, "limit": 64, "queued": 0}},
        "process": {"memory": {"rss": 91_400_000}},
        "kernel": list(rows),
        "zombies": [],
    }
