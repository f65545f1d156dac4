"""The HTML report."""

from html.parser import HTMLParser
from pathlib import Path

from solara_ctx.leakcheck import report
from tests.support.leakcheck import KEPT, RISING, chain, growth, origin, result, series

LEAKING = series(
    RISING,
    kept=KEPT,
    chains=(chain(("module variable <CACHE>", "/app/app.py", 14), ("Label", None, None)),),
    growth=(growth("/app/app.py", 20, bound=128),),
    origins=(origin("/app/app.py", 21),),
    traced=10,
)


class Balance(HTMLParser):
    """Whether each element that is opened is closed."""

    VOID = frozenset({"meta", "line", "circle", "rect", "polyline", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It has to be the last one."""
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_a_leak() -> None:
    """Verdict, line, chain step by step, plot, and where it was made; texts of the app's are no markup."""
    text = report.html(result(LEAKING, series([50.0] * 4, unit="use", per=2)), Path("out/app.log"))
    for part in ("LEAK", "/app/app.py:14", "<li>module variable &lt;CACHE&gt;</li><li>Label</li>", "<svg", "app.log"):
        assert part in text
    assert "10 cycles of 10 sessions on /, and 8 uses within one session" in text
    assert "it = thing()" in text
    parser = Balance()
    parser.feed(text)
    assert parser.open == []


def test_the_picture_is_as_high_as_its_plots() -> None:
    """One below the other."""
    page, width, height = report.picture(result(LEAKING))
    two, same_width, more = report.picture(result(LEAKING, series([50.0] * 4, unit="use")))
    assert (page.count("<svg"), two.count("<svg")) == (1, 2)
    assert width == same_width
    assert height < more
