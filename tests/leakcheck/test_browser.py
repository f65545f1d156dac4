"""Which Chromium is used, and how.  Playwright is played here; integration/ starts real browsers."""

import contextlib
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.async_api import Error

from solara_ctx.leakcheck import browser
from solara_ctx.leakcheck.appprocess import AppFailed
from solara_ctx.leakcheck.browser import CHROMIUM_VARIABLE, NoBrowser, find_chromium


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The programs that there are."""
    there: set[str] = set()
    monkeypatch.delenv(CHROMIUM_VARIABLE, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in there else None)
    return there


def test_the_order(programs: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is asked for, Playwright's, the system's."""
    programs.add("google-chrome")
    assert find_chromium("own") == "/bin/google-chrome"
    programs.add("chromium")
    assert find_chromium("own") == "/bin/chromium"
    programs.add("own")
    assert find_chromium("own") == "/bin/own"
    programs.add("chosen")
    monkeypatch.setenv(CHROMIUM_VARIABLE, "chosen")
    assert find_chromium("own") == "chosen"


@pytest.mark.usefixtures("programs")
def test_what_to_do_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install; and a wrong choice is not passed over in silence."""
    with pytest.raises(NoBrowser, match="playwright install chromium"):
        find_chromium("own")
    monkeypatch.setenv(CHROMIUM_VARIABLE, "/no/such")
    with pytest.raises(NoBrowser, match="SOLARA_CTX_CHROMIUM is '/no/such'"):
        find_chromium("own")


async def test_a_browser_that_was_not_started() -> None:
    """Opens nothing."""
    chromium = browser.Chromium()
    with pytest.raises(NoBrowser, match="not started"):
        await chromium.open("http://127.0.0.1:1", timeout_s=1)


async def test_together_waits_for_all_and_raises_the_first() -> None:
    """Nothing goes on behind the back of who has heard of an error."""
    ended: list[int] = []

    async def one(number: int) -> int:
        ended.append(number)
        if number:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="1"):
        await browser.together(one(number) for number in range(3))
    assert ended == [0, 1, 2]
    assert await browser.together([one(0)]) == [0]


class Played:
    """A Playwright with its Chromium, one session and one page; notes what is done, and fails where it is told to."""

    def __init__(self, *, fails: str = "", status: int | None = 200, state: str = "open") -> None:
        self.chromium = self.context = self
        self.executable_path = "own"
        self.done: list[str] = []
        self.how: dict[str, object] = {}
        self.status, self.status_text = status, "Whatever"
        self._fails, self._state = fails, state

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        async def act(*arguments: object, **how: object) -> object:
            self.done.append(name)
            self.how.update(how)
            if name == self._fails:
                raise Error(f"{name} failed\nand why, in many lines")
            answers = {"evaluate": self._state, "goto": None if self.status is None else self}
            return answers.get(name, self)

        return act

    def set_default_timeout(self, timeout_ms: float) -> None:
        self.how["timeout_ms"] = timeout_ms


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, programs: set[str]) -> Callable[[Played], browser.Chromium]:
    """A browser that is played by this one."""

    def chromium(played: Played) -> browser.Chromium:
        programs.add("own")
        monkeypatch.setattr(browser, "async_playwright", lambda: played)
        return browser.Chromium()

    return chromium


Play = Callable[[Played], browser.Chromium]


async def test_a_browser_ends_with_the_check(play: Play) -> None:
    """One that has gone before is no failure."""
    for played in (Played(), Played(fails="close")):
        async with play(played):
            assert played.done == ["start", "launch"]
            assert played.how == {"executable_path": "/bin/own", "headless": True}
        assert played.done[2:] == ["close", "stop"]


async def test_a_browser_that_does_not_start(play: Play) -> None:
    """Which one, and what it said; nothing is left running."""
    played = Played(fails="launch")
    with pytest.raises(NoBrowser, match=r"Chromium \(/bin/own\) does not start: launch failed"):
        await play(played).__aenter__()
    assert played.done == ["start", "launch", "stop"]


async def test_where_there_is_no_browser_nothing_is_left_running(play: Play, programs: set[str]) -> None:
    """Playwright's helper ends, too."""
    played = Played()
    chromium = play(played)
    programs.clear()
    with pytest.raises(NoBrowser, match="no Chromium was found"):
        await chromium.__aenter__()
    assert played.done == ["start", "stop"]


@pytest.mark.parametrize("status", [200, None], ids=["", "from the cache"])
async def test_a_page_is_opened_used_and_left(play: Play, status: int | None) -> None:
    """In a session of its own, which lasts until the server has heard of the end."""
    played = Played(status=status)
    async with play(played) as chromium:
        page = await chromium.open("http://127.0.0.1:1/", timeout_s=7)
        assert played.done[2:] == ["new_context", "new_page", "goto", "wait_for_function", "evaluate"]
        assert played.how["timeout_ms"] == 7000
        await chromium.leave(page)
        assert played.done[7:] == ["goto"]
        await chromium.end(page)
        assert played.done[8:] == ["close"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"status": 500}, r"http://x/ was answered with 500 Whatever$"),
        ({"fails": "goto"}, r"http://x/ did not show its widgets: goto failed$"),
        ({"fails": "wait_for_function"}, r"http://x/ did not show its widgets: wait_for_function failed$"),
        ({"state": "error"}, r"http://x/ could not be shown: its page function failed$"),
    ],
)
async def test_a_page_that_can_not_be_shown(play: Play, how: dict[str, Any], message: str) -> None:
    """One line says why, and its session is ended."""
    played = Played(**how)
    async with play(played) as chromium:
        with pytest.raises(AppFailed, match=message):
            await chromium.open("http://x/", timeout_s=7)
        assert played.done[-1] == "close"


async def test_a_page_that_can_not_be_left(play: Play) -> None:
    """One line says why."""
    async with play(Played(fails="goto")) as chromium:
        with pytest.raises(AppFailed, match=r"^a page could not be left: goto failed$"):
            await chromium.leave(cast("Any", Played(fails="goto")))


async def test_a_session_that_can_not_be_ended_any_more(play: Play) -> None:
    """The browser may have ended it already."""
    page = Played(fails="close")
    await browser.Chromium().end(cast("Any", page))
    assert page.done == ["close"]


@pytest.mark.parametrize("fails", ["", "screenshot"])
async def test_a_picture_leaves_no_page_behind(play: Play, fails: str, tmp_path: Path) -> None:
    """Whether it was taken or not."""
    played = Played(fails=fails)
    async with play(played) as chromium:
        with pytest.raises(Error) if fails else contextlib.nullcontext():
            await chromium.picture("<p>", tmp_path / "chart.png", width=1, height=1)
        assert played.done[2:] == ["new_page", "set_content", "screenshot", "close"]


async def test_a_browser_that_was_not_started_draws_nothing(tmp_path: Path) -> None:
    """And ends without more ado."""
    chromium = browser.Chromium()
    with pytest.raises(NoBrowser, match="not started"):
        await chromium.picture("<p>", tmp_path / "chart.png", width=1, height=1)
    await chromium.__aexit__(None, None, None)
