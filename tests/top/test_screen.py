"""What `solara-ctx top` shows, and what its keys do."""

from typing import cast

import pytest
from rich.console import Console

from solara_ctx.asking import Row, Snapshot
from solara_ctx.top.columns import NAMES, duration, size
from solara_ctx.top.screen import Screen
from tests.support.top import row, snapshot


def screen(*rows: Row, sorted_by: str = "age") -> Screen:
    """One that shows these kernels."""
    made = Screen("http://127.0.0.1:8765/", sorted_by)
    made.take(snapshot(*rows))
    return made


def lines(shown: Screen, width: int = 200, height: int = 40) -> list[str]:
    """What is on a terminal of that size."""
    console = Console(width=width, height=height)
    with console.capture() as captured:
        console.print(shown.render(console))
    return captured.get().splitlines()


def ids(shown: Screen) -> list[str]:
    return [each["id"] for each in shown.rows()]


THREE = (
    row("aaaaaa…", age_seconds=5.0),
    row("bbbbbb…", age_seconds=9000.0, widgets=7),
    row("cccccc…", age_seconds=70.0),
)


def test_totals_and_a_line_for_each_kernel() -> None:
    """With what is bad in the totals, and the columns headed."""
    text = "\n".join(lines(screen(*THREE)))
    assert "3 of 10 kernels  2 connected  1 retained  0 closing  1 zombies  memory 91MB  websockets 4" in text
    assert all(name in text for name in NAMES)
    (line,) = [line for line in text.splitlines() if line.startswith("bbbbbb…")]
    assert " ".join(line.split()) == "bbbbbb… ssssss… open 1/0/0 2h - - 7 3 0 0 0 0B 1.5kB 0"
    assert "q quit" in text


def test_keys_sort_by_any_column_and_reverse() -> None:
    """The arrow stands at the column; words begin with the first, numbers with the most."""
    shown = screen(*THREE)
    assert ids(shown) == ["bbbbbb…", "cccccc…", "aaaaaa…"]
    assert "age▼" in "".join(lines(shown))
    shown.press("r")
    assert ids(shown) == ["aaaaaa…", "cccccc…", "bbbbbb…"]
    assert "age▲" in "".join(lines(shown))
    for _ in NAMES:
        shown.press("s")
    assert shown.sorted_by == "age"
    shown.press("left")
    assert shown.sorted_by == "pages"
    for _ in range(3):
        shown.press("left")
    assert (shown.sorted_by, shown.descending) == ("id", False)
    assert ids(shown) == ["aaaaaa…", "bbbbbb…", "cccccc…"]
    shown.press("left")
    assert shown.sorted_by == "restarts"
    shown.press("right")
    assert shown.sorted_by == "id"


def test_a_time_that_there_is_not_is_less_than_any() -> None:
    """A kernel with a page is not away."""
    shown = screen(*THREE, row("dddddd…", disconnected_seconds=0.5), sorted_by="away")
    assert ids(shown)[0] == "dddddd…"


def test_a_kernel_stays_selected_wherever_it_goes() -> None:
    """Until it is gone; then the first is."""
    shown = screen(*THREE)
    assert shown.selected == "bbbbbb…"
    shown.press("down")
    assert shown.selected == "cccccc…"
    shown.press("r")
    assert shown.selected == "cccccc…"
    for key, selected in (("end", "bbbbbb…"), ("down", "bbbbbb…"), ("home", "aaaaaa…"), ("up", "aaaaaa…")):
        shown.press(key)
        assert shown.selected == selected
    shown.take(snapshot(*THREE[1:]))
    assert shown.selected == "cccccc…"
    shown.take(snapshot())
    shown.press("down")
    shown.press("k")
    assert {shown.selected, shown.confirming} == {None}


def test_a_kernel_is_closed_after_a_yes() -> None:
    """Any other key leaves it."""
    shown = screen(*THREE)
    assert shown.press("k") is None
    assert "close kernel bbbbbb…?" in lines(shown)[-1]
    assert shown.press("n") is None
    assert lines(shown)[-1] == "not closed"
    shown.press("k")
    assert shown.press("y") == "bbbbbb…"
    assert shown.press("y") is None


def test_q_ends_it() -> None:
    """And nothing else that is no key of ours."""
    shown = screen()
    shown.press("x")
    assert not shown.done
    shown.press("q")
    assert shown.done


def test_a_server_that_is_gone_is_said_below_what_was_known() -> None:
    """Until it is back."""
    shown = screen(*THREE)
    shown.trouble = "http://… does not answer"
    assert lines(shown)[-1] == "http://… does not answer; trying again"
    assert any(line.startswith("aaaaaa…") for line in lines(shown))
    shown.take(snapshot(*THREE))
    assert "q quit" in lines(shown)[-1]
    assert lines(Screen("http://x/"))[0] == "http://x/"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_a_narrow_terminal_shows_what_matters_most(width: int) -> None:
    """No line is too long; the id and the column that it is sorted by are always there."""
    shown = screen(*THREE, sorted_by="restarts")
    found = lines(shown, width)
    assert max(map(len, found)) <= width
    (head,) = [line for line in found if "restarts" in line]
    assert head.startswith("id")
    assert ("widgets" in head) == (width >= 60)


@pytest.mark.parametrize("height", [8, 12, 20])
def test_a_low_terminal_shows_the_rows_around_the_selected_one(height: int) -> None:
    """And never more than there is room for."""
    shown = screen(*(row(f"k{number:05}…", age_seconds=float(number)) for number in range(50)))
    for _ in range(25):
        shown.press("down")
    found = lines(shown, 100, height)
    assert len(found) <= height
    assert any(line.startswith(str(shown.selected)) for line in found)
    shown.press("end")
    assert any(line.startswith("k00000…") for line in lines(shown, 100, height))


def test_times_and_sizes_have_units() -> None:
    """The largest that leaves something to tell."""
    assert [duration(each) for each in (None, 0.4, 119.0, 120.0, 7199.0, 7200.0, 400_000.0)] == [
        *("-", "0s", "119s", "2m", "120m", "2h", "5d")
    ]
    assert [size(each) for each in (0, 999, 1000, 12_345, 9_900_000, 91_400_000, 5e9)] == [
        *("0B", "999B", "1.0kB", "12kB", "9.9MB", "91MB", "5.0GB")
    ]


def test_a_row_has_what_the_server_tells() -> None:
    """For the helper of these tests."""
    assert set(cast("dict[str, object]", row("a"))) <= set(Row.__annotations__)
    assert set(cast("dict[str, object]", snapshot())) <= set(Snapshot.__annotations__)
