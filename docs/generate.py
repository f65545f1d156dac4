"""The parts of the documentation that are made from the code, each time it is built; a hook of mkdocs.

A page asks for one with a line such as `<!-- generate: settings -->`.  An unknown name fails the build.
"""

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Callable
from html import escape
from itertools import pairwise
from types import ModuleType

from pydantic import SecretStr

from solara_ctx import lifecycle, stats
from solara_ctx.lifecycle import TRANSITIONS, Event, State
from solara_ctx.settings import Settings, variable_names

MARKER = re.compile(r"^<!-- generate: ([a-z-]+) -->$", re.MULTILINE)

BOX_WIDTH, BOX_HEIGHT = 200, 76
CENTRES = {State.OPEN: (120, 60), State.RESTARTING: (120, 240), State.CLOSING: (420, 150), State.CLOSED: (700, 150)}


def on_page_markdown(markdown: str, **_: object) -> str:
    """Called by mkdocs for each page."""
    return MARKER.sub(lambda marker: PARTS[marker[1]](), markdown)


# --- settings


def settings() -> str:
    """A section for each setting."""
    return "\n\n".join(_setting(name) for name in Settings.model_fields)


def _setting(name: str) -> str:
    field = Settings.model_fields[name]
    variable, *others = variable_names(name)
    also = f" (also read: {', '.join(f'`{other}`' for other in others)})" if others else ""
    return (
        f"### `{variable}`\n\n{field.description}\n\n"
        f"- Default: {_default(field.default, name)}{also}\n- In Python: `Settings({name}=...)`"
    )


def _default(value: object, name: str) -> str:
    if value is None or value == ():
        return "unset"
    if isinstance(value, SecretStr):
        raise TypeError(f"Settings.{name}: a secret has no default")
    if isinstance(value, bool):
        return f"`{int(value)}`"
    return f"`{_duration(value)}`" if isinstance(value, float) else f"`{value}`"


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds * 1000:g}ms"


# --- the life of a kernel


def lifecycle_table() -> str:
    """Every state, every event, and what follows."""
    lines = [_row("", *(f"`{event.value}`" for event in Event)), _row(*["---"] * (len(Event) + 1))]
    for state in State:
        after = [TRANSITIONS[state].get(event) for event in Event]
        cells = ["—" if to is None else "stays" if to is state else f"**{to.name}**" for to in after]
        lines.append(_row(f"**{state.name}**", *cells))
    return "\n".join(lines)


def lifecycle_diagram() -> str:
    """The transition table as an SVG picture that follows the reader's colours."""
    arrows: dict[tuple[State, State], list[str]] = defaultdict(list)
    for state, row in TRANSITIONS.items():
        for event, to in row.items():
            arrows[state, to].append(event.value)
    parts = [_box(state, arrows.pop((state, state), [])) for state in State]
    parts += [_arrow(*ends, events, there_and_back=ends[::-1] in arrows) for ends, events in arrows.items()]
    return (
        '<svg viewBox="0 0 820 300" role="img" aria-label="The states of a kernel; the table below says the same" '
        'style="width:100%;max-width:820px" font-family="sans-serif" fill="none" stroke="currentColor">'
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0 10 5 0 10z" fill="currentColor" stroke="none"/></marker></defs>' + "".join(parts) + "</svg>"
    )


def _box(state: State, stays: list[str]) -> str:
    x, y = CENTRES[state]
    note = _text(x, y + 16, f"stays: {', '.join(stays)}", 12) if stays else ""
    return (
        f'<rect x="{x - BOX_WIDTH // 2}" y="{y - BOX_HEIGHT // 2}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="10"/>'
        + _text(x, y - 6, state.name, 16, weight="bold")
        + note
    )


def _arrow(start: State, end: State, events: list[str], *, there_and_back: bool) -> str:
    (x1, y1), (x2, y2) = CENTRES[start], CENTRES[end]
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    # Two arrows between the same boxes run side by side.
    aside = 36 if there_and_back else 0
    x1, x2, y1, y2 = (round(v) for v in (x1 - dy * aside, x2 - dy * aside, y1 + dx * aside, y2 + dx * aside))
    inside = min(BOX_WIDTH / 2 / abs(dx) if dx else length, BOX_HEIGHT / 2 / abs(dy) if dy else length)
    from_x, from_y, to_x, to_y = x1 + dx * inside, y1 + dy * inside, x2 - dx * inside, y2 - dy * inside
    label = _text(
        (from_x + to_x) / 2 + (0 if dx else 8 * -dy), (from_y + to_y) / 2 - 6, ", ".join(events), 13, halo=True
    )
    line = f'<path d="M{from_x:.0f} {from_y:.0f} {to_x:.0f} {to_y:.0f}" marker-end="url(#tip)"/>'
    return line + label


def _text(x: float, y: float, text: str, size: int, *, weight: str = "normal", halo: bool = False) -> str:
    under = (
        ' style="paint-order:stroke;stroke:var(--md-default-bg-color,#fff);stroke-width:5"'
        if halo
        else ' stroke="none"'
    )
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" font-weight="{weight}" text-anchor="middle" '
        f'fill="currentColor"{under}>{escape(text)}</text>'
    )


# --- tables of fields and members, from the docstrings below them


def documented(cls: type) -> dict[str, str]:
    """What the string under each field or member of *cls* says, as its author wrote it; "" where there is none."""
    body = ast.parse(inspect.getsource(cls)).body[0]
    if not isinstance(body, ast.ClassDef):
        raise TypeError(f"{cls!r} is no class")
    found: dict[str, str] = {}
    for statement, below in pairwise([*body.body, ast.Pass()]):
        target: ast.expr | None = statement.target if isinstance(statement, ast.AnnAssign) else None
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
        if isinstance(target, ast.Name):
            text = below.value if isinstance(below, ast.Expr) else None
            found[target.id] = str(text.value) if isinstance(text, ast.Constant) else ""
    return found


def fields(module: ModuleType, name: str) -> str:
    """A table of the fields of a class of *module*."""
    rows = [_row(f"`{field}`", text) for field, text in documented(getattr(module, name)).items()]
    return "\n".join([_row("Field", "Meaning"), _row("---", "---"), *rows])


def members(module: ModuleType, name: str) -> str:
    """A table of the members of an enum of *module*, with their values."""
    enum = getattr(module, name)
    rows = [_row(f"`{enum[member].value}`", text) for member, text in documented(enum).items()]
    return "\n".join([_row("Value", "Meaning"), _row("---", "---"), *rows])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "lifecycle-diagram": lifecycle_diagram,
    "lifecycle-table": lifecycle_table,
    "close-reasons": lambda: members(lifecycle, "CloseReason"),
    "close-codes": lambda: members(lifecycle, "CloseCode"),
    "kernel-stats": lambda: fields(stats, "KernelStats"),
    "registry-stats": lambda: fields(stats, "RegistryStats"),
    "leak-stats": lambda: fields(stats, "LeakStats"),
    "zombie-stats": lambda: fields(stats, "ZombieStats"),
    "worker-stats": lambda: fields(stats, "WorkerStats"),
}
