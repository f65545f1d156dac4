"""A chain as a picture: for Graphviz, and drawn here, since few machines have Graphviz."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from solara_ctx.leaks import wording
from solara_ctx.leaks.chain import Link

_COLOURS = {"root": ("#e8eaf6", "#3949ab"), "user": ("#fff3e0", "#ef6c00"), "target": ("#ffebee", "#c62828")}
_LIBRARY = ("#f5f5f5", "#757575")
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
# Of a monospaced font at 14 pixels, a little more than any common one has.
_CHARACTER = 8.6
_LINE = 20
_PADDING = 14
_GAP = 34
_MARGIN = 16
_WIDEST = 72


def dot(links: Sequence[Link], note: str) -> str:
    """The chain as a graph in Graphviz's language, the root at the top."""
    lines = ["digraph chain {", '  node [shape=box, style="filled,rounded", fontname="monospace"];']
    for number, link in enumerate(links):
        fill, stroke = _colours(links, number)
        lines.append(f'  n{number} [label="{_quoted(link.text)}", fillcolor="{fill}", color="{stroke}"];')
    lines += [f"  n{number} -> n{number + 1};" for number in range(len(links) - 1)]
    if note:
        lines.append(f'  label="{_quoted(note)}";')
    return "\n".join([*lines, "}"]) + "\n"


def svg(links: Sequence[Link], note: str) -> str:
    """The chain as an SVG document: a box for each link, the root at the top, users' code in orange."""
    texts = [_wrapped(link.text) for link in links]
    notes = _wrapped(note) if note else []
    longest = max((len(line) for lines in [*texts, notes] for line in lines), default=1)
    width = round(longest * _CHARACTER) + 2 * _PADDING
    parts: list[str] = []
    top = _MARGIN
    for number, lines in enumerate(texts):
        height = len(lines) * _LINE + _PADDING
        if number:
            middle = _MARGIN + width // 2
            parts.append(
                f'<path d="M{middle} {top - _GAP}V{top - 8}" stroke="#616161" stroke-width="1.5"/>'
                f'<path d="M{middle - 5} {top - 9}h10l-5 8z" fill="#616161"/>'
            )
        fill, stroke = _colours(links, number)
        parts.append(
            f'<rect x="{_MARGIN}" y="{top}" width="{width}" height="{height}" rx="6" fill="{fill}" stroke="{stroke}"/>'
        )
        parts += _text(lines, top + _PADDING // 2)
        top += height + _GAP
    if notes:
        parts += _text(notes, top - _GAP + _MARGIN)
        top += len(notes) * _LINE + _MARGIN
    whole_width, whole_height = width + 2 * _MARGIN, max(top - _GAP + _MARGIN, 2 * _MARGIN)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole_width}" height="{whole_height}" '
        f'viewBox="0 0 {whole_width} {whole_height}" font-family="{_FONT}" font-size="14">'
        f'<title>What keeps it alive</title><rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _text(lines: Sequence[str], top: int) -> list[str]:
    return [
        f'<text x="{_MARGIN + _PADDING}" y="{top + (number + 1) * _LINE - 5}" fill="#212121" xml:space="preserve">'
        f"{escape(_printable(line))}</text>"
        for number, line in enumerate(lines)
    ]


def _colours(links: Sequence[Link], number: int) -> tuple[str, str]:
    if number == len(links) - 1 and number:
        return _COLOURS["target"]
    if wording.is_users(links[number].file):
        return _COLOURS["user"]
    return _LIBRARY if number else _COLOURS["root"]


def _wrapped(text: str) -> list[str]:
    """Lines that are not too long to read, broken at blanks where there are any."""
    lines: list[str] = []
    rest = text
    while len(rest) > _WIDEST:
        cut = rest.rfind(" ", 1, _WIDEST)
        cut = cut if cut > 0 else _WIDEST
        lines.append(rest[:cut])
        rest = rest[cut:].lstrip(" ")
    return [*lines, rest]


def _quoted(text: str) -> str:
    return _printable(text).replace("\\", "\\\\").replace('"', '\\"')


def _printable(text: str) -> str:
    """Without what no XML document may contain, and no line breaks."""
    return "".join(character if character.isprintable() else "�" for character in text)
