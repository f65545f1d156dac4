"""The picture of the memory."""

import xml.etree.ElementTree as ET

import pytest

from solara_ctx.leakcheck.chart import HEIGHT, WIDTH, memory_chart, slope_in_words
from solara_ctx.leakcheck.judge import judge
from tests.support.leakcheck import series

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("uss", "kept"),
    [
        ([50.0] * 10, ()),
        ([50.0 + number for number in range(10)], [10 * number for number in range(10)]),
        ([3000.0 + 100 * number for number in range(4)], ()),
        ([50.0], ()),
        ([50.0, 51.0], ()),
    ],
    ids=["flat", "leak", "large", "one measure", "two"],
)
def test_everything_is_inside(uss: list[float], kept: list[int]) -> None:
    """Well-formed, one point for each measure, and no coordinate outside of the picture."""
    verdict = judge(series(uss, kept=kept))
    root = ET.fromstring(memory_chart(verdict, "Memory <of> the app"))  # noqa: S314 - our own text
    circles = root.findall(f"{SVG}circle")
    assert len(circles) == len(uss)
    for circle in circles:
        assert 0 < float(circle.attrib["cx"]) < WIDTH
        assert 0 < float(circle.attrib["cy"]) < HEIGHT
    bars = root.findall(f"{SVG}rect")
    assert len(bars) == len(kept)
    assert all(0 <= float(bar.attrib["height"]) <= HEIGHT for bar in bars)
    assert root.findtext(f"{SVG}title") == "Memory <of> the app"


def test_the_slope_in_words() -> None:
    """With its confidence, where it has one."""
    assert slope_in_words(judge(series([50.0 + number for number in range(10)]))) == (
        "100 KB per session (95 % confidence: 100 KB to 100 KB)"
    )
    assert "too few measures for a confidence" in slope_in_words(judge(series([50.0, 51.0])))
    assert slope_in_words(judge(series([50.0]))) == "too few measures for a slope"
