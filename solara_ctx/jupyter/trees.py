"""Which widgets a widget shows: its children, their children, and the layouts and styles of all of them."""

from collections.abc import Iterator

from ipywidgets import Widget

_NESTING = 4
_MAY_HOLD = (Widget, list, tuple, dict)


def parts_of(root: Widget) -> Iterator[tuple[Widget, Widget]]:
    """Each widget that the page needs for *root*, once, with the one that refers to it; *root* itself is left out."""
    seen, found = {id(root)}, [root]
    while found:
        holder = found.pop()
        values = holder._trait_values
        for name in holder.keys:
            value = values.get(name)
            if not isinstance(value, _MAY_HOLD):  # most are numbers and strings
                continue
            for part in _widgets_in(value, _NESTING):
                if id(part) not in seen:
                    seen.add(id(part))
                    found.append(part)
                    yield part, holder


def _widgets_in(value: object, nesting: int) -> Iterator[Widget]:
    if isinstance(value, Widget):
        yield value
    elif nesting > 0 and isinstance(value, list | tuple | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _widgets_in(inner, nesting - 1)
