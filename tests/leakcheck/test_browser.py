"""Which Chromium is used."""

import shutil

import pytest

from solara_ctx.leakcheck import browser
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
