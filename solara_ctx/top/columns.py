"""What is shown of each kernel, by column: its words, what it is sorted by, and how much it matters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from solara_ctx.asking import Row

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_KB = 1000
_FEW = 10
_BETWEEN = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table."""

    name: str
    """As it is headed, and as `--sort` names it."""
    width: int
    """In letters."""
    rank: int
    """Which columns go first where the terminal is narrow: those with the highest."""
    value: Callable[[Row], float | str]
    """What rows are sorted by."""
    text: Callable[[Row], str]
    """What is shown."""
    descending: bool = True
    """Whether the most of it is what one looks for."""

    @property
    def is_number(self) -> bool:
        """Whether it stands at the right."""
        return self.descending


def duration(seconds: float | None) -> str:
    """A time in the largest unit that leaves something to tell; a dash for none."""
    if seconds is None:
        return "-"
    for unit, size in (("d", _DAY_S), ("h", _HOUR_S), ("m", _MINUTE_S)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def size(number: float) -> str:
    """Bytes, in the largest unit that leaves something to tell."""
    for unit in ("B", "kB", "MB"):
        if number < _KB:
            return f"{number:.0f}{unit}" if unit == "B" or number >= _FEW else f"{number:.1f}{unit}"
        number /= _KB
    return f"{number:.1f}GB"


def _text(name: str, width: int, rank: int) -> Column:
    def text(row: Row) -> str:
        return cast("Mapping[str, str]", row)[name]

    return Column(name, width, rank, text, text, descending=False)


def _number(
    name: str, key: str, width: int, rank: int, text: Callable[[float], str] = lambda number: f"{number:.0f}"
) -> Column:
    def value(row: Row) -> float:
        return cast("Mapping[str, float]", row)[key]

    return Column(name, width, rank, value, lambda row: text(value(row)))


def _time(name: str, key: str, width: int, rank: int) -> Column:
    def seconds(row: Row) -> float | None:
        return cast("Mapping[str, float | None]", row)[key]

    def value(row: Row) -> float:
        # Where there is no such time, it is less than any.
        known = seconds(row)
        return -1.0 if known is None else known

    return Column(name, width, rank, value, lambda row: duration(seconds(row)))


def _pages_of(row: Row) -> str:
    pages = row["pages"]
    return f"{pages['connected']}/{pages['disconnected']}/{pages['closed']}"


COLUMNS = (
    _text("id", 7, 0),
    _text("session", 7, 11),
    _text("state", 10, 2),
    Column("pages", 7, 1, lambda row: float(row["pages"]["connected"]), _pages_of),
    _time("age", "age_seconds", 5, 3),
    _time("away", "disconnected_seconds", 5, 6),
    _time("cull", "seconds_to_cull", 5, 7),
    _number("widgets", "widgets", 7, 4),
    _number("comms", "comms", 6, 12),
    _number("threads", "threads", 7, 8),
    _number("tasks", "tasks", 5, 9),
    _number("queued", "mailbox_depth", 6, 5),
    _number("outbox", "outbox_bytes", 7, 10, size),
    _number("replay", "replay_bytes", 7, 13, size),
    _number("restarts", "restarts", 8, 14),
)
"""All of them, in the order in which they are shown."""

NAMES = tuple(column.name for column in COLUMNS)


def those_that_fit(width: int, sorted_by: str) -> list[Column]:
    """The columns that a terminal of so many letters has room for; always the id, and what is sorted by."""
    always = {"id", sorted_by}
    fitting = set(always)
    width -= sum(column.width + _BETWEEN for column in COLUMNS if column.name in always)
    for column in sorted(COLUMNS, key=lambda column: column.rank):
        if column.name not in always:
            width -= column.width + _BETWEEN
            if width < 0:
                break
            fitting.add(column.name)
    return [column for column in COLUMNS if column.name in fitting]
