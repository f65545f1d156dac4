"""A chain as a picture: for Graphviz and as SVG."""

import gc
import re
import weakref
from xml.etree import ElementTree as ET

from solara_ctx.leaks.explain import Explanation, Link, explain

KEPT: dict[str, object] = {}


class Label:
    """What should be gone."""


def explanation(*texts: str, note: str = "") -> Explanation:
    links = tuple(Link(text=text, kind="item") for text in texts)
    return Explanation(found=True, target="", root="", links=links, note=note, seconds=0.0)


def svg_texts(found: Explanation) -> list[str]:
    root = ET.fromstring(found.svg())  # noqa: S314 -- our own
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_svg_is_a_document_with_every_link() -> None:
    """Valid XML, a box for each link from the root down, arrows between them, whatever the texts contain."""
    found = explanation("module variable CACHE", "dict['<b>&\"\\']", "bell \x07 \ud800", note="a note")
    assert svg_texts(found) == ["module variable CACHE", "dict['<b>&\"\\']", "bell \ufffd \ufffd", "a note"]
    document = found.svg()
    assert document.count("<rect ") == 1 + 3
    assert document.count("<path ") == 2 * 2
    tops = [int(top) for top in re.findall(r'<rect x="16" y="(\d+)"', document)]
    assert tops == sorted(tops)
    assert document.encode()


def test_svg_breaks_long_texts() -> None:
    """Long texts are broken into lines, at blanks where there are some, and nothing is lost."""
    lines = svg_texts(explanation("word " * 40 + "end", "x" * 200))
    assert max(map(len, lines)) <= 72
    assert "".join(lines[-3:]) == "x" * 200
    assert " ".join(lines[:-3]).split() == ["word"] * 40 + ["end"]


def test_svg_of_nothing() -> None:
    """Nothing found is a picture as well: its note."""
    assert svg_texts(explanation(note="none of it is alive")) == ["none of it is alive"]


def test_dot() -> None:
    """A node for each link, an edge between them, quotes and backslashes escaped."""
    written = explanation("a", 'b"\\', note='c"').dot()
    assert written.startswith("digraph chain {")
    assert 'n0 [label="a", ' in written
    assert 'n1 [label="b\\"\\\\", ' in written
    assert "  n0 -> n1;\n" in written
    assert 'label="c\\"";' in written
    assert written.endswith("}\n")


def test_colours() -> None:
    """Users' code stands out from libraries', and the object at the end from both."""
    label = Label()
    KEPT["x"] = [label]
    reference: weakref.ref[object] = weakref.ref(label)
    del label
    boxes = re.findall(r'<rect x="16" .*? fill="(#\w+)"', explain([reference]).svg())
    KEPT.clear()
    assert len(boxes) == 4
    assert boxes[1] == boxes[2]
    assert len({boxes[0], boxes[1], boxes[3]}) == 3
    assert reference() is None
    assert gc.isenabled()
