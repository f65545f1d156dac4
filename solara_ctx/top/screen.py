"""The screen of `solara-ctx top`: what it shows, and what a key changes.  Knows neither the terminal nor the server."""

from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from solara_ctx.asking import Row, Snapshot
from solara_ctx.top.columns import COLUMNS, NAMES, size, those_that_fit

_HELP = "←/→ sort by · r reverse · ↑/↓ select · k close · q quit"
# Above the rows, the address and the table's head.
_HEAD_LINES = 2


@dataclass
class Screen:
    """What is shown.  One thread."""

    url: str
    sorted_by: str = "age"
    descending: bool = True
    snapshot: Snapshot | None = None
    """The last that the server has told; kept while it does not answer."""
    trouble: str | None = None
    """Why it does not answer, until it does."""
    said: str = ""
    """What came of the last thing that was done."""
    selected: str | None = None
    """The id of a kernel, as it is shown."""
    confirming: str | None = None
    """The kernel that is to be closed, if the next key says yes."""
    done: bool = False
    """Whether it is to end."""

    def take(self, snapshot: Snapshot) -> None:
        """Show what the server tells now."""
        self.snapshot, self.trouble = snapshot, None
        ids = [str(row["id"]) for row in self.rows()]
        if self.selected not in ids:
            self.selected = ids[0] if ids else None

    def rows(self) -> list[Row]:
        """The kernels in the order in which they are shown."""
        rows: list[Row] = [] if self.snapshot is None else list(self.snapshot["kernel"])
        column = COLUMNS[NAMES.index(self.sorted_by)]
        # By id where all else is equal, so that nothing jumps from one look to the next.
        rows.sort(key=lambda row: str(row["id"]))
        rows.sort(key=column.value, reverse=self.descending)
        return rows

    def press(self, key: str) -> str | None:
        """Act on a key.

        Args:
            key: A letter, or `left`, `right`, `up`, `down`, `home`, `end`.

        Returns:
            The id of a kernel that is to be closed; most of the time nothing.
        """
        self.said = ""
        if self.confirming is not None:
            kernel, self.confirming = self.confirming, None
            if key in {"y", "Y"}:
                return kernel
            self.said = "not closed"
            return None
        match key:
            case "q" | "Q":
                self.done = True
            case "left":
                self._sort_by(-1)
            case "right" | "s":
                self._sort_by(1)
            case "r":
                self.descending = not self.descending
            case "up" | "down" | "home" | "end":
                self._select(key)
            case "k":
                self.confirming = self.selected
        return None

    def _sort_by(self, step: int) -> None:
        column = COLUMNS[(NAMES.index(self.sorted_by) + step) % len(COLUMNS)]
        self.sorted_by, self.descending = column.name, column.descending

    def _select(self, key: str) -> None:
        ids = [str(row["id"]) for row in self.rows()]
        if not ids:
            return
        now = ids.index(self.selected) if self.selected in ids else 0
        to = {"up": now - 1, "down": now + 1, "home": 0, "end": len(ids) - 1}[key]
        self.selected = ids[min(max(to, 0), len(ids) - 1)]

    def render(self, console: Console) -> RenderableType:
        """All of it, for a terminal of that size."""
        parts: list[RenderableType] = [Text(self.url, "bold", overflow="ellipsis", no_wrap=True)]
        bottom = self._bottom()
        if self.snapshot is not None:
            totals = _totals(self.snapshot)
            lines = sum(len(text.wrap(console, console.width)) for text in (totals, bottom))
            parts += [totals, self._table(console, console.height - _HEAD_LINES - lines)]
        return Group(*parts, bottom)

    def _table(self, console: Console, height: int) -> Table:
        columns = those_that_fit(console.width, self.sorted_by)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in columns:
            arrow = ("▼" if self.descending else "▲") if column.name == self.sorted_by else ""
            table.add_column(
                f"{column.name}{arrow}",
                justify="right" if column.is_number else "left",
                header_style="bold underline reverse" if arrow else "bold underline",
                no_wrap=True,
            )
        rows = self.rows()
        for row in self._visible(rows, height):
            shown = str(row["id"])
            style = "reverse" if shown == self.selected else _STYLES.get(str(row["state"]), "")
            table.add_row(*(column.text(row) for column in columns), style=style)
        return table

    def _visible(self, rows: list[Row], height: int) -> list[Row]:
        """As many rows as there is room for, the selected one among them."""
        height = max(height, 1)
        ids = [row["id"] for row in rows]
        at = ids.index(self.selected) if self.selected in ids else 0
        first = min(max(at - height // 2, 0), max(len(rows) - height, 0))
        return rows[first : first + height]

    def _bottom(self) -> Text:
        if self.confirming is not None:
            return Text(f"close kernel {self.confirming}? its page is told that it was ended (y/n)", "bold yellow")
        if self.trouble is not None:
            return Text(f"{self.trouble}; trying again", "bold red")
        return Text(self.said or _HELP, "green" if self.said else "dim")


_STYLES = {"closing": "yellow", "restarting": "cyan"}


def _totals(snapshot: Snapshot) -> Text:
    kernels, leaks, threads = snapshot["kernels"], snapshot["leaks"], snapshot["threads"]
    workers = threads["workers"]
    text = Text()
    limit = "" if kernels["limit"] is None else f" of {kernels['limit']}"
    text.append(f"{kernels['total']}{limit} kernels", "bold")
    text.append(f"  {kernels['has_connected']} connected  {kernels['retained']} retained  {kernels['closing']} closing")
    text.append(f"  {leaks['zombies']} zombies", "bold red" if leaks["zombies"] else "")
    text.append(f"  memory {size(snapshot['process']['memory']['rss'])}")
    text.append(f"  websockets {snapshot['websocket']['open']}  threads {threads['active']}")
    text.append(f"  workers {workers['busy']}/{workers['limit']}", "bold red" if workers["queued"] else "")
    return text
