"""Async functions as callbacks of widgets."""

import functools
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import pytest

from solara_ctx import get_current_context
from solara_ctx.patching.async_callbacks import AsyncCallback
from tests.support.kernels import StandInContext
from tests.support.service import silent
from tests.support.visits import serving

seen: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


async def note(*args: Any) -> None:
    """An async function like any."""
    seen.append((get_current_context().id, type(args[-1]).__name__))


class Noter:
    """Things with async methods."""

    async def __call__(self, *args: Any) -> None:
        await note(*args)

    async def method(self, *args: Any) -> None:
        """One."""
        await note(*args)


class AsyncButton(widgets.Button):
    """Observes itself with an async method, and registers one for its own clicks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.on_click(self.clicked)

    async def clicked(self, _: object) -> None:
        """React."""
        await note(self)


noter = Noter()


@pytest.mark.parametrize(
    "callback",
    [note, noter, noter.method, functools.partial(note, "first"), lambda subject: note(subject)],  # noqa: PLW0108
    ids=["function", "object", "method", "partial", "lambda"],
)
async def test_an_async_callback_runs_as_a_task_of_the_kernel(callback: Callable[..., Any]) -> None:
    """For clicks, observers and custom messages; registered twice it is called once, and it can be taken off."""

    def page() -> widgets.Widget:
        button, text = widgets.Button(description="Click"), widgets.Text()
        for _ in range(2):
            button.on_click(callback)
            text.observe(callback, "value")
        button.on_click(lambda _: setattr(text, "value", "changed"))
        return widgets.VBox([button, text])

    async with serving(page) as site:
        visit = await site.visit()
        await visit.click("Click")
        await visit.until(lambda: len(seen) == 2)
        assert sorted(seen) == sorted([(visit.kernel_id, "Button"), (visit.kernel_id, "Bunch")])


async def test_its_own_async_method() -> None:
    """A widget that calls itself keeps no cycle, and the method is awaited."""
    async with serving(lambda: AsyncButton(description="Click")) as site:
        visit = await site.visit()
        await visit.click("Click")
        await visit.until(lambda: seen == [(visit.kernel_id, "AsyncButton")])


async def test_an_error_is_that_of_a_callback(caplog: pytest.LogCaptureFixture) -> None:
    """One entry in the log, and an error for the page."""

    async def fails(_: object) -> None:
        raise ValueError("no good")

    def page() -> widgets.Widget:
        button = widgets.Button(description="Click")
        button.on_click(fails)
        return button

    async with serving(page) as site:
        visit = await site.visit()
        await visit.click("Click")
        await visit.until(lambda: any(message["header"]["msg_type"] == "error" for message in visit.heard))
    assert [record.getMessage().partition(" of ")[0] for record in caplog.records] == ["an async widget callback"]


async def test_nothing_is_begun_while_the_kernel_closes() -> None:
    """A click that comes too late is none; and nothing complains of a coroutine that was never awaited."""
    buttons: list[widgets.Button] = []

    def page() -> None:
        button = widgets.Button()
        button.on_click(note)
        get_current_context().on_close(button.click)
        buttons.append(button)

    async with serving(page) as site:
        visit = await site.visit()
        with silent():
            assert (await visit.context.aclose()).ok
    assert seen == []


async def test_without_a_kernel_it_is_as_upstream_has_it(kernel: StandInContext) -> None:
    """The coroutine is whose business it was before."""
    _ = kernel
    coroutine = AsyncCallback(note)()
    coroutine.close()
    assert AsyncCallback(len)("ab") == 2


def test_it_is_found_by_what_it_calls(kernel: StandInContext) -> None:
    """`unobserve` and `on_click(remove=True)` compare."""
    button = kernel.run(widgets.Button)
    button.on_click(note)
    button.observe(note, "description")
    assert AsyncCallback(note) == note
    assert hash(AsyncCallback(note)) == hash(AsyncCallback(note))
    button.on_click(note, remove=True)
    button.unobserve(note, "description")
    button.click()
    button.description = "changed"
    assert seen == []
