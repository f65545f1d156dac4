"""What user code says about the look of its page."""

from typing import Any

import pytest

from solara_ctx.errors import ContextClosed, NoCurrentContext
from solara_ctx.look import begin, set_favicon, set_theme, set_title
from tests.support.service import serving


async def test_the_page_of_the_current_kernel_is_changed() -> None:
    """Each kernel's own, by whoever is in it."""
    async with serving(threads=False) as service:
        with service.connect():
            set_title("3 new")
            set_theme("dark")
            set_favicon("/icon.svg")
            set_favicon("")
        (host,) = service.hosts
        assert [call.argument for call in host.calls if call.name == "set_page"] == [
            {"title": "3 new"},
            {"theme": "dark"},
            {"favicon": "/icon.svg"},
            {"favicon": ""},
        ]


async def test_an_emoji_is_an_icon() -> None:
    """As a picture that needs no request; a family is one, too."""
    async with serving(threads=False) as service:
        with service.connect():
            set_favicon("🦊")
            set_favicon("👩‍👩‍👧‍👦")
        fox, family = (str(call.argument) for call in service.hosts[0].calls if call.name == "set_page")
        assert "data:image/svg+xml,%3Csvg" in fox
        assert "%F0%9F%A6%8A" in fox
        assert "%F0%9F%91%A9" in family


@pytest.mark.parametrize(
    ("change", "value", "error", "message"),
    [
        (set_title, 7, TypeError, "a string, not 7"),
        (set_theme, "sepia", ValueError, "one of 'auto', 'light', 'dark', not 'sepia'"),
        (set_theme, ["dark"], ValueError, "one of"),
        (set_favicon, b"icon", TypeError, "an emoji, not b'icon'"),
        (set_favicon, "icon.svg", ValueError, "an emoji, not 'icon.svg'"),
        (set_favicon, "🦊" * 20, ValueError, "an emoji"),
    ],
)
async def test_what_can_not_be_used_is_refused(change: Any, value: Any, error: type[Exception], message: str) -> None:
    """In the line that says it, and nothing changes."""
    async with serving(threads=False) as service:
        with service.connect(), pytest.raises(error, match=message):
            change(value)
        assert "set_page" not in service.hosts[0].names


async def test_without_a_kernel_there_is_no_page_to_change() -> None:
    """Neither outside of kernels nor in one that has ended; a page function that runs outside is let go on."""
    with pytest.raises(NoCurrentContext):
        set_title("nobody's")
    begin({"title": "nobody's"})
    async with serving(threads=False) as service:
        context = service.connect()
        with context:
            await context.aclose()
            with pytest.raises(ContextClosed):
                set_title("late")
            begin({"title": "late"})


async def test_a_kernel_without_a_run_has_no_page_to_change() -> None:
    """As at the very end of one, for a thread that is late."""
    async with serving(threads=False) as service:
        context = service.connect()
        with context:
            run, context._life.run = context._life.run, None
            with pytest.raises(ContextClosed, match="change its page"):
                set_title("late")
            context._life.run = run


async def test_a_page_function_begins_with_a_look_of_its_own() -> None:
    """What was set by what ran before it is gone."""
    async with serving(threads=False) as service:
        with service.connect():
            begin({"title": "Report", "theme": "auto"})
        assert service.hosts[0].calls[-1].argument == {"title": "Report", "theme": "auto"}
