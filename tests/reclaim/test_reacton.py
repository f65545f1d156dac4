"""Reacton components go with their kernel: render context, states, effects, setters that somebody keeps."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import reacton
import reacton.ipywidgets as rw

from solara_ctx import get_current_context
from tests.support.reclaim import Deaths, used
from tests.support.visits import serving

pytestmark = pytest.mark.uncovered

setters: list[Callable[[Any], None]] = []


class Heavy:
    """What a state holds."""


@reacton.component
def Everything(deaths: Deaths) -> Any:  # noqa: N802 - as components are called
    """State, memo, ref, effects, context, children that come and go, and a cycle through the context."""
    clicks, set_clicks = reacton.use_state(0)
    heavy, _ = reacton.use_state(reacton.use_memo(Heavy, []))
    context = reacton.use_memo(get_current_context, [])
    ref = reacton.use_ref(heavy)
    if clicks == 0:
        deaths.watch("state", ref.current)
        deaths.watch("render context", reacton.core.get_render_context())

    def effect() -> Any:
        keeps = [context, ref, set_clicks]
        return keeps.clear

    reacton.use_effect(effect, [clicks])
    with rw.VBox() as main:
        rw.Button(description=f"{clicks} clicks", on_click=lambda: set_clicks(clicks + 1))
        for number in range(clicks):
            rw.Label(value=str(number)).key(f"label-{number}")
    setters.append(set_clicks)
    return main


async def test_a_component_that_was_used() -> None:
    """Clicked twice, with children added, and a setter kept by a global that is called when all is over."""
    deaths = Deaths()
    async with serving(lambda: Everything(deaths)) as site:
        visit, kernel = await used(site)
        await visit.click("0 clicks")
        await visit.click("1 clicks")
        setters.clear()
        await visit.leave()
        await kernel.at_once()
        deaths.end_now()
        await deaths.at_once()


@reacton.component
def Ticking() -> Any:  # noqa: N802 - same
    """A thread sets its state until the kernel ends."""
    ticks, set_ticks = reacton.use_state(0)

    def effect() -> Any:
        closing = get_current_context().closing_event

        def tick() -> None:
            number = 0
            while not closing.wait(0.001):
                number += 1
                set_ticks(number)

        thread = threading.Thread(target=tick)
        thread.start()

    reacton.use_effect(effect, [])
    return rw.Label(value=f"{ticks} ticks")


async def test_a_component_that_a_thread_renders() -> None:
    """The thread is told of the end, and is the last to let go."""
    async with serving(Ticking) as site:
        visit, kernel = await used(site)
        await visit.leave()
        await kernel.at_once()


@reacton.component
def Broken() -> Any:  # noqa: N802 - same
    """Renders a part, and fails."""
    with rw.VBox():
        rw.Label(value="part")
        raise ValueError("no good")


async def test_a_component_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    """What was rendered so far goes, too."""
    async with serving(Broken) as site:
        visit, kernel = await used(site)
        await visit.leave()
        await kernel.at_once()
    assert caplog.records
